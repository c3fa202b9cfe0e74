#!/usr/bin/env python3
"""Top-1 that quantization after training loses on Fashion-MNIST, as a table in Markdown.

Usage: quantization_quality.py <adze> [--seeds 1,2,3] [--only TEXT] [--option 'key = value']...
       [--no-peer] [--only-peer] [--peer-seeds N] [--table FILE] [--runs FILE]

1,024 unlabeled training images, drawn by each seed: Adze calibrates on 512 of them and judges its
corrections on the rest, PyTorch (torch_quantization.py) calibrates on all, with the first N seeds. 10,000 test images judge.
Losses are in percentage points against the same model in floats, the mean of the seeds. `min/max` is
adze.quantize.ptq with calibrator = "minmax" and everything else off, with the first seed. Pruned models come from
adze.prune.reconstruct (seed 1), spread ones from spread_channels.py. `--option` is added to the stage.
`--runs` keeps what each run gave, and does not repeat what is there, as long as the model in floats is the same.
Run by an interpreter that has PyTorch (Debian: /usr/bin/python3), or with --no-peer.
Exit code 1 when a mean is above what is required, or above PyTorch's.
"""
import argparse
import gzip
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

from fashion_mnist import DATA, FOLDER
from kept_runs import kept

SOURCE = pathlib.Path(__file__).resolve().parents[2]
FASHION = pathlib.Path(FOLDER)
IMAGES = 1024
RECIPE = """
[model]
path = "{model}"
{data}[calibration]
images = "{images}"
count = 512
seed = {seed}
[[stage]]
use = "{use}"
{options}
"""
PLAIN = ['calibrator = "minmax"', 'equalize = "off"', 'bias_correction = "off"', 'rounding = "nearest"']
RESIDUAL, SEPARABLE, GATED = "fmnist_resnet10", "fmnist_mobilenet", "fmnist_gated"
ROWS = [  # name, fixture, how it is made harder, options, most points that may be lost
    ("residual", RESIDUAL, "", [], 0.1),
    ("depthwise-separable", SEPARABLE, "", [], 0.1),
    ("residual, 70 % pruned", RESIDUAL, "pruned", [], 0.1),
    ("depthwise-separable, 70 % pruned", SEPARABLE, "pruned", [], 0.1),
    ("residual, channels spread 1:1000", RESIDUAL, "spread", [], 0.15),
    ("the same, one scale a weight tensor", RESIDUAL, "spread", ['weights = "per_tensor"'], 0.15),
    ("depthwise-separable, channels spread 1:1000", SEPARABLE, "spread", [], 0.15),
    ("SiLU, hard-swish, squeeze-excite", GATED, "", [], 0.5),
]


def read_idx(name):
    raw = gzip.decompress((FASHION / name).read_bytes())
    return np.frombuffer(raw, ">u4", raw[3], 4), raw


def images_of(name):
    (count, height, width), raw = read_idx(name)
    return np.frombuffer(raw, np.uint8, -1, 16).reshape(count, height, width)


def write_images(images, path):
    header = np.array([0x803, *images.shape], ">u4").tobytes()
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write(header + images.tobytes())


def optimize(adze, folder, model, seed, images, options, use="adze.quantize.ptq"):
    """Top-1 before and after, seconds; the result is in folder/out."""
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(model=model, data=DATA, images=images, seed=seed, use=use,
                                    options="\n".join(options)))
    started = time.monotonic()
    subprocess.run([adze, "-q", "optimize", recipe, "-o", folder / "out"], check=True,
                   stdout=subprocess.DEVNULL)
    metrics = json.loads((folder / "out/metrics.json").read_text())
    return metrics["baseline"]["value"], metrics["optimized"]["value"], time.monotonic() - started


def prepare(adze, folder, fixture, how):
    """The model in floats that is to be quantized."""
    model, made = SOURCE / f"fixtures/models/{fixture}.onnx", folder / f"{fixture}_{how}.onnx"
    if not how or made.exists():
        return made if how else model
    if how == "spread":
        subprocess.run([sys.executable, SOURCE / "tests/bench/spread_channels.py", model, made],
                       check=True, stdout=subprocess.DEVNULL)
    else:
        optimize(adze, folder, model, 1, FASHION / "train-images-idx3-ubyte.gz", ["sparsity = 0.7"],
                 "adze.prune.reconstruct")
        (folder / "out/optimized.onnx").rename(made)
    return made


