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
UNPOOLINGS = ("switches", "upsample", "fixed", "average")
NORM_EPSILON = 1e-5


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


# ---- pooling -------------------------------------------------------------------------------------


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


def windows(x, size, missing):
    """(N, C, rows, columns, cells of a window); cells beyond the edge are `missing`."""
    height, width = x.shape[2:]
    x = F.pad(x, (0, -width % size, 0, -height % size), value=missing)
    return x.unfold(2, size, size).unfold(3, size, size).flatten(4)


def soft_pool(x, size, beta):
    """With w = softmax(beta x) over the existing cells of a window: the sum of w x, and those of w
    times a cell's column and row, which run from -1 to 1 over a full window."""
    w = windows(beta * x, size, -np.inf).softmax(-1)
    coordinate = 2.0 * torch.arange(size, dtype=x.dtype) / (size - 1) - 1.0
    columns, rows = coordinate.repeat(size), coordinate.repeat_interleave(size)
    return (w * windows(x, size, 0.0)).sum(-1), (w * columns).sum(-1), (w * rows).sum(-1)


def shares(position, size):
    """How a value at a position in -1 .. 1 is spread over the cells of its window, along one
    direction: linearly over the two cells around it. (..., size)"""
    u = (position + 1.0) / 2.0 * (size - 1)
    before = u.detach().floor().clamp(0, size - 2)
    f = (u - before).unsqueeze(-1)
    cell = torch.arange(size, dtype=u.dtype)
    before = before.unsqueeze(-1)
    return (cell == before) * (1.0 - f) + (cell == before + 1) * f


def soft_unpool(what, x, y, size, shape):
    """what spread bilinearly over the four cells around (x, y); cells beyond the edge are cut."""
    cells = (what[..., None] * shares(y, size)).unsqueeze(-1) * shares(x, size).unsqueeze(-2)
    n, c, rows, columns = what.shape
    full = cells.permute(0, 1, 2, 4, 3, 5).reshape(n, c, rows * size, columns * size)
    return full[:, :, :shape[0], :shape[1]]


def upsample(what, size, shape):
    """what in every cell of its window."""
    full = what.repeat_interleave(size, 2).repeat_interleave(size, 3)
    return full[:, :, :shape[0], :shape[1]]


def unpool_fixed(what, size, shape):
    """what in the first cell of its window."""
    full = what.new_zeros(*what.shape[:2], *shape)
    full[:, :, ::size, ::size] = what
    return full


def unpool_average(what, size, shape):
    """what divided by the number of existing cells, in every cell of its window."""
    cells = windows(what.new_ones(1, 1, *shape), size, 0.0).sum(-1)
    return upsample(what / cells, size, shape)


# ---- layers --------------------------------------------------------------------------------------


def convolve(x, weight, bias):
    return F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)


def normalise(x, mean, variance, scale, bias):
    """Per channel."""
    factor = scale / (variance + NORM_EPSILON).sqrt()
    return (x - mean.view(-1, 1, 1)) * factor.view(-1, 1, 1) + bias.view(-1, 1, 1)


def linear(x, weight, bias):
    return F.linear(x, weight, bias)


