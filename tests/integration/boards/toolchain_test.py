#!/usr/bin/env python3
"""`adze validate --backend drpai_tvm` from model to verdict, with stand-ins of the vendor's compiler and of its runtime on
the board; and `adze plugin check` of adze.drpai_tvm with and without the compiler.

Usage: toolchain_test.py <adze> <adze-agent> <source folder> <installation with adze.mera>
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

adze, agent, source, installation = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4])
VARIABLES = ("TVM_ROOT", "TRANSLATOR", "QUANTIZER", "SDK")


def model(output_scale=None):
    """Twice its input, where that is positive, which is what the runtime's stand-in computes; with scales when one is given."""
    nodes, constants = [], []

    def constant(name, values, dtype):
        constants.append(numpy_helper.from_array(numpy.array(values, dtype), name))
        return name

    def rounded(name, scale, dtype):
        if output_scale is None:
            return name
        scales = [constant(f"{name}.scale", scale, numpy.float32), constant(f"{name}.zero", 0, dtype)]
        nodes.append(helper.make_node("QuantizeLinear", [name, *scales], [f"{name}.integers"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}.integers", *scales], [f"{name}.rounded"]))
        return f"{name}.rounded"

    constant("w", [[[[2]]], [[[2]]]], numpy.float32)  # by channel: zeros would count as pruned
    inputs = [rounded("x", 0.125, numpy.uint8), rounded("w", 0.5, numpy.int8)]
    nodes.append(helper.make_node("Conv", inputs, ["sum"], name="conv", group=2))
    nodes.append(helper.make_node("Relu", [rounded("sum", output_scale, numpy.uint8)], ["y"], name="relu"))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2, 1, 1]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "double", values[:1], values[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    tvm = folder / "tvm"
    shutil.copytree(source / "tests/unit/drpai_tvm/toolchain", tvm)
    for part in ("translator", "sdk"):
        (tvm / part).mkdir()
    (tvm / "VERSION").write_text("v2.7.0\n")
    (folder / "boards.toml").write_text("")
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    environment.update(XDG_RUNTIME_DIR=name, ADZE_LOCKS=f"{name}/locks", ADZE_BOARDS=f"{name}/boards.toml")
    installed = {**environment, "TVM_ROOT": str(tvm), "TRANSLATOR": str(tvm / "translator"),
                 "QUANTIZER": str(tvm / "quantizer"), "SDK": str(tvm / "sdk")}

    def run(*arguments, env=installed):
        return subprocess.run([adze, *arguments], capture_output=True, text=True, timeout=250, env=env)

    plugin = pathlib.Path(adze).parent.parent / "lib/adze/plugins/adze_drpai_tvm.so"
    for env, reason in ((environment, "DRP-AI TVM is not found"), (installed, "needs samples")):
        done = run("--json", "plugin", "check", "--only", "P04,S03", str(plugin), env=env)
        rules = {rule["id"]: rule for rule in json.loads(done.stdout)["rules"]}
        assert done.returncode == 0, done.stdout
        for rule in ("P04", "S03"):
            assert rules[rule]["outcome"] == "skipped" and reason in rules[rule]["detail"], rules[rule]

    onnx.save(model(), folder / "float.onnx")
    onnx.save(model(0.25), folder / "int8.onnx")
    numpy.save(folder / "x.npy", (numpy.arange(20, dtype=numpy.float32) / 8).reshape(10, 2, 1, 1))
    (folder / "data.toml").write_text('[data]\nsource = "npy"\nimages = "x.npy"\n')
    (folder / "images").mkdir()
    (folder / "images/a.png").write_bytes(b"whatever the stand-in does not look at")
    board = subprocess.Popen(
        [agent, "--listen", f"unix:{name}/board", "--root", f"{name}/root", "--board-id", "standin", "--board-type", "rzv2h",
         "--plugin", str(installation / "lib/adze/plugins/adze_mera.so"), "--component", "adze.mera", "--worker", str(installation / "bin/adze-worker"),
         "--set", "start_address=4096", "--lab", "--simulated"], stderr=open(folder / "agent.log", "w"), env=environment)
    try:
        for _ in range(300):
            if (folder / "board").exists():
                break
            time.sleep(0.1)

        def validate(file, *more):
            (tvm / "calls.jsonl").unlink(missing_ok=True)
            done = run("--json", "validate", str(folder / file), "--board", f"unix:{name}/board", "--data",
                       str(folder / "data.toml"), "--backend", "drpai_tvm", "--set", "python=/usr/bin/python3", *more)
            called = tvm / "calls.jsonl"
            lines = called.read_text().splitlines() if called.exists() else []
            return done, [call["argv"] for call in map(json.loads, lines) if "argv" in call]

        done, calls = validate("int8.onnx")
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert document["verdict"] == "PASS" and document["against_emulated"]["outputs"][0]["mismatch_share"] == 0, document
        assert len(calls) == 1 and "-a" in calls[0], "compiled once, with the model's own scales"

        # Scales of the vendor's calibrator: fine ones give what the board gives, coarse ones do not.
        images = ("--set", f"calibration={folder}/images")
        onnx.save(model(0.25), tvm / "quantized.onnx")
        done, calls = validate("float.onnx", *images)
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert document["verdict"] == "PASS" and document["against_emulated"]["outputs"][0]["mismatch_share"] == 0, document
        assert len(calls) == 1 and "--images" in calls[0], "the emulation is that of the only compilation"
        onnx.save(model(4), tvm / "quantized.onnx")
        done, _ = validate("float.onnx", *images)
        assert done.returncode == 1 and "smoke test" in done.stderr, done.stderr
        done, _ = validate("float.onnx")
        assert done.returncode == 1 and "needs samples" in done.stderr, done.stderr
    finally:
        board.kill()
        board.wait()
print("validate with the toolchain's stand-in: own and the calibrator's scales; checks with and without it")
