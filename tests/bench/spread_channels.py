#!/usr/bin/env python3
"""Rescales inner channels of a model so that their ranges spread 1:1000, without changing what it computes.

Usage: spread_channels.py <model.onnx> <out.onnx> [--seed N]

Channel c between two convolutions (behind the first only a Relu, read by the second alone) is
multiplied by 10^u, u uniform in -1.5..1.5, in the first one's weights and bias (or batch norm), and
divided by it in the second one's. In floats that is the same function; one scale for all channels
of the value loses most of them.
"""
import argparse

import numpy as np
import onnx
from onnx import numpy_helper


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random = np.random.default_rng(arguments.seed)
    model = onnx.load(arguments.model)
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    producer = {name: node for node in graph.node for name in node.output}
    readers = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    outputs = {output.name for output in graph.output}

    def edit(name, change):
        values = change(numpy_helper.to_array(stored[name]).astype(np.float64))
        stored[name].CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))

    spread = 0
    for second in [node for node in graph.node if node.op_type == "Conv"]:
        relu = producer.get(second.input[0])
        if relu is None or relu.op_type != "Relu" or len(readers[relu.output[0]]) != 1:
            continue
        norm = producer.get(relu.input[0])
        first = producer.get(norm.input[0]) if norm and norm.op_type == "BatchNormalization" else norm
        if first is None or first.op_type != "Conv" or relu.output[0] in outputs:
            continue
        if len(readers[relu.input[0]]) != 1 or len(readers[first.output[0]]) != 1:
            continue
        channels = numpy_helper.to_array(stored[first.input[1]]).shape[0]
        factors = 10 ** random.uniform(-1.5, 1.5, channels)
        if norm is first:
            edit(first.input[1], lambda w: w * factors.reshape(-1, 1, 1, 1))
            edit(first.input[2], lambda b: b * factors)
        else:  # scale and shift come behind the normalization
            edit(norm.input[1], lambda scale: scale * factors)
            edit(norm.input[2], lambda shift: shift * factors)
        groups = next((a.i for a in second.attribute if a.name == "group"), 1)
        shape = (-1, 1, 1, 1) if groups == channels else (1, -1, 1, 1)
        edit(second.input[1], lambda w: w / factors.reshape(shape))
        spread += 1
    onnx.save(model, arguments.out)
    print(f"{arguments.out}: channels of {spread} values spread 1:1000")


if __name__ == "__main__":
    main()
