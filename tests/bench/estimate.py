#!/usr/bin/env python3
"""How long `adze estimate` takes on a graph of 1,000 nodes, and whether it answers for every model of a folder.

Usage: estimate.py <adze> [<folder with ONNX files>]

The graph is a chain of residual blocks. Times are medians of whole commands and of the processor time they take, which
other programs disturb less; those of one node are what starting the program and finding its plugins takes.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "fixtures/tools"))
import published_networks  # noqa: E402

RUNS = 11


def chain(nodes):
    """Blocks of convolution, Relu, convolution, Add and Relu; `nodes` of them, as the program counts."""
    network = published_networks.Network(32, 28, 28)
    x, made = "input", 0
    while made + 5 <= nodes:
        x = network.activate(network.sum(network.conv(network.conv(x, 32), 32, then=None), x), "Relu")
        made += 5
    for _ in range(nodes - made):
        x = network.activate(x, "Relu")
    network.outputs = [x]
    return network.model(f"chain{nodes}")


def median_ms(adze, model):
    times, processor = [], []
    for _ in range(RUNS):
        begin, before = time.perf_counter(), os.times()
        done = subprocess.run([adze, "--json", "estimate", model], check=True, capture_output=True, text=True)
        times.append((time.perf_counter() - begin) * 1000)
        after = os.times()
        processor.append((after.children_user + after.children_system - before.children_user - before.children_system) * 1000)
    return statistics.median(times), statistics.median(processor), len(json.loads(done.stdout)["layers"])


adze = sys.argv[1]
print("| Nodes | Whole command ms | Processor ms |\n|---|---|---|")
with tempfile.TemporaryDirectory() as folder:
    for nodes in (1, 1000):
        file = pathlib.Path(folder, f"chain{nodes}.onnx")
        file.write_bytes(chain(nodes).SerializeToString())
        middle, processor, counted = median_ms(adze, file)
        print(f"| {counted} | {middle:.1f} | {processor:.0f} |")
if len(sys.argv) > 2:
    models = sorted(pathlib.Path(sys.argv[2]).glob("*.onnx"))
    shares = []
    for model in models:
        done = subprocess.run([adze, "-q", "--json", "estimate", model, "--what-if", "sparsity=0.9"], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{model.name}: {done.stderr}")
        answer = json.loads(done.stdout)
        assert answer["what_if"]["latency_ms"] <= answer["latency_ms"] and 0 <= answer["target_share"] <= 1, model
        shares.append(answer["target_share"])
    print(f"\n{len(models)} models answer --what-if sparsity=0.9; pruning can touch {min(shares):.0%} to {max(shares):.0%} of "
          f"their time, {statistics.median(shares):.0%} in the middle")
