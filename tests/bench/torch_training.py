"""A plain training loop of PyTorch on an ONNX model of the fixtures: the peer of adze.quantize.qat's speed.

The model is read by torch_quantization.load(): the same weights, batch norm folded, as the host does
before it trains. Adam, cross entropy, float32, channels-last, images in random order.
"""
import time

import numpy as np
import torch

import torch_quantization
from quantization_quality import images_of, read_idx


def training_set(count):
    """The first images of the training set, preprocessed, and their labels."""
    (_,), raw = read_idx("train-labels-idx1-ubyte.gz")
    labels = np.frombuffer(raw, np.uint8, -1, 8)[:count].astype(np.int64)
    images = images_of("train-images-idx3-ubyte.gz")[:count].astype(np.float32)
    return torch.from_numpy(((images / 255 - 0.2860) / 0.3530)[:, None]), torch.from_numpy(labels)


def seconds_of_epoch(path, count, batch, threads, clock=time.monotonic):
    """Of one epoch over `count` images, loading aside."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    images, labels = training_set(count)
    images = images.contiguous(memory_format=torch.channels_last)
    network = torch_quantization.load(path).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-5)
    loss_of = torch.nn.CrossEntropyLoss()
    begin = clock()
    for chosen in torch.randperm(count).split(batch):
        if len(chosen) < batch:
            continue  # as ours leaves out the last batch when it is not full
        optimizer.zero_grad()
        loss = loss_of(network(images[chosen]), labels[chosen])
        loss.backward()
        optimizer.step()
        loss.item()  # a loop that reports its progress waits for it
    return clock() - begin