class Peer:
    """PyTorch's loss on the same model and images."""

    def __init__(self):
        import torch
        import torch_quantization
        torch.set_num_threads(2)
        self.torch, self.quantization = torch, torch_quantization
        (_,), raw = read_idx("t10k-labels-idx1-ubyte.gz")
        self.labels = torch.from_numpy(np.frombuffer(raw, np.uint8, -1, 8).astype(np.int64))
        self.test = self.tensor(images_of("t10k-images-idx3-ubyte.gz"))
        self.known, self.dense = {}, {}

    def tensor(self, images):
        return self.torch.from_numpy(((images.astype(np.float32) / 255 - 0.2860) / 0.3530)[:, None])

    def loss(self, model, seed, images):
        if (model, seed) not in self.known:
            dense, quantized = self.quantization.quantize(str(model), self.tensor(images))
            if model not in self.dense:
                self.dense[model] = self.quantization.top1(dense, self.test, self.labels)
            after = self.quantization.top1(quantized, self.test, self.labels)
            self.known[model, seed] = 100 * (self.dense[model] - after)
        return self.known[model, seed]


def mean(numbers):
    return sum(numbers) / len(numbers)


def spread(numbers):
    return f"{min(numbers):.2f}, {max(numbers):.2f}"


def row(title, required, runs, losses, plain, others, mark):
    ours = (f"{100 * runs[0][0]:.2f} | {required:.2f} | {mark}{mean(losses):.2f}{mark} | {spread(losses)} | "
            f"{mean(plain):.2f}") if runs else f"- | {required:.2f} | - | - | -"
    peer = f"{mean(others):.2f} | {spread(others)}" if others else "- | -"
    seconds = f"{mean([run[2] for run in runs]):.0f}" if runs else "-"
    return f"| {title} | {ours} | {peer} | {seconds} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adze")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--only", default="")
    parser.add_argument("--option", action="append", default=[])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--only-peer", action="store_true", help="leave adze.quantize.ptq out")
    parser.add_argument("--peer-seeds", type=int, default=sys.maxsize)
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("--runs", type=pathlib.Path)
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    peer = None if arguments.no_peer else Peer()
    train = images_of("train-images-idx3-ubyte.gz")
    lines = ["| model | float top-1 | required | loss | lowest, highest | min/max | PyTorch | lowest, highest | s a run |",
             "|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    print("\n".join(lines), flush=True)
    missed = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for title, fixture, how, options, required in ROWS:
            if arguments.only not in title:
                continue
            model = prepare(arguments.adze, folder, fixture, how)
            digest = hashlib.sha256(model.read_bytes()).hexdigest()
            runs, plain, others = [], [], []

            def once(what, stage, make):
                return kept(arguments.runs, [title, what, seed, stage, digest], make)

            for seed in seeds:
                chosen = train[np.random.default_rng(seed).permutation(len(train))[:IMAGES]]
                if peer and len(others) < arguments.peer_seeds:
                    others.append(once("PyTorch", [], lambda: peer.loss(model, seed, chosen)))
                if arguments.only_peer:
                    continue
                images = folder / "calibration.gz"
                write_images(chosen, images)

                def ours(stage):
                    return once("Adze", stage, lambda: optimize(arguments.adze, folder, model, seed, images, stage))

                runs.append(ours(options + arguments.option))
                if not plain:
                    before, after, _ = ours(options + PLAIN)
                    plain.append(100 * (before - after))
            # Losses are shares of 10,000 images: the last digits of a float are not a difference.
            losses = [round(100 * (before - after), 4) for before, after, _ in runs]
            worse = runs and (round(mean(losses), 4) > required or
                              (peer and round(mean(losses), 4) > round(mean(others), 4)))
            missed |= bool(worse)
            lines.append(row(title, required, runs, losses, plain, others, "**" if worse else ""))
            print(lines[-1], flush=True)
    if arguments.table:
        arguments.table.write_text("\n".join(lines) + "\n")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
