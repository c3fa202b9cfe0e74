#!/usr/bin/env python3
"""Runs each command with --json and checks its output against host/report/schema.

Usage: machine_output_test.py <adze> <source folder>. Machine output is a contract: a field that
others rely on must not change its name, type or range unseen.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import jsonschema

adze, source = sys.argv[1], pathlib.Path(sys.argv[2])
model = str(source / "fixtures/models/fmnist_mobilenet.onnx")
recipe = str(source / "fixtures/recipes/fmnist_mobilenet.toml")


def schema(name):
    document = json.loads((source / "host/report/schema" / f"{name}.json").read_text())
    jsonschema.Draft7Validator.check_schema(document)
    return document


def check(name, *arguments):
    done = subprocess.run([adze, "--json", *arguments], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, f"{name}: exit code {done.returncode}: {done.stderr}"
    document = json.loads(done.stdout)
    jsonschema.validate(document, schema(name))
    print(f"{name}: ok")
    return document


inspected = check("inspect", "inspect", model)
assert inspected["macs"] > 1e6 and inspected["parameters"] > 5e4
estimated = check("estimate", "estimate", model, "--what-if", "sparsity=0.7")
assert abs(sum(layer["latency_ms"] for layer in estimated["layers"]) - estimated["latency_ms"]) < 1e-6
check("evaluate", "evaluate", model, "--data", recipe, "--samples", "200")
compared = check("compare", "compare", f"cpu:{model}", f"drpai:{model}", "--data", recipe, "--samples", "50")
assert compared["outputs"][0]["top1_agreement"] == 1
check("plugin_list", "plugin", "list")

with tempfile.TemporaryDirectory() as folder:
    check("metrics", "optimize", recipe, "-o", folder)
    for name in ("metrics", "timings", "edits"):
        jsonschema.validate(json.loads(pathlib.Path(folder, f"{name}.json").read_text()), schema(name))
        print(f"{name}.json: ok")
