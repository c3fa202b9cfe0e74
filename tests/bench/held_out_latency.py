#!/usr/bin/env python3
"""Predicted latency beside the published one on RZ/V2H, for networks that the model was not fitted to, as torchvision exports them.

Usage: held_out_latency.py <adze> [NETWORK...]

Needs Debian's python3-torch and python3-torchvision. Weights are random: they do not matter for the time. The published times
(whole milliseconds; renesas-rz/rzv_drp-ai_tvm, docs/model_list, DRP-AI TVM v2.4) are those of torchvision's models, of timm's regnets and
resnext101, and of the vision transformers. Takes some five minutes.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import torch
import torchvision

PUBLISHED_MS = {
    "resnet18": 3, "resnet34": 4, "mobilenet_v2": 1, "squeezenet1_1": 2, "densenet121": 27, "densenet161": 58, "googlenet": 15,
    "mnasnet0_5": 2, "resnext101_32x8d": 921, "regnet_x_400mf": 75, "regnet_y_400mf": 66, "regnet_y_800mf": 108,
    "deeplabv3_resnet50": 27, "deeplabv3_resnet101": 32, "fcn_resnet101": 29, "vit_b_16": 484, "swin_t": 1114, "swin_s": 1478,
}
SIZE = 224


class FirstOutput(torch.nn.Module):
    """Of networks that return a dictionary."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        result = self.network(image)
        return result["out"] if isinstance(result, dict) else result


def network(name):
    if hasattr(torchvision.models.segmentation, name):
        return getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None)
    # The published GoogLeNet has pretrained weights, and with them a transformed input.
    more = {"init_weights": False, "aux_logits": False, "transform_input": True} if name == "googlenet" else {}
    return getattr(torchvision.models, name)(weights=None, **more)


adze, names = sys.argv[1], sys.argv[2:] or PUBLISHED_MS
warnings.filterwarnings("ignore")
print("| network | published ms | predicted ms | error | nodes on the CPU |\n|---|---:|---:|---:|---:|")
with tempfile.TemporaryDirectory() as folder:
    for name in names:
        file = pathlib.Path(folder, f"{name}.onnx")
        torch.onnx.export(FirstOutput(network(name)).eval(), torch.zeros(1, 3, SIZE, SIZE), str(file), opset_version=13)
        done = subprocess.run([adze, "-q", "--json", "estimate", str(file)], check=True, capture_output=True, text=True)
        answer, published = json.loads(done.stdout), PUBLISHED_MS[name]
        on_cpu = sum(layer["unit"] == "cpu" for layer in answer["layers"])
        print(f"| {name} | {published} | {answer['latency_ms']:.1f} | {answer['latency_ms'] / published - 1:+.0%} | {on_cpu} |", flush=True)
