#!/usr/bin/env python3
"""Makes the corpus of fuzz_execute: one model for each operator, and a few small networks.

Usage: execute_seeds.py <folder>

The operators' models are those of the ONNX project (Debian's libonnx-testdata), the smallest one of
each. What exported models carry as constants (weights, shapes, axes) is an input there, and becomes
an initializer. The networks make the executor fuse, quantize and change layouts.
"""
import pathlib
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

TESTS = pathlib.Path("/usr/share/libonnx-testdata/data/node")
PARAMETERS = {
    "BatchNormalization": (1, 2, 3, 4), "Clip": (1, 2), "Conv": (1, 2), "ConvTranspose": (1, 2),
    "CumSum": (1,), "Dropout": (1, 2), "Expand": (1,), "Gemm": (1, 2), "OneHot": (1,),
    "Pad": (1, 2, 3), "Range": (0, 1, 2), "Resize": (1, 2, 3), "Slice": (1, 2, 3, 4), "Split": (1,),
    "Tile": (1,), "TopK": (1,), "Trilu": (1,), "Reshape": (1,), "Squeeze": (1,), "Unsqueeze": (1,),
    "QLinearConv": (1, 2, 3, 4, 5, 6, 7), "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "ConstantOfShape": (0,), "Compress": (1,),
}
LARGEST = 1500  # bytes of a seed


def with_constants(folder):
    """The folder's model, parameters made initializers; None when it is no plain operator test."""
    model = onnx.load(folder / "model.onnx")
    if len(model.graph.node) != 1 or model.graph.node[0].domain:
        return None
    node = model.graph.node[0]
    inputs = [each.name for each in model.graph.input]
    for place in PARAMETERS.get(node.op_type, (1,) if node.op_type.startswith("Reduce") else ()):
        if place >= len(node.input) or node.input[place] not in inputs:
            continue
        index = inputs.index(node.input[place])
        data = folder / "test_data_set_0" / f"input_{inputs.index(node.input[place])}.pb"
        if not data.exists():
            return None
        tensor = onnx.load_tensor(str(data))
        tensor.name = node.input[place]
        model.graph.initializer.append(tensor)
        del model.graph.input[[each.name for each in model.graph.input].index(tensor.name)]
    return model


def operators():
    smallest = {}
    for folder in sorted(TESTS.iterdir()):
        try:
            model = with_constants(folder)
        except Exception:  # test data of types that this version of onnx does not read
            continue
        if model is None:
            continue
        bytes_ = model.SerializeToString()
        op = model.graph.node[0].op_type
        if len(bytes_) <= LARGEST and len(bytes_) < len(smallest.get(op, bytes(LARGEST + 1))):
            smallest[op] = bytes_
    return smallest


