#!/usr/bin/env python3
"""Time and memory of adze.prune.reconstruct on a whole model, as a table in Markdown.

Usage: pruning_speed.py <adze> residual|<model.onnx> [--samples N]... [--size PIXELS] [--option 'key = value']...

`residual` is a residual network with 5 M weights in 3x3 convolutions, made here; ResNet-50 comes from
export_models.py. Weights and images are random from a fixed seed: time does not depend on them.
`elapsed` and `processor` are of the stage and of the whole command; peak memory is the command's.
Several --samples show that memory does not grow with them. Needs Debian's python3-onnx.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

RECIPE = """
[model]
path = "{model}"
[data]
source = "npy"
images = "few.npy"
metric = "output_error"
[calibration]
images = "images.npy"
count = {samples}
[[stage]]
use = "adze.prune.reconstruct"
sparsity = 0.7
{options}
"""


def residual(path, size):
    """Stages of 64, 128 and 256 channels, half as large each; blocks of two convolutions."""
    random = numpy.random.default_rng(1)
    nodes, weights, count = [], [], 0

    def conv(source, inputs, outputs, kernel, stride):
        nonlocal count
        name = f"conv{len(weights)}"
        scale = numpy.sqrt(2 / (inputs * kernel * kernel))
        values = random.normal(0, scale, (outputs, inputs, kernel, kernel)).astype(numpy.float32)
        weights.append(numpy_helper.from_array(values, name + ".weight"))
        count += values.size if kernel == 3 else 0
        nodes.append(helper.make_node("Conv", [source, name + ".weight"], [name], name=name,
                                      strides=[stride] * 2, pads=[kernel // 2] * 4))
        return name

    def relu(source):
        nodes.append(helper.make_node("Relu", [source], [source + ".relu"], name=source + ".relu"))
        return source + ".relu"

    value, channels = relu(conv("image", 3, 64, 3, 2)), 64
    for outputs, blocks in ((64, 2), (128, 2), (256, 4)):
        for block in range(blocks):
            stride = 2 if block == 0 and outputs > 64 else 1
            skip = value if stride == 1 else conv(value, channels, outputs, 1, stride)
            branch = conv(relu(conv(value, channels, outputs, 3, stride)), outputs, outputs, 3, 1)
            nodes.append(helper.make_node("Add", [branch, skip], [branch + ".add"], name=branch + ".add"))
            value, channels = relu(branch + ".add"), outputs
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["pool"], name="pool"))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"], name="flatten"))
    weights.append(numpy_helper.from_array(
        random.normal(0, 0.06, (10, 256)).astype(numpy.float32), "classifier.weight"))
    nodes.append(helper.make_node("Gemm", ["flat", "classifier.weight"], ["scores"], name="classifier",
                                  transB=1))
    graph = helper.make_graph(
        nodes, "residual", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, size, size])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 10])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    print(f"{count / 1e6:.2f} M weights in 3x3 convolutions", file=sys.stderr)


def images(count, shape):
    """Smooth, so that neighbours are alike as in photographs."""
    random = numpy.random.default_rng(2)
    found = random.normal(size=(count, *shape)).astype(numpy.float32)
    for axis in (2, 3):
        for _ in range(3):
            found += numpy.roll(found, 1, axis)
    return found / found.std()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adze")
    parser.add_argument("model")
    parser.add_argument("--samples", action="append", type=int)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--option", action="append", default=[])
    arguments = parser.parse_args()
    print("| model | samples | s of the stage | s in all (processor) | peak memory, MB |\n"
          "|---|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = folder / "residual.onnx"
        if arguments.model == "residual":
            residual(model, arguments.size)
        else:
            model = pathlib.Path(arguments.model).resolve()
        shape = onnx.load(model, load_external_data=False).graph.input[0].type.tensor_type.shape
        sizes = [dim.dim_value for dim in shape.dim[1:]]
        for samples in arguments.samples or [512]:
            numpy.save(folder / "images.npy", images(samples + samples // 4, sizes))
            numpy.save(folder / "few.npy", images(8, sizes))
            options = ['allocation = "uniform"', *arguments.option]
            (folder / "recipe.toml").write_text(
                RECIPE.format(model=model, samples=samples, options="\n".join(options)))
            ran = subprocess.run(
                ["/usr/bin/time", "-f", "MEASURED %M %e %U %S", arguments.adze, "-q", "optimize",
                 folder / "recipe.toml", "-o", folder / "out"],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            memory, elapsed, user, system = re.search(r"MEASURED (.*)", ran.stderr)[1].split()
            steps = json.loads((folder / "out/timings.json").read_text())["steps"]
            stage = next(step["seconds"] for step in steps if step["name"] == "adze.prune.reconstruct")
            print(f"| {model.stem} | {samples} | {stage:.0f} | {float(elapsed):.0f} "
                  f"({float(user) + float(system):.0f}) | {int(memory) // 1024} |", flush=True)


if __name__ == "__main__":
    main()
