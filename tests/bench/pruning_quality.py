#!/usr/bin/env python3
"""Top-1 that Adze's pruners lose on Fashion-MNIST, as a table in Markdown.

Usage: pruning_quality.py <adze> [--seeds 1,2,3] [--only TEXT] [--option 'key = value']... [--table FILE]
                          [--runs FILE]

512 unlabeled training images to calibrate on, 10,000 test images to judge, one run a calibration
seed. `loss` is in percentage points: mean of the seeds, then lowest and highest. Each `--option`
is added to the stage. `--runs` keeps what each run gave, and does not repeat what is there:
a table that was stopped goes on where it was. With ADZE_ONNXRUNTIME set, ONNX Runtime runs each output, too.
Exit code 1 when a mean is above what is required.
"""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from fashion_mnist import DATA, TRAIN_IMAGES

SOURCE = pathlib.Path(__file__).resolve().parents[2]
RECIPE = """
[model]
path = "{model}"
{data}
[calibration]
images = "{images}"
count = 512
seed = {seed}
[[stage]]
use = "{use}"
{goal}
{options}
"""
RESIDUAL, SEPARABLE = "fmnist_resnet10", "fmnist_mobilenet"
CHANNELS = "macs = 0.5"  # a goal of adze.prune.channel; the others are of adze.prune.reconstruct
ROWS = [  # model, goal, most points that may be lost
    (RESIDUAL, "sparsity = 0.7", 0.15),
    (RESIDUAL, "sparsity = 0.8", 0.25),
    (RESIDUAL, "sparsity = 0.9", 1.0),
    (SEPARABLE, "sparsity = 0.7", 0.45),
    (SEPARABLE, "sparsity = 0.8", 1.05),
    (SEPARABLE, "sparsity = 0.9", 3.8),
    (RESIDUAL, 'pattern = "4:16"', 0.35),
    (RESIDUAL, CHANNELS, 0.7),
]


def by_onnxruntime(adze, model, folder):
    """Top-1 of a model in ONNX Runtime."""
    data = folder / "data.toml"
    data.write_text(DATA)
    command = [adze, "--json", "evaluate", model, "--data", data, "--backend", "adze.onnxruntime"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["value"]


def run(adze, model, goal, seed, options, folder):
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(model=SOURCE / f"fixtures/models/{model}.onnx", data=DATA, images=TRAIN_IMAGES,
                                    seed=seed, goal=goal,
                                    use="adze.prune.channel" if goal == CHANNELS else "adze.prune.reconstruct",
                                    options="\n".join(options)))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    subprocess.run([adze, "-q", "optimize", recipe, "-o", folder / "out"], check=True,
                   stdout=subprocess.DEVNULL)
    elapsed = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    metrics = json.loads((folder / "out/metrics.json").read_text())
    found = {
        "loss": 100 * (metrics["baseline"]["value"] - metrics["optimized"]["value"]),
        "dense": 100 * metrics["baseline"]["value"],
        "elapsed": elapsed,
        "processor": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }
    if os.environ.get("ADZE_ONNXRUNTIME"):
        other = by_onnxruntime(adze, folder / "out/optimized.onnx", folder)
        found["onnxruntime"] = 100 * abs(other - metrics["optimized"]["value"])
    return found


def once(arguments, model, goal, seed, folder):
    """A run, or what the file of runs has of it."""
    key = [model, goal, seed, arguments.option]
    file = arguments.runs
    for line in file.read_text().splitlines() if file and file.exists() else []:
        if json.loads(line)["key"] == key:
            return json.loads(line)["found"]
    found = run(arguments.adze, model, goal, seed, arguments.option, folder)
    if file:
        with file.open("a") as stream:
            stream.write(json.dumps({"key": key, "found": found}) + "\n")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adze")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--only", default="")
    parser.add_argument("--option", action="append", default=[])
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("--runs", type=pathlib.Path)
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    lines = [
        "| model | goal | required | loss | lowest, highest | dense | s a run (processor) | "
        "ONNX Runtime differs by |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    print("\n".join(lines), flush=True)
    missed = False
    for model, goal, required in ROWS:
        if arguments.only not in f"{model} {goal}":
            continue
        with tempfile.TemporaryDirectory() as folder:
            runs = [once(arguments, model, goal, seed, pathlib.Path(folder)) for seed in seeds]
        mean = lambda key: sum(run[key] for run in runs) / len(runs)
        losses = [run["loss"] for run in runs]
        differs = (f"{max(run['onnxruntime'] for run in runs):.2f}" if "onnxruntime" in runs[0] else "-")
        missed |= mean("loss") > required
        lines.append(
            f"| {model} | {goal} | {required:.2f} | {'' if mean('loss') <= required else '**'}"
            f"{mean('loss'):.2f}{'' if mean('loss') <= required else '**'} | {min(losses):.2f}, "
            f"{max(losses):.2f} | {mean('dense'):.2f} | {mean('elapsed'):.0f} "
            f"({mean('processor'):.0f}) | {differs} |")
        print(lines[-1], flush=True)
    if arguments.table:
        arguments.table.write_text("\n".join(lines) + "\n")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
