#!/usr/bin/env python3
"""Runs each command with --json and checks its output against host/report/schema.

Usage: machine_output_test.py <adze> <source folder>. Machine output is a contract: a field that
others rely on must not change its name, type or range unseen.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import jsonschema

adze, source = sys.argv[1], pathlib.Path(sys.argv[2])
model = str(source / "fixtures/models/fmnist_mobilenet.onnx")
recipe = str(source / "fixtures/recipes/fmnist_mobilenet.toml")


def schema(name):
    document = json.loads((source / "host/report/schema" / f"{name}.json").read_text())
    jsonschema.Draft7Validator.check_schema(document)
    return document


def run(*arguments):
    return subprocess.run([adze, "--json", *arguments], capture_output=True, text=True, timeout=250)


def check(name, *arguments, code=0):
    done = run(*arguments)
    assert done.returncode == code, f"{name}: exit code {done.returncode}: {done.stderr}"
    document = json.loads(done.stdout)
    jsonschema.validate(document, schema(name))
    print(f"{name}: ok")
    return document


inspected = check("inspect", "inspect", model)
assert inspected["macs"] > 1e6 and inspected["parameters"] > 5e4
profiled = check("inspect_profile", "inspect", model, "--profile", "--runs", "3", "--batch", "4")
assert sum(step["macs"] for step in profiled["steps"]) == 4 * inspected["macs"]
assert {name for step in profiled["steps"] for name in step["nodes"]} == {node["name"] for node in inspected["nodes"]}
dense = check("inspect_pattern", "inspect", model, "--pattern", "4:16", code=1)
assert {layer["verdict"] for layer in dense["layers"]} == {"dense"}, dense
inspected = check("inspect_quantization", "inspect", model, "--quantization")
assert inspected["verdict"] == "float" and inspected["int8_macs"] == 0 and not inspected["tensors"], inspected
explained = check("inspect_explain", "inspect", model, "--explain")
assert explained["nodes"] == [] and explained["cpu_nodes"] == {"before": 0, "after": 0}, explained
estimated = check("estimate", "estimate", model, "--what-if", "sparsity=0.7")
assert abs(sum(layer["latency_ms"] for layer in estimated["layers"]) - estimated["latency_ms"]) < 1e-6
steps = check("estimate", "estimate", model, "--what-if", "sparsity=0.5..0.9:0.1")["what_if_steps"]
assert [round(step["sparsity"], 9) for step in steps] == [0.5, 0.6, 0.7, 0.8, 0.9]
assert all(a["latency_ms"] > b["latency_ms"] for a, b in zip(steps, steps[1:]))
for more in ([], ["--data", recipe, "--samples", "16"]):
    pruning = check("inspect_pruning", "inspect", model, "--pruning", *more)
    assert pruning["method"] == ("calibrated" if more else "data_free") and pruning["target_weights"] > 5e4
    assert all(sorted(layer["errors"]) == layer["errors"] for layer in pruning["layers"])
check("evaluate", "evaluate", model, "--data", recipe, "--samples", "200")
compared = check("compare", "compare", f"cpu:{model}", f"drpai:{model}", "--data", recipe, "--samples", "50")
assert compared["outputs"][0]["top1_agreement"] == 1
layers = check("compare", "compare", f"cpu:{model}", f"drpai:{model}", "--data", recipe, "--samples", "2", "--layers")
assert layers["layers"] and layers["first_parting"] is None, layers
plugins = check("plugin_list", "plugin", "list")["plugins"]
checked = check("plugin_check", "plugin", "check", plugins[0]["path"], "--only", "L,D")
assert checked["failed"] == 0 and checked["rules"][0]["id"] == "L01"

with tempfile.TemporaryDirectory() as folder:
    made = check("plugin_new", "plugin", "new", "pruner", "mine", "--dir", f"{folder}/mine")
    assert all(pathlib.Path(made["folder"], file).is_file() for file in made["files"])
    check("metrics", "optimize", recipe, "-o", folder)
    # Without a refit, which is not what this looks at, and takes long.
    quick = pathlib.Path(recipe).read_text().replace("../models", str(source / "fixtures/models"))
    quick = quick[: quick.index("[[stage]]")] + '[[stage]]\nuse = "adze.prune.magnitude"\nrefit = false\n'
    pathlib.Path(folder, "quick.toml").write_text(quick)
    swept = check("sweep", "optimize", f"{folder}/quick.toml", "-o", f"{folder}/sweep",
                  "--sweep", "sparsity=0.5,0.8", "--samples", "500")
    assert swept["complete"] and [target["sparsity"] for target in swept["targets"]] == [0.5, 0.8]
    for target in swept["targets"]:
        assert abs(target["target_sparsity"] - target["sparsity"]) < 0.01
        assert pathlib.Path(folder, "sweep", target["folder"], "optimized.onnx").is_file()
    assert "Accuracy against latency" in pathlib.Path(folder, "sweep/report.html").read_text()
    optimized = str(pathlib.Path(folder, "optimized.onnx"))
    run("bundle", "keygen", "-o", f"{folder}/keys/lab.key")
    made = check("bundle", "bundle", "make", optimized, "-o", f"{folder}/m.adze", "--key", f"{folder}/keys/lab.key",
                 "--smoke", recipe)
    verified = check("bundle", "bundle", "verify", f"{folder}/m.adze", "--trusted", f"{folder}/keys")
    assert verified["signed_by"] == "lab" and verified["bundle"] == made["bundle"] and verified["smoke_test"]
    check("bundle", "bundle", "verify", f"{folder}/m.adze")
    os.environ["XDG_RUNTIME_DIR"] = folder  # boards of this test only
    board = subprocess.Popen([adze, "board", "sim", "contract", "--root", f"{folder}/board"])
    try:
        for _ in range(100):
            if "sim:contract" in run("board", "list").stdout:
                break
            time.sleep(0.1)
        validated = check("validate", "validate", optimized, "--board", "sim:contract", "--data", recipe,
                          "--reference", model, "--samples", "100", "-o", folder)
        assert validated["verdict"] == "PASS"
        assert validated["measured"]["conditions"]["simulated"] is True
        assert validated["against_emulated"]["outputs"][0]["mismatch_share"] == 0
        check("board_bench", "board", "bench", "sim:contract", "--samples", "50")
    finally:
        board.kill()
        board.wait()
    gone = run("board", "info", "sim:contract")
    assert gone.returncode == 75 and gone.stdout == "" and "contract" in gone.stderr, gone
    print("a board that is gone: exit code 75")
    assert "simulated" in pathlib.Path(folder, "report.html").read_text()
    for name in ("metrics", "timings", "edits"):
        jsonschema.validate(json.loads(pathlib.Path(folder, f"{name}.json").read_text()), schema(name))
        print(f"{name}.json: ok")
