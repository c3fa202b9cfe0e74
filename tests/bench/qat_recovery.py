#!/usr/bin/env python3
"""What training brings back of what pruning and INT8 lose on the hard fixture: the depthwise-separable network, 90 % pruned.

Runs three recipes (pruning alone, pruning and adze.quantize.ptq, pruning and adze.quantize.qat) and prints
a Markdown table; `--speed` adds a training epoch by a plain PyTorch loop, one in floats and ones with rounding, timed in turns
(torch_training.py; needs an interpreter that has PyTorch, as Debian's /usr/bin/python3); `--only-steps` gives the processor
time of one thread for a step of each, from the difference of two numbers of steps, which other work on the machine disturbs less.
Usage: qat_recovery.py [--adze build/release/bin/adze] [--train 59000] [--epochs 5] [--speed | --only-speed | --only-steps]
"""
import argparse
import json
import os
import re
import resource
import subprocess
import tempfile
import time

from fashion_mnist import DATA, TRAIN_IMAGES, TRAIN_LABELS

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

TABLES = """[model]
path = "{root}/fixtures/models/{model}"
{data}[calibration]
images = "{images}"
count = 512
seed = 1
[train]
images = "{images}"
labels = "{labels}"
count = {train}
{augment}
"""
PRUNE = '[[stage]]\nuse = "adze.prune.reconstruct"\nsparsity = {sparsity}\n'
PTQ = '[[stage]]\nuse = "adze.quantize.ptq"\n'
BATCH = 64  # of the plugin, where a recipe does not say
QAT = '[[stage]]\nuse = "adze.quantize.qat"\n'


def run(args, folder, name, stages, train):
    """Metrics and the seconds of each step."""
    recipe = os.path.join(folder, name + ".toml")
    with open(recipe, "w", encoding="utf-8") as file:
        file.write(TABLES.format(root=ROOT, model=args.model, data=DATA, images=TRAIN_IMAGES, labels=TRAIN_LABELS,
                                 train=train, augment=args.augment.replace(";", "\n")) + stages)
    out = os.path.join(folder, name)
    before = processor_seconds()
    done = subprocess.run([args.adze, "-v", "--threads", str(args.threads), "optimize", recipe, "-o", out],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    with open(os.path.join(out, "metrics.json"), encoding="utf-8") as file:
        metrics = json.load(file)
    with open(os.path.join(out, "timings.json"), encoding="utf-8") as file:
        times = json.load(file)
    return metrics, times, done.stderr, processor_seconds() - before


def processor_seconds():
    """Of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds_of(times, name):
    steps = times["steps"] if "steps" in times else times
    return sum(step["seconds"] for step in steps if step["name"] == name)


def points(metrics):
    return 100 * (metrics["baseline"]["value"] - metrics["optimized"]["value"])


def recovery(args, folder):
    prune = PRUNE.format(sparsity=args.sparsity)
    qat = QAT + (f"steps = {args.steps}\n" if args.steps else f"epochs = {args.epochs}\n") + \
        f"learning_rate = {args.rate}\n" + args.extra.replace(";", "\n") + "\n"
    ptq, _, _, without = run(args, folder, "ptq", prune + PTQ, 1000)
    trained, times, log, processor = run(args, folder, "qat", prune + qat, args.train)
    left, after = points(ptq), points(trained)
    print("| model | sparsity | FP32 | prune + PTQ | prune + QAT | recovered | QAT, seconds (processor, about) |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    print(f"| {args.model} | {args.sparsity:.0%} | {100 * ptq['baseline']['value']:.2f} | -{left:.2f} | -{after:.2f} "
          f"| {100 * (left - after) / left:.0f} % | {seconds_of(times, 'adze.quantize.qat'):.0f} "
          f"({processor - without:.0f}) |")
    print()
    for line in re.findall(r"adze.quantize.qat: (.*)", log):
        print("    " + line)


OURS = {"floats": 'mode = "finetune"\n', "LSQ": "float_share = 0.0\n",
        "min/max": 'float_share = 0.0\nmethod = "minmax"\n'}


def steps(args, folder):
    """Processor seconds of a step, one thread."""
    import torch_training
    args.augment, args.threads, few, many = "", 1, 10, 10 + args.speed_train // BATCH
    base = QAT + "learning_rate = 1e-5\ndistillation = 0.0\n"
    taken = {name: [] for name in ("PyTorch, floats", *OURS)}
    for _ in range(args.runs):
        model = os.path.join(ROOT, "fixtures/models", args.model)
        taken["PyTorch, floats"].append(torch_training.seconds_of_epoch(
            model, (many - few) * BATCH, BATCH, 1, time.process_time) / (many - few))
        for name, extra in OURS.items():
            used = [run(args, folder, "steps", f"{base}steps = {count}\n{extra}", 59000)[3] for count in (few, many)]
            taken[name].append((used[1] - used[0]) / (many - few))
    plain = min(taken["PyTorch, floats"])
    print(f"\n| a step of {BATCH} images, {args.model} | processor seconds | against PyTorch |")
    print("|---|---:|---:|")
    for name, seconds in taken.items():
        print(f"| {name} | {min(seconds):.4f} | {min(seconds) / plain:.2f} |")


def speed(args, folder):
    """An epoch of the dense model by a plain PyTorch loop, by ours in floats, and by ours with rounding."""
    import torch_training
    base = "epochs = 1\nlearning_rate = 1e-5\ndistillation = 0.0\n"
    args.augment, images = "", args.speed_train * 9 // 10
    taken = {name: [] for name in ("PyTorch, floats", *OURS)}
    for _ in range(args.runs):
        taken["PyTorch, floats"].append(torch_training.seconds_of_epoch(
            os.path.join(ROOT, "fixtures/models", args.model), images, BATCH, args.threads))
        for name, extra in OURS.items():
            _, times, _, _ = run(args, folder, name.replace("/", ""), QAT + base + extra, args.speed_train)
            taken[name].append(seconds_of(times, "adze.quantize.qat"))
    plain = min(taken["PyTorch, floats"])
    print(f"\n| an epoch of {images} images, {args.model}, {args.threads} threads | seconds | against PyTorch |")
    print("|---|---:|---:|")
    for name, seconds in taken.items():
        print(f"| {name} | {min(seconds):.1f} | {min(seconds) / plain:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adze", default=os.path.join(ROOT, "build/release/bin/adze"))
    parser.add_argument("--model", default="fmnist_mobilenet.onnx")
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--train", type=int, default=59000, help="images of [train], a tenth of them held out")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.003)
    parser.add_argument("--augment", default="", help="lines of [train], as mirror = true;shift = 2")
    parser.add_argument("--extra", default="float_share = 0.7", help="more lines of the stage, separated by ;")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--speed-train", type=int, default=6000)
    parser.add_argument("--runs", type=int, default=3, help="of each speed, the fastest counts")
    parser.add_argument("--only-speed", action="store_true")
    parser.add_argument("--only-steps", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.only_steps:
            steps(args, folder)
        elif not args.only_speed:
            recovery(args, folder)
        if args.speed or args.only_speed:
            speed(args, folder)


if __name__ == "__main__":
    main()
