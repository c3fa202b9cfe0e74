#!/usr/bin/env python3
"""Quantizes every ONNX model of a folder and compares the results on adze.drpai with ONNX Runtime.

Usage: quantized_zoo.py <adze> <folder or model>... [--samples N] [--option 'key = value']...
                        [--filter TEXT] [--keep FOLDER] [--table FILE] [--runs FILE] [--threads N]

Topologies without weights get random ones as in zoo.py; calibration samples are random. Each model
is quantized by adze.quantize.ptq (`--option`s are added to the stage) and compared twice, by steps
of each value's grid:
 * whole: one sample goes through the model; `parts at` is the first layer that differs by more than
   one step or in more than 0.1 % of its elements. A step somewhere is carried on and grows behind.
 * alone: the model is cut at every grid, and each piece gets random numbers on the grids of its
   inputs, so that what a piece does is seen without what those before it did.
A model passes when it loads in ONNX Runtime and no piece differs by more than one step, or in more
than one element and 0.1 %. What is left in floats behind an operator whose result jumps (Equal, TopK: a decoder's
search for peaks) is not compared, for sums in another order move it from one side to the other; the table says how
many such layers there are. A Softmax may differ by one step anywhere: ONNX Runtime makes one operator of it and its grids,
which computes by a table and cuts off what is behind the point. `--runs` keeps what each model gave: a table that was stopped
goes on where it was.
ADZE_ONNXRUNTIME names ONNX Runtime's library. Exit code 1 when a model does not pass.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import zlib

import numpy
import onnx
from onnx import helper, numpy_helper, shape_inference

from kept_runs import kept
from zoo import cause_of, fill, paths_of, write_samples

MOST_STEPS, MOST_SHARE, MOST_RELATIVE = 1, 1e-3, 1e-2
SLOWEST = 3600  # seconds of one command
# Another result, not a slightly other one, where the inputs differ in the last bit.
JUMPING = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "ArgMax", "ArgMin", "TopK",
           "NonMaxSuppression", "Floor", "Ceil", "Round", "Sign"}
RECIPE = """
[model]
path = "{model}"
[data]
source = "npz"
images = "evaluation/samples.npz"
metric = "output_error"
[calibration]
images = "calibration/samples.npz"
count = {count}
seed = 1
[[stage]]
use = "adze.quantize.ptq"
{options}
"""


class Failed(Exception):
    """A command that did not work; the text says why."""


def command(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=SLOWEST)
    if done.returncode not in (0, 1) or not done.stdout:
        raise Failed(cause_of(done.stderr) or f"exit code {done.returncode}")
    return json.loads(done.stdout)


def quantize(adze, model, path, folder, arguments):
    seed = zlib.crc32(path.name.encode())
    for name, count in (("evaluation", 1), ("calibration", 2 * arguments.samples)):
        (folder / name).mkdir()
        write_samples(model, count, seed + (name == "calibration"), folder / name)
    filled = folder / path.name
    onnx.save(model, filled)
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(model=path.name, count=arguments.samples,
                                    options="\n".join(arguments.option)))
    command(adze, "-q", "--json", "--threads", arguments.threads, "optimize", recipe, "-o", folder / "out")
    return folder / "out/optimized.onnx"


def compare(arguments, model, data):
    return command(arguments.adze, "-q", "--json", "--threads", arguments.threads, "compare", f"drpai:{model}", f"onnxruntime:{model}", "--data", data,
                   "--samples", "0", "--batch", "1", "--layers")


def behind_jumps(model):
    """Names of the results that jump, and of their nodes; at a grid that ends, as cut() gives new numbers there."""
    names = set()
    for node in model.graph.node:
        if node.op_type in JUMPING or names & set(node.input):
            names |= {node.name, *node.output}
    return names


def shape_of(info):
    return [max(dim.dim_value, 1) for dim in info.type.tensor_type.shape.dim]


def cut(model, seed):
    """Each value on a grid becomes an input of what reads it and an output of what computes it.

    Returns the model and, for each new input, numbers on its grid: 0 often, and few at its ends."""
    model = shape_inference.infer_shapes(model)
    graph = model.graph
    random = numpy.random.default_rng(seed)
    constants = {each.name: each for each in graph.initializer}
    shapes = {each.name: shape_of(each) for each in (*graph.value_info, *graph.input, *graph.output)}
    outputs = {each.name for each in graph.output}
    quantizers = [node for node in graph.node if node.op_type == "QuantizeLinear"
                  and node.input[0] not in constants]
    samples, made, first = {}, [], []
    given = {each.name for each in graph.input} - set(constants)
    for node in quantizers:
        source, result = node.input[0], node.output[0]
        if source in given or source not in shapes:
            continue
        scale = float(numpy_helper.to_array(constants[node.input[1]]).reshape(-1)[0])
        zero = int(numpy_helper.to_array(constants[node.input[2]]).reshape(-1)[0])
        name = f"given.{len(samples)}"
        graph.input.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shapes[source]))
        first.append(helper.make_node("QuantizeLinear", [name, *node.input[1:]], [f"{name}.integers"],
                                      name=f"{name}.quantize"))
        for reader in graph.node:
            for index, each in enumerate(reader.input):
                if each == result:
                    reader.input[index] = f"{name}.integers"
        if f"{source}" not in outputs:
            made.append(helper.make_node("DequantizeLinear", [result, *node.input[1:]], [f"{name}.result"],
                                         name=f"{name}.dequantize"))
            graph.output.append(helper.make_tensor_value_info(f"{name}.result", onnx.TensorProto.FLOAT,
                                                              shapes[source]))
        integers = numpy.rint(random.normal(0, 40, shapes[source]))
        integers = numpy.clip(zero + (numpy.abs(integers) if zero == 0 else integers), 0, 255)
        samples[name] = ((integers - zero) * scale).astype(numpy.float32)
    nodes = [*first, *graph.node, *made]
    del graph.node[:]
    graph.node.extend(nodes)
    return model, samples


def alone(arguments, quantized, folder, seed):
    """Layers of the pieces that can be compared, and how many others there are."""
    model, samples = cut(onnx.load(quantized), seed)
    for each in model.graph.input:
        if each.name not in samples and each.name not in {one.name for one in model.graph.initializer}:
            samples[each.name] = numpy.load(folder / "evaluation/samples.npz")["samples"][:1]
    pieces = folder / "pieces"
    pieces.mkdir()
    onnx.save(model, pieces / "pieces.onnx")
    numpy.savez(pieces / "samples.npz", **(samples if len(samples) > 1 else {"samples": [*samples.values()][0]}))
    (pieces / "data.toml").write_text('[data]\nsource = "npz"\nimages = "samples.npz"\n')
    layers = compare(arguments, pieces / "pieces.onnx", pieces / "data.toml")["layers"]
    jumping = behind_jumps(model)
    return [each for each in layers if each["name"] not in jumping], sum(each["name"] in jumping for each in layers)


def steps(layers):
    return max((each["max_steps"] or 0 for each in layers), default=0)


def share(layers):
    return max((each["steps_differing_share"] or 0 for each in layers), default=0)


def is_within(layer):
    if layer["max_steps"] is None:
        return layer["max_rel"] is None or layer["max_rel"] <= MOST_RELATIVE or layer["max_abs"] <= 1e-6
    share = layer["steps_differing_share"]
    few = layer["op"] == "Softmax" or share <= MOST_SHARE or round(share * layer["elements"]) <= 1  # one of a layer of few elements
    return layer["max_steps"] <= MOST_STEPS and few


def judge(arguments, path, folder):
    model = onnx.load(path)
    seed = zlib.crc32(path.name.encode())
    fill(model, seed)
    quantized = quantize(arguments.adze, model, path, folder, arguments)
    if arguments.keep:
        arguments.keep.mkdir(exist_ok=True)
        (arguments.keep / path.name).write_bytes(quantized.read_bytes())
    whole = compare(arguments, quantized, folder / "evaluation/data.toml")
    parts = next((each for each in whole["layers"] if not is_within(each)), None)
    pieces, jumping = alone(arguments, quantized, folder, seed)
    differing = [each for each in pieces if (each["max_steps"] or 0) > 0]
    bad = [each for each in pieces if not is_within(each)]
    result = {"layers": len(whole["layers"]), "whole_steps": steps(whole["layers"]),
              "whole_share": share(whole["layers"]), "parts": parts and f"{parts['op']} '{parts['name']}'",
              "pieces": len(pieces), "differing": collections.Counter(each["op"] for each in differing),
              "steps": steps(pieces), "share": share(pieces),
              "finite": not any(each["nan_count"] for each in whole["outputs"])}
    result["cause"] = ", ".join(f"{each['op']} '{each['name']}' {each['max_steps']} steps in "
                                f"{100 * (each['steps_differing_share'] or 0):.3f} %, {each['max_rel']:.1e}"
                                for each in bad[:3])
    if not result["finite"]:
        result["cause"] = "outputs are not finite"
    elif jumping and not bad:
        result["cause"] = f"{jumping} layers behind {', '.join(sorted(jumps_of(quantized)))} left out"
    result["passes"] = not bad and result["finite"]
    return result


def jumps_of(path):
    return {node.op_type for node in onnx.load(path).graph.node} & JUMPING


def run(arguments, path):
    """What became of one model, and in how many seconds."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        try:
            result = judge(arguments, path, pathlib.Path(name))
        except Failed as failure:
            result = {"passes": False, "cause": str(failure)}
        except subprocess.TimeoutExpired:
            result = {"passes": False, "cause": f"took more than {SLOWEST} s"}
    return result | {"seconds": time.monotonic() - started}


