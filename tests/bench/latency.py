#!/usr/bin/env python3
"""How far predicted latencies are from published ones, as a table in Markdown.

Usage: latency.py <adze> <folder with the ONNX files that fixtures/boards/published.csv names>
       [--write <folder for the fitted board types>]

Each model is predicted by a fit to the other models (one model) or to those of other families (its
family). The coefficients are those of fixtures/boards when nothing has changed since.
"""
import argparse
import json
import pathlib
import subprocess

arguments = argparse.ArgumentParser()
arguments.add_argument("adze")
arguments.add_argument("models")
arguments.add_argument("--write", type=pathlib.Path)
options = arguments.parse_args()
boards = pathlib.Path(__file__).resolve().parents[2] / "fixtures/boards"

print("| Board | Models | Prices | Left out | Median | 90th percentile | Within 20 % or 1 ms | Rank correlation | Over 50 % |")
print("|---|---|---|---|---|---|---|---|---|")
for board in ("rzv2h", "rzv2l", "rzv2m", "rzv2ma"):
    command = [options.adze, "--json", "board", "fit", "--data", boards / "published.csv", "--models", options.models,
               "--from", board, "--time-column", f"{board}_ms"]
    if options.write:
        command += ["-o", options.write / f"{board}.toml"]
    fit = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    far = [row["model"].removesuffix(".onnx") for row in fit["models"]
           if abs(row["left_out_ms"] - row["latency_ms"]) > 0.5 * row["latency_ms"]]
    for name, errors in (("one model", fit["leave_one_out"]), ("its family", fit["leave_family_out"])):
        print(f"| {board} | {len(fit['models'])} | {len(fit['coefficients'])} | {name} | {errors['median']:.1%} | "
              f"{errors['p90']:.1%} | {errors['within_20_percent_or_1_ms']:.1%} | {errors['rank_correlation']:.3f} | "
              f"{', '.join(far) if name == 'one model' else ''} |")
