"""The stacked what-where auto-encoder in plain PyTorch: the reference of the golden numbers
(make_golden.py) and the peer of the benches (bench/peer_torch.py).

Written from the paper (Zhao, Mathieu, Goroshin, LeCun, arXiv 1506.02351) and docs/math.md, with
nothing taken from the C sources but the order and the names of the parameters
(src/model/network.h).
"""

import re

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

REDUCTIONS = ("mean", "sum", "norm")
OUTPUTS = ("linear", "sigmoid")


def hashed(count, offset=0):
    """u[i] in [0, 1), i = 0 .. count - 1: a multiplicative hash of i + offset with the constants
    and the avalanche of xxHash32, all arithmetic modulo 2^32:

        h = (i + offset) * 2654435761
        h = (h ^ (h >> 15)) * 2246822519
        h = (h ^ (h >> 13)) * 3266489917
        u = (h ^ (h >> 16)) / 2^32

    The same in tests/test_golden.c and bench/bench_steps.c. Without the avalanche neighbouring
    filters would be near copies: 576 * 2654435761 / 2^32 is a whole number less 0.013."""
    h = (np.arange(count, dtype=np.uint64) + np.uint64(offset)).astype(np.uint32)
    h = h * np.uint32(2654435761)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(2246822519)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(3266489917)
    return (h ^ (h >> np.uint32(16))).astype(np.float64) / 2.0**32


def generated_images(batch, channels, height, width, offset):
    """float32: value i of the flat array is hashed(i + offset), rounded once."""
    u = hashed(batch * channels * height * width, offset)
    return torch.from_numpy(u.astype(np.float32)).view(batch, channels, height, width)


def parse(arch):
    """"(16)5c-2p-10fc" -> ([([(maps, kernel), ...], pool), ...], [units, ...])."""
    stages, convs, units = [], [], []
    for token in arch.replace(" ", "").split("-"):
        if match := re.fullmatch(r"\((\d+)\)(\d+)c", token):
            convs.append((int(match[1]), int(match[2])))
        elif match := re.fullmatch(r"(\d+)p", token):
            stages.append((convs, int(match[1])))
            convs = []
        elif match := re.fullmatch(r"(\d+)fc", token):
            units.append(int(match[1]))
        else:
            raise ValueError(f"{token!r} in {arch!r}: expected (maps)kernelc, sizep or unitsfc")
    if convs or not stages:
        raise ValueError(f"{arch!r}: expected every stage to end in a pool")
    return stages, units


def pool(x, size):
    """Maxima and flat indices; windows at the right and bottom edge may be partial. The first
    maximum wins, so the window of zeros has its first cell's index."""
    return F.max_pool2d(x, size, ceil_mode=True, return_indices=True)


def unpool(what, where, size, shape):
    """what at where, zeros elsewhere; shape (height, width) is restored exactly."""
    if shape[0] % size == 0 and shape[1] % size == 0:
        return F.max_unpool2d(what, where, size)
    n, c = what.shape[:2]
    flat = what.new_zeros(n, c, shape[0] * shape[1])
    flat = flat.scatter(2, where.reshape(n, c, -1), what.reshape(n, c, -1))
    return flat.view(n, c, *shape)


def relu(z, watch=None, size=None):
    """In place, which is faster, after z is shown to whoever watches."""
    if watch:
        watch(z.detach().clone(), size)
    return F.relu(z, inplace=True)


def distance(a, b, reduction):
    """Mean over the images of a reduction of d = a - b (docs/math.md)."""
    squared = (a - b).square()
    if reduction == "mean":
        return squared.mean()
    if reduction == "sum":
        return squared.sum() / len(a)
    return squared.flatten(1).sum(1).sqrt().mean()