class Convolution(nn.Module):
    """A "same" convolution. partner: the encoder's convolution whose weight this one shares, with
    channels swapped and taps mirrored. norm: batch normalisation follows, and the bias comes after
    it; `statistics` are then the batch's mean and unbiased variance of the last training step.
    pool_first: a pool comes between, and scales count by their absolute values."""

    def __init__(self, inputs, maps, kernel, norm=False, partner=None, pool_first=False):
        super().__init__()
        self.partner = (partner,)  # in a tuple, so that it is no part of this module
        if partner is None:
            self.weight = nn.Parameter(torch.zeros(maps, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(maps))
        self.norm, self.pool_first = norm, pool_first
        if norm:
            self.scale = nn.Parameter(torch.ones(maps))
            self.mean = nn.Parameter(torch.zeros(maps), requires_grad=False)
            self.variance = nn.Parameter(torch.ones(maps), requires_grad=False)

    def filtered(self, x):
        if self.partner[0] is None:
            weight = self.weight
        else:
            weight = self.partner[0].weight.transpose(0, 1).flip(2, 3)
        return convolve(x, weight, None if self.norm else self.bias)

    def normalised(self, z):
        if not self.norm:
            return z
        scale = self.scale.abs() if self.pool_first else self.scale
        if not self.training:
            return normalise(z, self.mean, self.variance, scale, self.bias)
        mean = z.mean((0, 2, 3))
        variance = (z - mean.view(-1, 1, 1)).square().mean((0, 2, 3))
        count = z.numel() // z.shape[1]
        self.statistics = mean.detach(), variance.detach() * (count / max(count - 1, 1))
        return normalise(z, mean, variance, scale, self.bias)

    def forward(self, x):
        return self.normalised(self.filtered(x))


class Linear(nn.Module):
    """partner: the layer whose weight this one shares, transposed."""

    def __init__(self, inputs, outputs, partner=None):
        super().__init__()
        self.partner = (partner,)
        if partner is None:
            self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.out_features = outputs

    def forward(self, x):
        partner = self.partner[0]
        return linear(x, self.weight if partner is None else partner.weight.t(), self.bias)


def relu(z, watch=None, pooled=None):
    """In place, which is faster, after z is shown to whoever watches."""
    if watch:
        watch(z.detach().clone(), pooled)
    return F.relu(z, inplace=True)


def distance(a, b, reduction):
    """Mean over the images of a reduction of d = a - b (docs/math.md)."""
    squared = (a - b).square()
    if reduction == "mean":
        return squared.mean()
    if reduction == "sum":
        return squared.sum() / len(a)
    return squared.flatten(1).sum(1).sqrt().mean()


# ---- the network ---------------------------------------------------------------------------------


class Swwae(nn.Module):
    """beta: the sharpness of each stage's soft pooling, 0 for max pooling; () for max pooling
    throughout. top: where the decoder starts, "features" or "classes". tied, norm: of the whole
    network; norm: "none", "batch" or "pooled". named_parameters() are the library's views, in its
    order."""

    def __init__(self, arch, channels, height, width, output="linear", *, unpool="switches",
                 beta=(), top="features", tied=False, norm="none"):
        super().__init__()
        assert output in OUTPUTS and unpool in UNPOOLINGS and top in ("features", "classes")
        self.stages, units = parse(arch)
        self.beta = tuple(beta) or (0.0,) * len(self.stages)
        self.sigmoid, self.unpool, self.classes_top = output == "sigmoid", unpool, top == "classes"
        self.encoder, self.classifier = nn.ModuleList(), nn.ModuleList()
        normed = norm != "none"
        self.decoder = nn.ModuleDict()  # "0", "1", ...: stages; "fc": the mirrored fc layers
        for s, (convs, size) in enumerate(self.stages):
            up, down = nn.ModuleList(), nn.ModuleList()
            for c, (maps, kernel) in enumerate(convs):
                up.append(Convolution(channels, maps, kernel, normed,
                                      pool_first=norm == "pooled" and c + 1 == len(convs)))
                image = s == 0 and c == 0
                down.append(Convolution(maps, channels, kernel, norm == "batch" if image else normed,
                                        up[-1] if tied else None))
                channels = maps
            self.encoder.append(up)
            self.decoder[str(s)] = down
            height, width = -(-height // size), -(-width // size)
        self.top_shape = channels, height, width
        inputs = channels * height * width
        if self.classes_top:
            self.decoder["fc"] = nn.ModuleList()
        for outputs in units:
            layer = Linear(inputs, outputs)
            self.classifier.append(layer)
            if self.classes_top:
                self.decoder["fc"].append(Linear(outputs, inputs, layer if tied else None))
            inputs = outputs

    def generate_parameters(self):
        """With u = hashed(i) for value i of the flat array, worked out in double and rounded to
        float32: r (2 u - 1) with r = sqrt(6 / fan_in) for a weight and 0.1 sqrt(6 / fan_in), of the
        last weight before it, for a bias; fan_in = inputs of one output of the layer. 1 + 0.2
        (2 u - 1) for a scale; running means are 0 and variances 1."""
        at = 0
        for name, parameter in self.named_parameters():
            kind = name.rsplit(".", 1)[1]
            u = 2.0 * hashed(parameter.numel(), at) - 1.0
            if kind == "weight":
                bound = np.sqrt(6.0 / (parameter.numel() // len(parameter)))
            values = {"weight": bound * u, "bias": 0.1 * bound * u, "scale": 1.0 + 0.2 * u,
                      "mean": 0.0 * u, "variance": 1.0 + 0.0 * u}[kind]
            assign(parameter, values)
            at += parameter.numel()

    def generate_statistics(self):
        """Running statistics for a forward pass: with the same u, means 0.1 (2 u - 1) and
        variances 0.5 + u."""
        at = 0
        for name, parameter in self.named_parameters():
            u = hashed(parameter.numel(), at)
            if name.endswith("mean"):
                assign(parameter, 0.1 * (2.0 * u - 1.0))
            if name.endswith("variance"):
                assign(parameter, 0.5 + u)
            at += parameter.numel()

    def encode(self, x, watch=None):
        """The what of every stage, and what unpools it: (where, unpooled shape), with flat indices
        as where or, of soft pooling, columns and rows. watch, if given, is called with every
        pre-activation and the (size, beta, whether ReLU comes between) of the pool right after it
        (None: no pool)."""
        whats, wheres = [], []
        for convs, (_, size), beta in zip(self.encoder, self.stages, self.beta):
            for conv in convs[:-1]:
                x = relu(conv(x), watch)
            last = convs[-1]
            shape = x.shape[2:]
            if last.pool_first:
                z = last.filtered(x)
                if watch:
                    watch(z.detach().clone(), (size, beta, False))
                z, where = pool(z, size)
                x = relu(last.normalised(z), watch)
            else:
                x = relu(last(x), watch, (size, beta, True))
                if beta:
                    x, *where = soft_pool(x, size, beta)
                else:
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

    def mirror(self, logits, labels=None, watch=None):
        """The top pooled map from the classes: from its label for an image that has one (labels:
        -1 for none), from what the classifier says for the others."""
        x = logits.softmax(1)
        if labels is not None:
            known = F.one_hot(labels.clamp(min=0), x.shape[1]).to(x.dtype)
            x = torch.where((labels >= 0).unsqueeze(1), known, x)
        for layer in reversed(self.decoder["fc"]):
            x = relu(layer(x), watch)
        return x.view(-1, *self.top_shape)

    def unpool_stage(self, s, what, where, shape):
        size = self.stages[s][1]
        if self.unpool == "upsample":
            return upsample(what, size, shape)
        if self.unpool == "fixed":
            return unpool_fixed(what, size, shape)
        if self.unpool == "average":
            return unpool_average(what, size, shape)
        return soft_unpool(what, *where, size, shape) if self.beta[s] else \
            unpool(what, where, size, shape)

    def decode_stage(self, s, what, wheres, watch=None):
        x = self.unpool_stage(s, what, *wheres[s])
        convs = self.decoder[str(s)]
        for c in reversed(range(len(convs))):
            x = convs[c](x)
            if s > 0 or c > 0:
                x = relu(x, watch)
        return torch.sigmoid(x) if s == 0 and self.sigmoid else x

    def decode(self, top, wheres, bottom=0, watch=None):
        """The output of every decoder stage from the top down to `bottom`: {stage: map}."""
        outputs, x = {}, top
        for s in reversed(range(bottom, len(self.stages))):
            x = outputs[s] = self.decode_stage(s, x, wheres, watch)
        return outputs

    def forward(self, x, watch=None):
        """Logits (None without fc layers) and the reconstruction."""
        whats, wheres = self.encode(x, watch)
        logits = self.classify(whats[-1], watch) if len(self.classifier) else None
        top = self.mirror(logits, None, watch) if self.classes_top else whats[-1]
        return logits, self.decode(top, wheres, 0, watch)[0]


def assign(parameter, values):
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(values.astype(np.float32)).view_as(parameter))


class Objective:
    """Weights as in src/model/objective.h: m[s] compares the encoder's pooled map of stage s with
    the decoder's map about to be unpooled there, s = 0 .. stages - 2, and stages - 1 where the
    decoder starts from the classes. layers "layerwise": every stage of the decoder is fed the
    encoder's what."""

    def __init__(self, nll=0.0, rec=0.0, m=(), reduction="mean", layers="all", l1=0.0):
        assert reduction in REDUCTIONS and layers in ("all", "layerwise")
        self.nll, self.rec, self.m, self.reduction = nll, rec, tuple(m), reduction
        self.layers, self.l1 = layers, l1

    def bottom(self, model):
        """The lowest decoder stage a term needs; the number of stages: none."""
        if self.rec:
            return 0
        return min((s + 1 for s, weight in enumerate(self.m) if weight), default=len(model.stages))

    def decode(self, model, top, whats, wheres, watch):
        if self.layers == "all":
            return model.decode(top, wheres, self.bottom(model), watch)
        needed = [self.rec, *self.m, *[0.0] * len(whats)][:len(whats)]
        return {s: model.decode_stage(s, whats[s], wheres, watch)
                for s in reversed(range(len(whats))) if needed[s]}

    def __call__(self, model, x, labels=None, watch=None):
        """The weighted total and the raw terms {"nll", "rec", "m0", ..., "l1"} that are on. labels:
        int64, -1 for none; the mean of the nll is over the labelled images only."""
        terms, total = {}, 0.0
        whats, wheres = model.encode(x, watch)
        stages, top, logits = len(whats), whats[-1], None
        mirrored = model.classes_top and (
            len(self.m) == stages and self.m[-1]
            or self.layers == "all" and self.bottom(model) < stages)
        if self.nll or mirrored:
            logits = model.classify(whats[-1], watch)
        if self.nll:
            terms["nll"] = F.cross_entropy(logits, labels, ignore_index=-1)
            total = total + self.nll * terms["nll"]
        if mirrored:
            top = model.mirror(logits, labels, watch)
        outputs = self.decode(model, top, whats, wheres, watch)
        if mirrored:
            outputs[stages] = top
        if self.rec:
            terms["rec"] = distance(outputs[0], x, self.reduction)
            total = total + self.rec * terms["rec"]
        for s, weight in enumerate(self.m):
            if weight:
                terms[f"m{s}"] = distance(outputs[s + 1], whats[s], self.reduction)
                total = total + weight * terms[f"m{s}"]
        if self.l1:
            terms["l1"] = sum(what.abs().mean() if self.reduction == "mean" else
                              what.abs().sum() / len(x) for what in whats)
            total = total + self.l1 * terms["l1"]
        return total, terms
