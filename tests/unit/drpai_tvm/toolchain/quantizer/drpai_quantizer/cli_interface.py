"""Stands for the DRP-AI Quantizer: makes the model that the test prepared of any other."""
import argparse
import json
import os
import pathlib
import shutil

root = pathlib.Path(os.environ["TVM_ROOT"])
parser = argparse.ArgumentParser()
parser.add_argument("--calibrate_method", choices=["MinMax", "Percentile", "Entropy"])
parser.add_argument("--input_model_path", required=True)
parser.add_argument("--output_model_path", required=True)
parser.add_argument("--tvm", action="store_true")
parser.add_argument("--node_to_exclude")
parser.add_argument("--opts", nargs="*")
options = parser.parse_args()
with open(root / "calls.jsonl", "a") as file:
    file.write(json.dumps({"quantizer": vars(options)}) + "\n")
if not pathlib.Path(options.opts[options.opts.index("exclude_act_func_dir") + 1]).is_dir():
    raise FileNotFoundError("exclude_operator")
if (root / "quantized.onnx").exists():
    shutil.copy(root / "quantized.onnx", options.output_model_path)