class Swwae(nn.Module):
    def __init__(self, arch, channels, height, width, output="linear"):
        super().__init__()
        self.stages, units = parse(arch)
        self.sigmoid = output == "sigmoid"
        self.encoder, self.classifier, self.decoder = (nn.ModuleList() for _ in range(3))
        for convs, size in self.stages:
            up, down = nn.ModuleList(), nn.ModuleList()
            for maps, kernel in convs:
                up.append(nn.Conv2d(channels, maps, kernel, padding=kernel // 2))
                down.append(nn.Conv2d(maps, channels, kernel, padding=kernel // 2))
                channels = maps
            self.encoder.append(up)
            self.decoder.append(down)
            height, width = -(-height // size), -(-width // size)
        inputs = channels * height * width
        for outputs in units:
            self.classifier.append(nn.Linear(inputs, outputs))
            inputs = outputs

    def generate_parameters(self):
        """Value i of the flat array is (float32) scale * (2 hashed(i) - 1), worked out in double,
        with scale = sqrt(6 / fan_in) for a weight and 0.1 sqrt(6 / fan_in) for the bias beside it;
        fan_in = inputs of one output of the layer."""
        at = 0
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                scale = np.sqrt(6.0 / (parameter.numel() // len(parameter)))
            else:
                scale = 0.1 * scale
            u = hashed(parameter.numel(), at)
            values = (scale * (2.0 * u - 1.0)).astype(np.float32)
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(values).view_as(parameter))
            at += parameter.numel()

    def encode(self, x, watch=None):
        """The what of every stage and their switches (flat index, unpooled shape). watch, if
        given, is called with every pre-activation and the size of the pool right after it
        (None: no pool)."""
        whats, wheres = [], []
        for convs, (_, size) in zip(self.encoder, self.stages):
            for c, conv in enumerate(convs):
                x = relu(conv(x), watch, size if c + 1 == len(convs) else None)
            shape = x.shape[2:]
            x, where = pool(x, size)
            whats.append(x)
            wheres.append((where, shape))
        return whats, wheres

    def classify(self, top, watch=None):
        x = top.flatten(1)  # (channel, row, column)
        for j, layer in enumerate(self.classifier):
            x = layer(x)
            if j + 1 < len(self.classifier):
                x = relu(x, watch)
        return x

    def decode(self, top, wheres, bottom=0, watch=None):
        """The output of every decoder stage from the top down to `bottom`: {stage: map}."""
        outputs, x = {}, top
        for s in reversed(range(bottom, len(self.stages))):
            where, shape = wheres[s]
            x = unpool(x, where, self.stages[s][1], shape)
            for c in reversed(range(len(self.decoder[s]))):
                x = self.decoder[s][c](x)
                if s > 0 or c > 0:
                    x = relu(x, watch)
            outputs[s] = x
        if 0 in outputs and self.sigmoid:
            outputs[0] = torch.sigmoid(outputs[0])
        return outputs

    def forward(self, x):
        """Logits (None without fc layers) and the reconstruction."""
        whats, wheres = self.encode(x)
        logits = self.classify(whats[-1]) if len(self.classifier) else None
        return logits, self.decode(whats[-1], wheres)[0]


class Objective:
    """Weights as in src/model/objective.h: m[s] compares the encoder's pooled map of stage s with
    the decoder's map about to be unpooled there, s = 0 .. stages - 2."""

    def __init__(self, nll=0.0, rec=0.0, m=(), reduction="mean"):
        assert reduction in REDUCTIONS
        self.nll, self.rec, self.m, self.reduction = nll, rec, tuple(m), reduction

    def bottom(self, model):
        """The lowest decoder stage a term needs; the number of stages: none."""
        if self.rec:
            return 0
        return min((s + 1 for s, weight in enumerate(self.m) if weight), default=len(model.stages))

    def __call__(self, model, x, labels=None, watch=None):
        """The weighted total and the raw terms {"nll", "rec", "m0", ...} that are on. labels:
        int64, -1 for none; the mean of the nll is over the labelled images only."""
        terms, total = {}, 0.0
        whats, wheres = model.encode(x, watch)
        if self.nll:
            logits = model.classify(whats[-1], watch)
            terms["nll"] = F.cross_entropy(logits, labels, ignore_index=-1)
            total = total + self.nll * terms["nll"]
        outputs = model.decode(whats[-1], wheres, self.bottom(model), watch)
        if self.rec:
            terms["rec"] = distance(outputs[0], x, self.reduction)
            total = total + self.rec * terms["rec"]
        for s, weight in enumerate(self.m):
            if weight:
                terms[f"m{s}"] = distance(outputs[s + 1], whats[s], self.reduction)
                total = total + weight * terms[f"m{s}"]
        return total, terms
