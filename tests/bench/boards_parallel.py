#!/usr/bin/env python3
"""How well one host drives many boards: N simulated boards, each sleeping its predicted latency, alone and together.

Usage: boards_parallel.py <adze> <bundle.adze> [boards=16] [pace_ms=20] [samples=100]

Prints inferences per second of one board alone, of all together, and the share of N times the one.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import time

adze, bundle = sys.argv[1:3]
count, pace, samples = (int(text) for text in (sys.argv[3:] + ["16", "20", "100"][len(sys.argv) - 3:]))


def run(*arguments):
    done = subprocess.run([adze, "--json", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def bench(name):
    begin = time.monotonic()
    run("board", "bench", f"sim:{name}", "--samples", str(samples), "--warmup-ms", "0")
    return begin, time.monotonic()


with tempfile.TemporaryDirectory() as folder:
    os.environ.update(XDG_RUNTIME_DIR=folder, ADZE_LOCKS=f"{folder}/locks", ADZE_BOARDS=f"{folder}/boards.toml")
    open(f"{folder}/boards.toml", "w").close()
    names = [f"b{i}" for i in range(count)]
    boards = [subprocess.Popen([adze, "board", "sim", name, "--root", f"{folder}/{name}", "--pace", str(pace)],
                               stderr=subprocess.DEVNULL) for name in names]
    try:
        while len(run("board", "list")["boards"]) < count:
            time.sleep(0.1)
        for name in names:
            run("board", "flash", f"sim:{name}", bundle)
        begin, end = bench(names[0])
        alone = samples / (end - begin)
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            spans = list(pool.map(bench, names))
        together = count * samples / (max(end for _, end in spans) - min(begin for begin, _ in spans))
    finally:
        for board in boards:
            board.kill()
            board.wait()
print(f"one board: {alone:.1f} inferences a second; {count} together: {together:.1f}, "
      f"{together / (count * alone):.1%} of {count} times one")
