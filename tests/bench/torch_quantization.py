"""Quantization after training by PyTorch (torch.ao.quantization, FX graph mode): the peer.

`quantize(path, images)` reads an ONNX model of the operators below into a PyTorch graph with the
same weights, batch norm folded as PyTorch's own workflow does, calibrates it on `images` with the
default settings for x86 ("fbgemm": histogram observers that minimize the squared error, scales for
each output channel, 7-bit activations as its kernels need without VNNI) and converts it.
"""
import copy

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx


def attributes_of(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def convolution(node, weights):
    settings = attributes_of(node)
    weight = weights[node.input[1]]
    pads = settings.get("pads", [0, 0, 0, 0])
    assert pads[:2] == pads[2:], node.name
    groups = settings.get("group", 1)
    layer = torch.nn.Conv2d(weight.shape[1] * groups, weight.shape[0], weight.shape[2:],
                            settings.get("strides", [1, 1]), pads[:2], groups=groups)
    layer.weight.data = torch.tensor(weight)
    layer.bias.data = (torch.tensor(weights[node.input[2]]) if len(node.input) > 2
                       else torch.zeros(weight.shape[0]))
    return layer


def fold(layer, node, weights):
    scale, shift, mean, variance = (torch.tensor(weights[name]) for name in node.input[1:5])
    factor = scale / torch.sqrt(variance + attributes_of(node).get("epsilon", 1e-5))
    layer.weight.data *= factor.reshape(-1, 1, 1, 1)
    layer.bias.data = (layer.bias.data - mean) * factor + shift


def linear(node, weights):
    settings = attributes_of(node)
    weight = weights[node.input[1]]
    weight = weight if settings.get("transB", 0) else weight.T
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data = torch.tensor(np.ascontiguousarray(weight))
    layer.bias.data = torch.tensor(weights[node.input[2]])
    return layer


SIMPLE = {"Relu": torch.nn.ReLU, "Sigmoid": torch.nn.Sigmoid, "HardSigmoid": torch.nn.Hardsigmoid,
          "HardSwish": torch.nn.Hardswish, "Flatten": torch.nn.Flatten,
          "GlobalAveragePool": lambda: torch.nn.AdaptiveAvgPool2d(1)}


def load(path):
    model = onnx.load(path).graph
    weights = {tensor.name: numpy_helper.to_array(tensor).copy() for tensor in model.initializer}
    inputs = [value.name for value in model.input if value.name not in weights]
    graph, modules = torch.fx.Graph(), {}
    made = {inputs[0]: graph.placeholder("x")}
    layers = {}
    for number, node in enumerate(model.node):
        result = node.output[0]
        if node.op_type == "BatchNormalization":
            fold(layers[node.input[0]], node, weights)
            made[result] = made[node.input[0]]
            continue
        if node.op_type in ("Add", "Mul"):
            function = torch.add if node.op_type == "Add" else torch.mul
            made[result] = graph.call_function(function, tuple(made[name] for name in node.input))
            continue
        if node.op_type == "Conv":
            layers[result] = module = convolution(node, weights)
        elif node.op_type == "Gemm":
            module = linear(node, weights)
        else:
            module = SIMPLE[node.op_type]()
        name = f"node{number}"
        modules[name] = module
        made[result] = graph.call_module(name, (made[node.input[0]],))
    graph.output(made[model.output[0].name])
    return torch.fx.GraphModule(modules, graph).eval()


def quantize(path, images):
    """Return the float and the quantized module. `images`: float tensor [N, C, H, W]."""
    dense = load(path)
    prepared = prepare_fx(copy.deepcopy(dense), get_default_qconfig_mapping("fbgemm"),
                          (images[:1],))
    with torch.no_grad():
        for batch in images.split(64):
            prepared(batch)
    return dense, convert_fx(prepared)


def top1(module, images, labels):
    with torch.no_grad():
        correct = sum((module(batch).argmax(1) == expected).sum().item()
                      for batch, expected in zip(images.split(250), labels.split(250)))
    return correct / len(labels)