class Network:
    def __init__(self, opset=13):
        self.random = numpy.random.default_rng(1)
        self.nodes, self.constants, self.opset = [], [], opset
        self.inputs = []

    def input(self, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(f"x{len(self.inputs)}", kind, shape))
        return self.inputs[-1].name

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(numpy.asarray(array), name))
        return name

    def weights(self, *shape):
        return self.constant(self.random.normal(0, 0.5, shape).astype(numpy.float32))

    def node(self, op, *inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, f"n{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def quantized(self, value, signed=False):
        """Through QuantizeLinear and DequantizeLinear."""
        kind = numpy.int8 if signed else numpy.uint8
        scale, zero = self.constant(numpy.float32(0.05)), self.constant(kind(0 if signed else 128))
        return self.node("DequantizeLinear", self.node("QuantizeLinear", value, scale, zero), scale, zero)

    def quantized_weights(self, *shape):
        integers = self.constant(self.random.integers(-127, 128, shape).astype(numpy.int8))
        scale = self.constant(self.random.uniform(0.01, 0.1, shape[0]).astype(numpy.float32))
        zero = self.constant(numpy.zeros(shape[0], numpy.int8))
        return self.node("DequantizeLinear", integers, scale, zero, axis=0)

    def model(self, *results):
        outputs = [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in results]
        graph = helper.make_graph(self.nodes, "g", self.inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.producer_name = ""
        return model.SerializeToString()


def fused_convolutions():
    net = Network()
    x = net.input([1, 3, 6, 6])
    first = net.node("Relu", net.node("Conv", x, net.weights(4, 3, 3, 3), pads=[1, 1, 1, 1]))
    deep = net.node("Conv", first, net.weights(4, 1, 3, 3), pads=[1, 1, 1, 1], group=4)
    last = net.node("Clip", net.node("Add", deep, first), net.constant(numpy.float32(0)),
                    net.constant(numpy.float32(6)))
    pooled = net.node("MaxPool", last, kernel_shape=[2, 2], strides=[2, 2])
    flat = net.node("Flatten", net.node("GlobalAveragePool", pooled))
    return net.model(net.node("Gemm", flat, net.weights(4, 5), net.weights(5)))


def quantized_network():
    net = Network()
    x = net.quantized(net.input([1, 4, 5, 5]))
    left = net.quantized(net.node("Relu", net.node(
        "Conv", x, net.quantized_weights(4, 4, 3, 3), net.weights(4), pads=[1, 1, 1, 1])))
    right = net.quantized(net.node("Conv", x, net.quantized_weights(4, 1, 1, 1), group=4), True)
    both = net.quantized(net.node("Add", left, right))
    joined = net.quantized(net.node("Concat", both, left, axis=1))
    pooled = net.quantized(net.node("AveragePool", joined, kernel_shape=[5, 5]))
    flat = net.node("Flatten", pooled)
    weights = net.quantized_weights(3, 8)
    return net.model(net.quantized(net.node("Gemm", flat, weights, transB=1)))


def attention():
    net = Network(17)
    x = net.input([1, 4, 6])
    x = net.node("LayerNormalization", x, net.weights(6), net.weights(6), axis=-1)
    heads = []
    for _ in range(3):
        y = net.node("Add", net.node("MatMul", x, net.weights(6, 6)), net.weights(6))
        shaped = net.node("Reshape", y, net.constant(numpy.array([0, 4, 2, 3], numpy.int64)))
        heads.append(net.node("Transpose", shaped, perm=[0, 2, 1, 3]))
    scores = net.node("MatMul", heads[0], net.node("Transpose", heads[1], perm=[0, 1, 3, 2]))
    scores = net.node("Softmax", net.node("Div", scores, net.constant(numpy.float32(2))), axis=-1)
    mixed = net.node("Transpose", net.node("MatMul", scores, heads[2]), perm=[0, 2, 1, 3])
    flat = net.node("Reshape", mixed, net.constant(numpy.array([0, 4, 6], numpy.int64)))
    gelu = net.node("Mul", flat, net.node("Erf", flat))
    return net.model(net.node("ReduceMean", gelu, axes=[1]))


def detector():
    net = Network(15)
    x = net.input([1, 4, 4, 4])
    half = net.node("Split", x, net.constant(numpy.array([2, 2], numpy.int64)), outputs=2, axis=1)
    big = net.node("Resize", half[0], "", net.constant(numpy.array([1, 1, 2, 2], numpy.float32)),
                   mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    small = net.node("ConvTranspose", half[1], net.weights(2, 2, 2, 2), strides=[2, 2])
    joined = net.node("Concat", big, small, axis=1)
    padded = net.node("Pad", joined, net.constant(numpy.array([0, 0, 1, 1, 0, 0, 1, 1], numpy.int64)),
                      mode="reflect")
    cut = net.node("Slice", padded, net.constant(numpy.array([1, 1], numpy.int64)),
                   net.constant(numpy.array([-1, 2**62], numpy.int64)),
                   net.constant(numpy.array([2, 3], numpy.int64)),
                   net.constant(numpy.array([1, 2], numpy.int64)))
    sigmoid = net.node("Sigmoid", cut)
    flat = net.node("Reshape", sigmoid, net.constant(numpy.array([0, -1], numpy.int64)))
    best = net.node("TopK", flat, net.constant(numpy.array([3], numpy.int64)), outputs=2)
    return net.model(net.node("GatherElements", flat, best[1], axis=1), best[0])


def volumes():
    net = Network()
    x = net.input([1, 2, 3, 4, 4])
    y = net.node("Conv", x, net.weights(2, 2, 2, 3, 3), pads=[0, 1, 1, 1, 1, 1], dilations=[1, 1, 1])
    line = net.input([1, 2, 7])
    z = net.node("Conv", line, net.weights(4, 1, 3), group=2, strides=[2], auto_pad="SAME_UPPER")
    return net.model(net.node("MaxPool", y, kernel_shape=[2, 2, 2]), net.node("PRelu", z, net.weights(4, 1)))


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for op, bytes_ in sorted(operators().items()):
        (folder / f"{op.lower()}.onnx").write_bytes(bytes_)
    for make in (fused_convolutions, quantized_network, attention, detector, volumes):
        (folder / f"{make.__name__}.onnx").write_bytes(make())


if __name__ == "__main__":
    main()
