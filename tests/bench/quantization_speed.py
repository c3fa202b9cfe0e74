#!/usr/bin/env python3
"""Time and memory of adze.quantize.ptq on a whole model, as a table in Markdown.

Usage: quantization_speed.py <adze> <model.onnx>... [--samples N] [--option 'key = value']...

Models come from export_models.py. Weights and images are random from a fixed seed: time does not
depend on them. `s of the stage` is calibration and quantization, predictions aside; peak memory is the
whole command's. Needs Debian's python3-onnx.
"""
import argparse
import json
import pathlib
import re
import subprocess
import tempfile

import numpy
import onnx

from pruning_speed import RECIPE as PRUNING_RECIPE, images

RECIPE = PRUNING_RECIPE.replace('"adze.prune.reconstruct"\nsparsity = 0.7', '"adze.quantize.ptq"')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adze")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--option", action="append", default=[])
    arguments = parser.parse_args()
    print("| model | samples | s of the stage | s in all (processor) | peak memory, MB |\n"
          "|---|---:|---:|---:|---:|", flush=True)
    for model in arguments.models:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            shape = onnx.load(model, load_external_data=False).graph.input[0].type.tensor_type.shape
            sizes = [dim.dim_value for dim in shape.dim[1:]]
            numpy.save(folder / "images.npy", images(arguments.samples * 5 // 4, sizes))
            numpy.save(folder / "few.npy", images(8, sizes))
            (folder / "recipe.toml").write_text(
                RECIPE.format(model=model.resolve(), samples=arguments.samples,
                              options="\n".join(arguments.option)))
            ran = subprocess.run(
                ["/usr/bin/time", "-f", "MEASURED %M %e %U %S", arguments.adze, "-v", "optimize",
                 folder / "recipe.toml", "-o", folder / "out"],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            memory, elapsed, user, system = re.search(r"MEASURED (.*)", ran.stderr)[1].split()
            steps = json.loads((folder / "out/timings.json").read_text())["steps"]
            stage = next(step["seconds"] for step in steps if step["name"] == "adze.quantize.ptq")
            print(f"| {model.stem} | {arguments.samples} | {stage:.0f} | {float(elapsed):.0f} "
                  f"({float(user) + float(system):.0f}) | {int(memory) // 1024} |", flush=True)
            for line in ran.stderr.splitlines():
                if ": info: " in line:
                    print("<!-- " + line.split("ptq: ")[-1] + " -->", flush=True)


if __name__ == "__main__":
    main()
