#!/usr/bin/env python3
"""Writes the large models that the benchmarks time: ResNet-50, ResNet-18, MobileNetV2.

Usage: export_models.py <folder>
Needs Debian's python3-torch and python3-torchvision. Weights are random from a fixed seed: speed
does not depend on them. Batch normalization gets the statistics of a random batch, so that values
keep their size through all layers, as in a trained model.
"""
import pathlib
import sys

import torch
import torchvision

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for name in ("resnet50", "resnet18", "mobilenet_v2"):
    torch.manual_seed(1)
    model = getattr(torchvision.models, name)()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the statistics of what it sees, not a mixture with the initial ones
    with torch.no_grad():
        model.train()(torch.randn(8, 3, 224, 224))
    torch.onnx.export(
        model.eval(), torch.randn(1, 3, 224, 224), folder / f"{name}.onnx", opset_version=13,
        input_names=["image"], output_names=["scores"],
        dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}})
    print(folder / f"{name}.onnx")
