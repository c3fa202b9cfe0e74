#!/usr/bin/env python3
"""Runs every ONNX model of a folder on adze.cpu and in ONNX Runtime, and says which agree.

Usage: zoo.py <adze> <folder or model>... [--layers] [--samples N] [--filter TEXT] [--table FILE]
              [--double]

Topologies without weights (a ConstantOfShape in place of each large one) get random weights from a
seed first, so that layers mean something. ADZE_ONNXRUNTIME names ONNX Runtime's library. A model
agrees when the largest difference of each output is at most 1e-4 of its largest magnitude, or 1e-6.
With --double, PyTorch computes a model that does not agree in double precision: it is as good as
ONNX Runtime's when adze.cpu is no farther from that than ONNX Runtime is. Exit code 1 when one is
neither.
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import zlib

import numpy
import onnx
from onnx import numpy_helper

LIMIT, ABSOLUTE_LIMIT = 1e-4, 1e-6
NORMALIZATION = ("scale", "bias", "mean", "variance")  # inputs 1 to 4 of BatchNormalization


def random_weights(shape, role, random):
    if role in ("scale", "variance"):
        return random.uniform(0.5, 1.5, shape)
    if role in ("mean", "bias") or len(shape) < 2:
        return random.normal(0, 0.1, shape)
    # The variance of a sum of products stays that of one input, so that deep models stay finite.
    return random.normal(0, 1 / numpy.sqrt(max(1, numpy.prod(shape[1:]))), shape)


def fill(model, seed):
    """Random weights instead of each ConstantOfShape whose result has two elements or more."""
    graph = model.graph
    random = numpy.random.default_rng(seed)
    constants = {each.name: each for each in graph.initializer}
    same = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    roles = {}
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            for role, name in zip(NORMALIZATION, node.input[1:5]):
                roles[same.get(name, name)] = role
    kept = []
    for node in graph.node:
        source = constants.get(node.input[0]) if node.op_type == "ConstantOfShape" else None
        shape = numpy_helper.to_array(source).tolist() if source is not None else []
        value = next((each.t for each in node.attribute if each.name == "value"), None)
        if value is None or value.data_type != onnx.TensorProto.FLOAT or numpy.prod(shape) < 2:
            kept.append(node)
            continue
        weights = random_weights(shape, roles.get(node.output[0]), random).astype(numpy.float32)
        graph.initializer.append(numpy_helper.from_array(weights, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)


def write_samples(model, count, seed, folder):
    """Random samples for the inputs, and the file that describes them."""
    random = numpy.random.default_rng(seed)
    weights = {each.name for each in model.graph.initializer}
    arrays = {}
    for each in model.graph.input:
        if each.name in weights:
            continue
        tensor = each.type.tensor_type
        shape = [count] + [dim.dim_value or 1 for dim in tensor.shape.dim][1:]
        dtype = onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[tensor.elem_type]
        if numpy.issubdtype(dtype, numpy.floating):
            arrays[each.name] = random.normal(0, 1, shape).astype(dtype)
        else:
            arrays[each.name] = random.integers(0, 2, shape).astype(dtype)
    # A name may have a slash, which a name in a zip file may have too; a single array needs none.
    if len(arrays) == 1:
        arrays = {"samples": next(iter(arrays.values()))}
    numpy.savez(folder / "samples.npz", **arrays)
    (folder / "data.toml").write_text('[data]\nsource = "npz"\nimages = "samples.npz"\n')


def cause_of(text):
    """The last line of an error without names, so that the same causes count as one."""
    line = text.strip().splitlines()[-1] if text.strip() else "no message"
    line = re.sub(r"^(adze: |error: )*", "", line)
    line = re.sub(r"^\S*\.onnx: ", "", line)
    line = re.sub(r"plugin '[^']*', component '([^']*)': ", r"\1: ", line)
    return re.sub(r"(node|value|input|output|tensor) '[^']*'", r"\1 ...", line)[:160]


def compare_outputs(adze, left, right, data, options=()):
    """The process, and what `adze compare` says when it could run both."""
    command = [adze, "-q", "--json", "compare", left, right, "--data", str(data), "--samples", "0",
               "--batch", "1", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    could = done.returncode in (0, 1) and done.stdout
    return done, json.loads(done.stdout) if could else None


def largest_difference(document):
    return max(1.0 if each["max_rel"] is None else each["max_rel"] for each in document["outputs"])


def judge(adze, model, filled, folder):
    """The largest relative difference of adze.cpu, and of ONNX Runtime, from double precision."""
    import float64
    samples = numpy.load(folder / "samples.npz")["samples"]
    results = float64.run(model, {model.graph.input[0].name: samples})
    reference = folder / "reference.onnx"
    onnx.save(float64.constant_model(model, results), reference)
    return [largest_difference(compare_outputs(adze, f"{runner}:{filled}", f"cpu:{reference}",
                                               folder / "data.toml")[1])
            for runner in ("cpu", "onnxruntime")]


def compare(adze, path, arguments):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = onnx.load(path)
        seed = zlib.crc32(path.name.encode())
        fill(model, seed)
        write_samples(model, arguments.samples, seed, folder)
        filled = folder / path.name
        onnx.save(model, filled)
        try:
            done, document = compare_outputs(adze, f"cpu:{filled}", f"onnxruntime:{filled}",
                                             folder / "data.toml",
                                             ["--layers"] if arguments.layers else [])
        except subprocess.TimeoutExpired:
            return {"load": False, "cause": "took more than ten minutes"}
        if document is None:
            return {"load": False, "cause": cause_of(done.stderr) or f"exit code {done.returncode}"}
        result = result_of(document, arguments)
        if not result["agree"] and arguments.double:
            own, peer = judge(adze, model, filled, folder)
            result["good"] = own <= peer
            result["cause"] += f"; from double precision {own:.1e}, ONNX Runtime {peer:.1e}"
        return result


def result_of(document, arguments):
    finite = all(each["nan_count"] == 0 for each in document["outputs"])
    close = all((each["max_rel"] is not None and each["max_rel"] <= LIMIT)
                or each["max_abs"] <= ABSOLUTE_LIMIT for each in document["outputs"])
    result = {"load": True, "max_rel": largest_difference(document), "agree": finite and close,
              "cause": ""}
    first = document.get("first_parting")
    if first:
        layer = next(each for each in document["layers"] if each["name"] == first)
        result["parts"] = f"{layer['op']} '{first}'"
    if arguments.layers:
        result["layers"] = len(document["layers"])
        result["unobserved"] = len(document["unobserved"])
    if not finite:
        result["cause"] = "outputs are not finite"
    elif not result["agree"]:
        result["cause"] = "differs" + (f", first at a {layer['op']}" if first else "")
    return result


def paths_of(parser, arguments):
    """The files that `models` names, by folder or one by one, with `filter` in their name."""
    paths = []
    for each in arguments.models:
        paths += sorted(each.glob("*.onnx")) if each.is_dir() else [each]
    paths = [each for each in paths if arguments.filter in each.name]
    if not paths:
        parser.error("no model is there")
    return paths


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adze")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--layers", action="store_true", help="say where runners part first")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--filter", default="", help="only models with this in their name")
    parser.add_argument("--double", action="store_true", help="judge differences by PyTorch")
    parser.add_argument("--table", type=pathlib.Path, help="write the table to a file too")
    arguments = parser.parse_args()
    paths = paths_of(parser, arguments)

    lines, causes = [], collections.Counter()
    loaded = agreeing = good = 0

    def say(line):
        print(line, flush=True)
        lines.append(line)

    say(f"{'model':40} {'loads':6}{'agrees':7}{'max rel':>10} {'s':>6}  why not")
    for path in paths:
        started = time.monotonic()
        result = compare(arguments.adze, path, arguments)
        seconds = time.monotonic() - started
        loaded += result["load"]
        agreeing += result.get("agree", False)
        good += result.get("good", False)
        if result["cause"]:
            causes[result["cause"]] += 1
        relative = f"{result['max_rel']:.2e}" if result["load"] else "-"
        why = result["cause"] + (f" ({result['parts']})" if result.get("parts") else "")
        if "layers" in result:
            why += f" [{result['layers']} layers, {result['unobserved']} not compared]"
        say(f"{path.stem:40} {'yes' if result['load'] else 'no':6}"
            f"{'yes' if result.get('agree') else 'no':7}{relative:>10} {seconds:6.1f}  {why}".rstrip())
    more = f", {good} more are nearer to double precision than ONNX Runtime" if good else ""
    say(f"\n{len(paths)} models, {loaded} load, {agreeing} agree within {LIMIT:g}{more}")
    for cause, count in causes.most_common():
        say(f"{count:4}  {cause}")
    if arguments.table:
        arguments.table.write_text("\n".join(lines) + "\n")
    return 0 if agreeing + good == len(paths) else 1


if __name__ == "__main__":
    sys.exit(main())
