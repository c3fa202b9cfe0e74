"""Runs an ONNX model in double precision with PyTorch, and writes a model that gives the results.

Such a model judges where two runners in single precision differ: who is nearer to what the model
says? It knows the operators of convolutional networks.
"""
import numpy
import onnx
import torch
import torch.nn.functional as functional
from onnx import TensorProto, helper, numpy_helper


def attributes_of(node):
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def whole(tensor):
    return [int(each) for each in tensor.flatten().tolist()]


def conv(attributes, x, weights, bias=None):
    pads = attributes.get("pads", [0] * 4)
    top, left, bottom, right = pads
    x = functional.pad(x, (left, right, top, bottom))
    return functional.conv2d(x, weights, bias, attributes.get("strides", 1), 0,
                             attributes.get("dilations", 1), attributes.get("group", 1))


def max_pool(attributes, x):
    top, left, bottom, right = attributes.get("pads", [0] * 4)
    x = functional.pad(x, (left, right, top, bottom), value=float("-inf"))
    return functional.max_pool2d(x, attributes["kernel_shape"], attributes.get("strides", 1))


def clip(attributes, x, low=None, high=None):
    low = attributes.get("min") if low is None else low.item()
    high = attributes.get("max") if high is None else high.item()
    return torch.clamp(x, low, high)


def cut(attributes, x, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else whole(axes)
    steps = [1] * len(starts) if steps is None else whole(steps)
    places = [slice(None)] * x.dim()
    for start, end, axis, step in zip(whole(starts), whole(ends), axes, steps):
        places[axis] = slice(start, end, step)
    return x[tuple(places)]


def pad(attributes, x, pads, value=None):
    pads, rank = whole(pads), x.dim()
    order = [pads[axis + side * rank] for axis in reversed(range(rank)) for side in (0, 1)]
    return functional.pad(x, order, value=0 if value is None else value.item())


def resize(attributes, x, region=None, scales=None, sizes=None):
    if attributes["mode"] != b"linear" or attributes["coordinate_transformation_mode"] != b"half_pixel":
        raise NotImplementedError("a Resize that is not linear by half pixels")
    size = whole(sizes)[2:] if sizes is not None else None
    return functional.interpolate(x, size, None if size else scales.tolist()[2:], "bilinear", False)


OPERATORS = {
    "Add": lambda _, a, b: a + b,
    "AveragePool": lambda at, x: functional.avg_pool2d(x, at["kernel_shape"], at.get("strides", 1)),
    "BatchNormalization": lambda at, x, scale, bias, mean, variance: functional.batch_norm(
        x, mean, variance, scale, bias, eps=at.get("epsilon", 1e-5)),
    "Cast": lambda at, x: x.double() if at["to"] == TensorProto.FLOAT else x.long(),
    "Clip": clip,
    "Concat": lambda at, *parts: torch.cat(parts, at["axis"]),
    "Conv": conv,
    "Equal": lambda _, a, b: a == b,
    "Flatten": lambda at, x: x.flatten(at.get("axis", 1)),
    "Gemm": lambda at, a, b, c=0: at.get("alpha", 1) * (a @ (b.T if at.get("transB") else b)) + c,
    "GlobalAveragePool": lambda _, x: x.mean((2, 3), keepdim=True),
    "Identity": lambda _, x: x,
    "MaxPool": max_pool,
    "Mul": lambda _, a, b: a * b,
    "Pad": pad,
    "Relu": lambda _, x: torch.relu(x),
    "Reshape": lambda _, x, shape: x.reshape([x.shape[i] if n == 0 else n
                                              for i, n in enumerate(whole(shape))]),
    "Resize": resize,
    "Shape": lambda _, x: torch.tensor(x.shape),
    "Sigmoid": lambda _, x: torch.sigmoid(x),
    "Slice": cut,
    "Softmax": lambda at, x: torch.softmax(x, at.get("axis", -1)),
    "Split": lambda at, x: x.split(at["split"], at.get("axis", 0)),
    "Sub": lambda _, a, b: a - b,
    "Transpose": lambda at, x: x.permute(at["perm"]),
}


def tensor_of(array):
    array = numpy.array(array)
    return torch.from_numpy(array.astype(numpy.float64) if array.dtype == numpy.float32 else array)


def run(model, inputs):
    """The outputs in double precision; `inputs`: name to array."""
    values = {each.name: tensor_of(numpy_helper.to_array(each)) for each in model.graph.initializer}
    values.update({name: tensor_of(array) for name, array in inputs.items()})
    values[""] = None
    for node in model.graph.node:
        if node.op_type == "Constant":
            values[node.output[0]] = tensor_of(numpy_helper.to_array(node.attribute[0].t))
            continue
        if node.op_type not in OPERATORS:
            raise NotImplementedError(f"{node.op_type} in double precision")
        results = OPERATORS[node.op_type](attributes_of(node), *(values[each] for each in node.input))
        results = results if isinstance(results, (tuple, list)) else [results]
        values.update(zip(node.output, results))
    return [values[each.name].numpy() for each in model.graph.output]


def constant_model(model, results):
    """A model with the inputs and outputs of `model` that gives `results`, whatever comes in."""
    inputs = [each for each in model.graph.input
              if each.name not in {known.name for known in model.graph.initializer}]
    nodes = [helper.make_node("ReduceMax", [inputs[0].name], ["largest"], keepdims=0)]
    nodes += [helper.make_node("Mul", ["largest", "zero"], ["nothing"])]
    constants = [numpy_helper.from_array(numpy.float32(0), "zero")]
    for i, (result, output) in enumerate(zip(results, model.graph.output)):
        constants.append(numpy_helper.from_array(result.astype(numpy.float32), f"result{i}"))
        nodes.append(helper.make_node("Add", [f"result{i}", "nothing"], [output.name]))
    graph = helper.make_graph(nodes, "reference", inputs, list(model.graph.output), constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    made.ir_version = 8
    return made
