#!/usr/bin/env python3
"""Boards whose arithmetic is broken are found by `adze validate`, and a board that is right passes.

Usage: broken_silicon_test.py <adze> <source folder>
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

adze, source = sys.argv[1], pathlib.Path(sys.argv[2])
recipe = str(source / "fixtures/recipes/fmnist_mobilenet.toml")
model = str(source / "fixtures/models/fmnist_mobilenet.onnx")


def run(*arguments, **more):
    return subprocess.run([adze, *arguments], capture_output=True, text=True, timeout=250, **more)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    os.environ.update(XDG_RUNTIME_DIR=name, ADZE_LOCKS=f"{name}/locks", ADZE_BOARDS=f"{name}/boards.toml")
    (folder / "boards.toml").write_text("")
    quantized = run("quantize", model, "--data", recipe, "-o", name)
    assert quantized.returncode == 0, quantized.stderr
    optimized = str(folder / "optimized.onnx")
    layer = next(node["name"] for node in json.loads(run("--json", "inspect", optimized).stdout)["nodes"]
                 if node["op"] == "Conv")

    def validate(what, *more, faults=()):
        arguments = [argument for fault in faults for argument in ("--fault", fault)]
        log = open(folder / f"{what}.log", "w")
        board = subprocess.Popen([adze, "board", "sim", what, "--root", f"{name}/{what}", *arguments],
                                 stderr=log)
        try:
            for _ in range(300):
                if "listens at" in (folder / f"{what}.log").read_text():
                    break
                time.sleep(0.1)
            done = run("--json", "validate", optimized, "--board", f"sim:{what}", "--data", recipe,
                       "--reference", model, "--samples", "200", "--junit", f"{name}/{what}.xml", *more)
        finally:
            board.kill()
            board.wait()
        suite = xml.etree.ElementTree.parse(folder / f"{what}.xml").getroot()
        properties = {p.get("name"): p.get("value") for p in suite.find("properties")}
        return done, json.loads(done.stdout) if done.stdout else None, suite, properties

    done, document, suite, properties = validate("good", "-o", f"{name}/out")
    assert done.returncode == 0 and document["verdict"] == properties["verdict"] == "PASS", done.stderr
    assert suite.get("failures") == suite.get("errors") == "0" and suite.get("tests") == "3"
    assert document["predicted_interval_ms"][0] < document["predicted_ms"] < document["predicted_interval_ms"][1]
    assert document["within_prediction"] is None, "a simulated latency says nothing about the prediction"
    assert document["metric"]["fp32"] > 0.8
    stored = json.loads(run("--json", "board", "stats", f"{name}/out/samples.jsonl").stdout)
    assert stored["median_ms"] == document["measured"]["median_ms"], "raw times were stored"
    print("a good board passes")

    done, document, suite, properties = validate("nan", faults=["nan_output"])
    assert done.returncode == 1 and document["verdict"] == "FAIL", done.stderr
    assert "NaN" in "".join(document["reasons"]) and suite.get("failures") != "0"
    print("NaN fails:", document["reasons"][0])

    done, document, suite, properties = validate("layer", faults=[f"wrong_layer={layer}"])
    assert done.returncode == 1, done.stderr
    if document:
        assert document["against_emulated"]["outputs"][0]["mismatch_share"] > 0.1, document["against_emulated"]
        print("a wrong layer:", document["verdict"], document["reasons"])
    else:  # the smoke test found it before the bundle was active
        assert "smoke test" in done.stderr and properties["verdict"] == "ERROR", done.stderr
        print("a wrong layer: found by the smoke test")

    # Halves are rare: rounding them otherwise changes some elements a little: too little for
    # top-1, so it passes, and the comparison says how much differs.
    done, document, suite, properties = validate("rounding", faults=["wrong_rounding"])
    share = document["against_emulated"]["outputs"][0]["mismatch_share"]
    assert share > 0, "the emulation rounds to even, this board does not"
    assert document["verdict"] == "PASS" and share < 0.5, document["against_emulated"]
    print(f"wrong rounding: {share:.2%} of elements differ, verdict {document['verdict']}")

    done, document, suite, properties = validate("slow", "--max-latency-ms", "0.000001")
    assert done.returncode == 1 and document["latency_verdict"] == "FAIL"
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == ["latency"]
    done, document, suite, properties = validate("drop", "--max-drop", "0", "--min-agreement", "1")
    assert done.returncode == 0 and document["verdict"] == "PASS", "a good board keeps the strictest limits"
    assert document["limits"]["max_drop"] == 0 and document["limits"]["min_agreement"] == 1, document["limits"]
    done, document, suite, properties = validate("layer2", "--min-agreement", "0", "--max-drop", "100",
                                                 faults=[f"wrong_layer={layer}"])
    assert done.returncode == 0 or document is None, "limits that are loosened are what counts"

    # Limits of the recipe.
    text = pathlib.Path(recipe).read_text().replace("../models", str(source / "fixtures/models"))
    head, _, tail = text.partition("[accept]")
    rest = tail.split("\n", 1)[1] if tail else ""
    (folder / "strict.toml").write_text(head + "[accept]\nmax_latency_ms = 0.000001\n" + rest)
    recipe = str(folder / "strict.toml")
    done, document, suite, properties = validate("recipe")
    assert done.returncode == 1 and document["limits"]["max_latency_ms"] == 0.000001, done.stderr

    missing = run("validate", optimized, "--board", "sim:nobody", "--data", recipe, "--junit", f"{name}/miss.xml")
    assert missing.returncode == 75
    suite = xml.etree.ElementTree.parse(folder / "miss.xml").getroot()
    assert suite.get("errors") == "1" and "MISS" in suite.find("testcase/error").get("message")
    print("a board that is not there: MISS")
