#!/usr/bin/python3
"""How long `adze plugin list` takes with 200 plugins, beside the start of the program alone.

Usage: scan_plugins.py BUILD_DIR [COUNT]. The plugins are copies of one with other ids.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


def median_ms(command, environment, repeats=15):
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def main():
    build = pathlib.Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    adze = str(build / "bin" / "adze")
    with tempfile.TemporaryDirectory() as folder:
        plugins = pathlib.Path(folder, "plugins")
        plugins.mkdir()
        original = (build / "tests" / "plugins" / "trivial.so").read_bytes()
        for i in range(count):
            copy = original.replace(b"org.example.trivial", b"org.example.triv%03d" % i)
            (plugins / f"plugin{i:03}.so").write_bytes(copy)
        environment = dict(os.environ, XDG_CACHE_HOME=str(pathlib.Path(folder, "cache")))
        command = [adze, "--plugin-path", str(plugins), "plugin", "list"]
        begin = time.perf_counter()
        listed = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
        cold = (time.perf_counter() - begin) * 1000
        assert listed.count(b"org.example.triv") == count, listed[-2000:]
        warm = median_ms(command, environment)
        start = median_ms([adze, "--help"], environment)
        print(f"{count} plugins: cold {cold:.0f} ms, warm {warm:.0f} ms; "
              f"adze --help {start:.0f} ms, ratio {warm / start:.1f}")


if __name__ == "__main__":
    main()
