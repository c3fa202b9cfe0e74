#!/usr/bin/env python3
"""Does what sdk/README.md says, with the very text that stands there.

Usage: readme_test.py <source folder> <build folder>. Blocks marked ```sh are run one after the other in one
shell; blocks with a file name behind the language (```c plugin.c) become that file where the shell stands.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
blocks = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", (source / "sdk/README.md").read_text(), re.M | re.S)
script = ["set -euxo pipefail"]
for language, name, text in blocks:
    if name:
        script.append(f"cat >{name} <<'END_OF_{name}'\n{text}END_OF_{name}")
    elif language == "sh":
        script.append(text)
assert len(script) >= 8, "the README has fewer steps than it had"

with tempfile.TemporaryDirectory() as folder:
    # $ADZE as on a user's machine: sources with a build in build/release.
    home, adze = pathlib.Path(folder, "home"), pathlib.Path(folder, "adze")
    home.mkdir()
    (adze / "build").mkdir(parents=True)
    (adze / "build/release").symlink_to(build)
    (adze / "fixtures").symlink_to(source / "fixtures")
    environment = {**os.environ, "HOME": str(home), "ADZE": str(adze)}
    for name in ("ADZE_PLUGIN_PATH", "CMAKE_PREFIX_PATH"):
        environment.pop(name, None)
    done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=folder, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    first = pathlib.Path(folder, "first")
    report = first / "out/report.html"
    passed = done.returncode == 0 and report.exists() and (first / "out/optimized.onnx").exists()
    print(done.stdout if not passed else f"{len(script) - 1} steps of the README work")
    if passed:
        exported = subprocess.run([source / "ci/exported_symbols.sh", first / "build"])
        passed = exported.returncode == 0
sys.exit(0 if passed else 1)
