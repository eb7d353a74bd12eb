#!/usr/bin/env python3
"""Numbers of tests/test_optimizer.c: five steps of torch.optim in double precision.

Parameters and gradients are formulas with exact values in float, so both sides start from the same
bits. Weights decay, biases do not. The network is "(2)3c-2p-2fc" on 1 x 2 x 2 images.
"""
import torch

VIEWS = [(18, 1), (2, 0), (4, 1), (2, 0), (18, 1), (1, 0)]  # size, decays
PICKED = [0, 7, 17, 18, 19, 20, 23, 24, 25, 26, 40, 43, 44]


def parameter(i):
    return (i * 37 % 101 - 50) / 64


def gradient(i, t):
    return (i * 53 + t * 29) % 97 / 32 - 1.5


def run(make, decay, dtype):
    tensors, at = [], 0
    for size, _ in VIEWS:
        tensors.append(torch.tensor([parameter(at + k) for k in range(size)], dtype=dtype))
        at += size
    groups = [{"params": [x], "weight_decay": decay * decays} for x, (_, decays) in zip(tensors, VIEWS)]
    optimizer = make(groups)
    for t in range(5):
        at = 0
        for x, (size, _) in zip(tensors, VIEWS):
            x.grad = torch.tensor([gradient(at + k, t) for k in range(size)], dtype=dtype)
            at += size
        optimizer.step()
    flat = torch.cat(tensors)
    return [flat[i].item() for i in PICKED]


CASES = [
    ("adam", lambda g: torch.optim.Adam(g, lr=0.01), 0.0),
    ("adamw", lambda g: torch.optim.AdamW(g, lr=0.01), 0.1),
    ("sgd", lambda g: torch.optim.SGD(g, lr=0.01, momentum=0.9), 0.05),
    ("plain_sgd", lambda g: torch.optim.SGD(g, lr=0.01), 0.0),
]
for name, make, decay in CASES:
    for kind, dtype in (("", torch.float64), ("_float", torch.float32)):
        values = ", ".join(f"{v:.17g}" for v in run(make, decay, dtype))
        print(f"static const double {name}{kind}[PICKED] = {{{values}}};")
