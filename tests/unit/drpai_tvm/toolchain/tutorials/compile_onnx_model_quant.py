"""Stands for the compile script of the parts that compute in INT8."""
import os
import pathlib
import shutil
import subprocess
import sys

import common

options = common.arguments(quantized=True)
common.fail_early()
temp = pathlib.Path("temp", "20261123_150000", "model")
temp.mkdir(parents=True)
shutil.copy(options.model_file, temp / "pre_optimize_model.onnx")
if options.qat:
    if options.qat_type not in ("pytorch", "Tensorflow"):
        sys.exit("unknown type of quantization-aware training")
    shutil.copy(options.model_file, temp / "model_quantization.onnx")
else:
    images = sorted(pathlib.Path(options.images).iterdir()) if options.images else []
    if not images:
        sys.exit("no calibration images")
    common.record(images=[image.name for image in images], first=images[0].read_bytes().hex())
    environment = dict(os.environ, PYTHONPATH=options.quantization_tool)
    done = subprocess.run(["bash", "./run_quantization_onnx.sh", str(temp / "pre_optimize_model.onnx"),
                           str(temp / "model_quantization.onnx"), options.quantization_option], env=environment)
    if done.returncode:
        sys.exit(done.returncode)
shape = [int(size) for size in options.input_shape.split(",")]
common.write_compiled(options.output_dir, options.input_name, shape, interpreter=True)
print("[INFO] done")
