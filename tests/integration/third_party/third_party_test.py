#!/usr/bin/env python3
"""Builds pruner/ against the installed SDK as a third party would, checks it, and runs it in recipes.

Usage: third_party_test.py <source folder> <build folder>. A pruner written from sdk/README.md and the headers
alone must follow all rules, reach its sparsity, and keep what a score of its own promises: weighing weights
by their inputs loses less than dropping random ones.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
RECIPE = """
[model]
path = "{model}"
[data]
source = "idx"
images = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
labels = "/usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz"
[data.preprocess]
scale = 0.00392156862745098
mean = [0.2860]
std = [0.3530]
[calibration]
images = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
count = 32
[[stage]]
use = "{use}"
sparsity = 0.4
"""


def run(*command, **options):
    done = subprocess.run([str(each) for each in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


if not pathlib.Path("/usr/share/datasets/fashion-mnist").is_dir():
    if os.environ.get("CI"):
        sys.exit("dataset-fashion-mnist is missing: ci/setup.sh test")
    sys.exit(77)
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    environment = {**os.environ, "CMAKE_PREFIX_PATH": str(folder / "installed")}
    environment.pop("ADZE_PLUGIN_PATH", None)
    run("cmake", "--install", build, "--prefix", folder / "installed")
    adze = folder / "installed/bin/adze"
    run("cmake", "-S", source / "tests/integration/third_party/pruner", "-B", folder / "plugin", env=environment)
    run("cmake", "--build", folder / "plugin", env=environment)
    run("ctest", "--test-dir", folder / "plugin", "--output-on-failure", env=environment)
    top1 = {}
    for use in ("org.example.random", "org.example.wanda"):
        recipe = folder / "recipe.toml"
        recipe.write_text(RECIPE.format(model=source / "fixtures/models/fmnist_resnet10.onnx", use=use))
        run(adze, "-q", "--plugin-path", folder / "plugin", "optimize", recipe, "-o", folder / use,
            "--samples", "500", env=environment)
        metrics = json.loads((folder / use / "metrics.json").read_text())
        top1[use] = metrics["optimized"]["value"]
        pruned = [each for each in metrics["sparsity_by_layer"].values() if each > 0.01]
        assert len(pruned) == 11, pruned
        assert all(abs(each - 0.4) < 0.01 for each in pruned), pruned
    print(top1)
    assert top1["org.example.wanda"] > top1["org.example.random"] + 0.2, top1
    assert top1["org.example.wanda"] > 0.8, top1