def row(path, result):
    seconds = result["seconds"]
    if "pieces" not in result:
        return f"| {path.stem} | **no** | - | - | - | - | {seconds:.0f} | {result['cause']} |"
    differing = ", ".join(f"{count} {op}" for op, count in sorted(result["differing"].items())) or "none"
    why = result["cause"] or (f"whole: parts at {result['parts']}" if result["parts"] else "")
    return (f"| {path.stem} | {'yes' if result['passes'] else '**no**'} | {result['pieces']} | {differing} | "
            f"{result['steps']:.0f}, {100 * result['share']:.3f} % | "
            f"{result['whole_steps']:.0f}, {100 * result['whole_share']:.2f} % | {seconds:.0f} | {why} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adze")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--samples", type=int, default=4, help="to calibrate on; as many are held out")
    parser.add_argument("--option", action="append", default=[])
    parser.add_argument("--filter", default="", help="only models with this in their name")
    parser.add_argument("--keep", type=pathlib.Path, help="where the quantized models go")
    parser.add_argument("--runs", type=pathlib.Path, help="where results are kept, as JSON lines")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--table", type=pathlib.Path, help="write the table to a file too")
    arguments = parser.parse_args()
    paths = paths_of(parser, arguments)
    lines = ["| model | passes | layers | that differ alone | most, alone | most, whole | s | |",
             "|---|---|---:|---|---:|---:|---:|---|"]
    print("\n".join(lines), flush=True)
    passing, layers, differing = 0, 0, collections.Counter()
    for path in paths:
        key = [path.name, arguments.samples, arguments.option]
        result = kept(arguments.runs, key, lambda path=path: run(arguments, path))
        passing += result["passes"]
        layers += result.get("pieces", 0)
        differing += collections.Counter(result.get("differing", {}))
        lines.append(row(path, result))
        print(lines[-1], flush=True)
    listed = ", ".join(f"{count} {op}" for op, count in sorted(differing.items())) or "none"
    lines.append(f"\n{passing} of {len(paths)} models pass; of {layers} layers alone, these differ at all: {listed}")
    print(lines[-1])
    if arguments.table:
        arguments.table.write_text("\n".join(lines) + "\n")
    return 0 if passing == len(paths) else 1


if __name__ == "__main__":
    sys.exit(main())
