#!/usr/bin/env python3
"""How far predicted latencies are from published ones, as tables in Markdown: classifiers that the fit did not see, then
networks that fixtures/tools/published_networks.py builds, dense and pruned.

Usage: latency.py <adze> <folder with the ONNX files that fixtures/boards/published.csv names>
       [--write <folder for the fitted board types>]

Each model is predicted by a fit to the other rows (one model) or to those of other families (its family). The
coefficients are those of fixtures/boards when nothing has changed since.
"""
import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy

arguments = argparse.ArgumentParser()
arguments.add_argument("adze")
arguments.add_argument("models")
arguments.add_argument("--write", type=pathlib.Path)
options = arguments.parse_args()
fixtures = pathlib.Path(__file__).resolve().parents[2] / "fixtures"
boards = fixtures / "boards"
with open(boards / "published.csv", encoding="utf-8") as file:
    classifiers = {row["model"] for row in csv.DictReader(line for line in file if not line.startswith("#"))}


def ranks(values):
    _, inverse, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    return (numpy.cumsum(counts) - (counts - 1) / 2)[inverse]


def line(board, rows, prices, name, key):
    predicted = numpy.array([row[key] for row in rows])
    published = numpy.array([row["latency_ms"] for row in rows])
    off = numpy.abs(predicted - published)
    share = off / published
    far = ", ".join(row["model"].removesuffix(".onnx") for row, one in zip(rows, share) if one > 0.5)
    return (f"| {board} | {len(rows)} | {prices} | {name} | {numpy.median(share):.1%} | {numpy.quantile(share, 0.9):.1%} | "
            f"{numpy.mean((share <= 0.2) | (off <= 1)):.1%} | {numpy.corrcoef(ranks(predicted), ranks(published))[0, 1]:.3f} | {far} |")


fits = {}
with tempfile.TemporaryDirectory() as networks:
    subprocess.run([sys.executable, fixtures / "tools/published_networks.py", networks], check=True)
    for board in ("rzv2h", "rzv2l", "rzv2m", "rzv2ma"):
        command = [options.adze, "-q", "--json", "board", "fit", "--data", boards / "published.csv", "--models", options.models,
                   "--from", board, "--time-column", f"{board}_ms"]
        if board == "rzv2h":
            command += ["--data", boards / "published_networks.csv", "--models", networks]
        if options.write:
            command += ["-o", options.write / f"{board}.toml"]
        fits[board] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

print("| Board | Models | Prices | Left out | Median | 90th percentile | Within 20 % or 1 ms | Rank correlation | Over 50 % |")
print("|---|---|---|---|---|---|---|---|---|")
for board, fit in fits.items():
    rows = [row for row in fit["models"] if row["model"] in classifiers]
    prices = sum(value > 0 for value in fit["coefficients"].values())
    print(line(board, rows, prices, "one model", "left_out_ms"))
    print(line(board, rows, prices, "its family", "family_out_ms"))

print("\n| Network on rzv2h | Sparsity | Toolchain | Published ms | Predicted | | Row left out | |")
print("|---|---|---|---|---|---|---|---|")
rows = [row for row in fits["rzv2h"]["models"] if row["model"] not in classifiers]
for row in sorted(rows, key=lambda row: (row["toolchain"] == "", row["model"], row["sparsity"])):
    published = row["latency_ms"]
    cells = [f"{row[key]:.1f} | {row[key] / published - 1:+.0%}" for key in ("fitted_ms", "left_out_ms")]
    print(f"| {row['model'].removesuffix('.onnx')} | {row['sparsity']:.0%} | {row['toolchain'] or 'of the lists'} | {published} | "
          f"{cells[0]} | {cells[1]} |")
