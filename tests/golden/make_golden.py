#!/usr/bin/env python3
"""Writes tests/golden/*.safetensors: losses, gradients and ten Adam steps of PyTorch in float64,
which tests/test_golden.c compares the library with.

Run it anywhere with PyTorch and numpy (make_golden.py NAME...: only these); it prints, for each
case, how far the nearest ReLU and switch is from its tie, and the errors of PyTorch's own float32.
check_reference.py checks the definitions and gradients themselves.

A file holds F32 tensors only. A float64 value x is stored as two of them, NAME_hi = float32(x) and
NAME_lo = float32(x - NAME_hi): 48 bits and more. Parameters and images are not stored, they come
from formulas (generate_parameters and generated_images in reference_model.py). Tensors:

    labels                       (batch), -1: none
    terms_hi, _lo                (2 + stages): total, nll, rec, m[0], ..., m[stages - 2]; NaN: off.
                                 A variant: (4 + stages), with m[stages - 1] and l1
    wrong                        (1): labelled images classified wrongly; NaN without nll
    gradient.VIEW_hi, _lo        (size), or (count) where the view is sampled. A running statistic
                                 has the batch's there: its mean, its unbiased variance (biased of
                                 one value), and what it was where no term reaches it
    gradient.VIEW_index          (count): which entries; only where the view is sampled
    norm_hi, _lo                 (views): L2 norm of each view's whole gradient
    float32_error                (views): PyTorch's float32 gradient, relative L2 error; NaN: zero
    curve_hi, _lo                (11): total loss before each of ten Adam steps, and after the last
    curve_ties                   (11): the part of the total that hangs on near ties, see below
    float32_curve_error          (11): PyTorch's float32 curve, relative error

and of a variant, that is of a case that is not the paper's model with its loss,

    gradient_sensitivity         (views), see below; NaN: no errors, absolute where the norm is 0
    terms_sensitivity            (4 + stages)

and of one with running statistics, from a forward pass with those of generate_statistics,

    logits_hi, _lo               (batch * classes)
    reconstruction_hi, _lo       (batch * channels * height * width)
    forward_sensitivity          (2): of logits, of reconstruction

Metadata that is absent means the paper's model: unpool, beta (a number or "hard" for each stage),
decoder-top, tied, norm, layers, lambda-l1.

A sensitivity is what relative errors of size 1 in every pass, forward and back, would amount to if
all were linear: normalisation divides what is left of values less their mean by a standard
deviation, soft pooling multiplies by beta, and so on. It is found by disturbing what every
convolution, fully connected layer, normalisation and soft pooling or unpooling gives, and every
gradient on its way back through there, by independent normal errors of relative size DISTURBANCE
(relative to the root of the channel's mean square, as rounding errors of a long sum are; exact
zeros stay), as the root of the mean square over DRAWS. What comes back from a normalisation is a
difference, and its error relative to what is subtracted, not to what is left.

Along the curve ties cannot be chosen away. A switch within MARGIN of its tie may fall the other
way in float32, and its value then moves to another cell: the total jumps, and so does the gradient
that the later steps follow. curve_ties bounds both, each such switch flipped alone, by |jump of the
total| now and by CARRY * lr * |jump of the gradient|_1 in every later total. (Adam moves a value by
at most lr |dg| / sqrt(v) for an error dg of one gradient, which changes the total by g times that,
about lr |dg|; over all later steps it weighs sum_s 0.1 * 0.9^s / (1 - 0.9^(s + 1)), below CARRY.
A ReLU at its tie has no jump of the total, and its gradient's one is of one cell: neglected.)
"""

import json
import pathlib
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

import reference_model
from reference_model import Objective, Swwae, generated_images

MARGIN = 1e-5  # some ten times the float32 error of a pre-activation, which main prints beside it
POSITION = 5e-7  # rounding of a soft position in float32, some operations at 2^-24
NEGLIGIBLE = 1e-5  # of a soft position's gradient: below that of GRADIENT_BOUND, in one window
SAMPLED = 4096  # entries of a large network's gradient that are stored
DISTURBANCE = 1e-8
DRAWS = 24
SENSITIVE = 150
STEPS = 10
LR = 1e-3
CARRY = 2.6


class Case:
    """variant: what Swwae takes besides the output."""

    def __init__(self, name, arch, size, labels, objective, output="linear", margin=MARGIN,
                 **variant):
        self.name, self.arch, self.size, self.output = name, arch, size, output
        self.labels, self.margin = torch.tensor(labels), margin
        self.objective, self.variant = Objective(**objective), variant
        self.plain = not variant and self.objective.layers == "all" and not self.objective.l1

    def model(self, dtype):
        model = Swwae(self.arch, *self.size, self.output, **self.variant)
        model.generate_parameters()  # rounded to float32, then widened
        return model.to(dtype)

    def inference_model(self, dtype):
        """For forward passes, with statistics of their own."""
        model = self.model(torch.float32)
        model.generate_statistics()
        return model.to(dtype).eval()

    def images(self, offset, dtype):
        return generated_images(len(self.labels), *self.size, offset).to(dtype)


CASES = [
    # the nets N1 and N2 of the benches, at their image sizes
    Case("n1", "(16)5c-(32)3c-7p", (1, 28, 28), [-1] * 3, {"rec": 1}),
    Case("n2", "(64)5c-2p-(64)3c-2p-(128)3c-2p-10fc", (1, 32, 32), [3, -1, -1, 7],
         {"nll": 1, "rec": 1, "m": (0.1, 0.1), "reduction": "sum"}),
    # partial windows in both directions, colours, two convolutions in a stage
    Case("two_conv", "(6)3c-3p-(18)5c-(7)3c-2p-9fc-5fc", (3, 13, 11), [-1, 4, 0, -1, 2],
         {"nll": 0.7, "rec": 0.9, "m": (0.3,), "reduction": "sum"}),
    Case("norm_sigmoid", "(5)3c-2p-(9)3c-2p-(4)3c-2p-4fc", (1, 12, 14), [1, -1, 3],
         {"nll": 0.5, "rec": 1, "m": (0.4, 0.2), "reduction": "norm"}, "sigmoid"),
    Case("supervised", "(8)3c-2p-(20)3c-2p-10fc", (1, 10, 10), [9, 0, 4, 4], {"nll": 1}),
    # a classifier and a boundary that no term reaches; an image of more than four channels
    Case("nll_off", "(4)3c-2p-(6)3c-2p-(5)3c-2p-3fc", (5, 9, 8), [-1, 2, -1],
         {"rec": 0.8, "m": (0, 0.6)}),
    # one image, a top map of one cell, windows larger than their map, the extreme kernels
    Case("single", "(3)11c-4p-(7)1c-4p-(5)3c-2p-2fc", (1, 7, 6), [1],
         {"nll": 1, "rec": 1, "m": (0.5, 0.5)}),
    Case("no_fc", "(17)3c-2p-(33)3c-2p", (1, 8, 8), [-1, -1],
         {"rec": 1, "m": (0.25,), "reduction": "mean"}),

    # soft pooling, sharp, very sharp and hard, in windows of two and three; all of it partial
    Case("soft", "(5)3c-3p-(6)3c-2p-(4)3c-2p-4fc", (1, 14, 13), [2, -1, 0],
         {"nll": 0.8, "rec": 1, "m": (0.4, 0.3), "reduction": "sum"}, margin=8e-5,
         beta=(5, 100, 0)),
    # the other sharpnesses, blocks of channels, and a window of three in the middle
    Case("soft_wide", "(17)3c-2p-(7)3c-(20)3c-3p-3fc", (3, 11, 9), [-1, 1],
         {"nll": 1, "rec": 0.7, "m": (0.5,)}, beta=(100, 2)),
    Case("soft_upsample", "(5)3c-3p-(6)3c-2p-4fc", (1, 11, 10), [2, -1, 0],
         {"nll": 0.8, "rec": 1, "m": (0.4,)}, beta=(5, 20), unpool="upsample"),
    Case("upsample", "(5)3c-2p-(6)3c-3p-(4)3c-2p-4fc", (1, 13, 12), [2, -1, 0],
         {"nll": 0.8, "rec": 1, "m": (0.4, 0.3), "reduction": "sum"}, unpool="upsample"),
    Case("fixed", "(5)3c-2p-(6)3c-3p-(4)3c-2p-4fc", (1, 13, 12), [2, -1, 0],
         {"nll": 0.8, "rec": 1, "m": (0.4, 0.3), "reduction": "sum"}, unpool="fixed"),
    Case("average", "(5)3c-2p-(6)3c-3p-(4)3c-2p-4fc", (1, 13, 12), [2, -1, 0],
         {"nll": 0.8, "rec": 1, "m": (0.4, 0.3), "reduction": "sum"}, unpool="average"),
    Case("classes", "(6)3c-2p-(5)3c-2p-7fc-4fc", (1, 9, 10), [3, -1, -1, 0],
         {"nll": 0.9, "rec": 1, "m": (0.3, 0.5), "reduction": "sum"}, top="classes"),
    # without a nll the classifier learns from the images without a label alone
    Case("classes_unsupervised", "(6)3c-3p-5fc", (3, 8, 7), [-1, 2, -1], {"rec": 1},
         top="classes"),
    Case("classes_tied", "(6)3c-2p-(5)3c-2p-7fc-4fc", (1, 9, 10), [3, -1, -1, 0],
         {"nll": 0.9, "rec": 1, "m": (0.3, 0.5)}, top="classes", tied=True),
    Case("tied_grey", "(6)5c-(9)3c-2p-(18)3c-2p-4fc", (1, 10, 9), [3, -1, 0],
         {"nll": 0.9, "rec": 1, "m": (0.3,), "reduction": "sum"}, tied=True),
    Case("tied_colour", "(6)3c-2p-(5)3c-2p", (3, 10, 9), [-1, -1], {"rec": 1, "m": (0.3,)},
         tied=True),
    Case("tied_blocked", "(6)3c-2p-(5)3c-2p-4fc", (5, 7, 8), [-1, 1, 3],
         {"nll": 1, "rec": 1, "m": (0.3,), "reduction": "norm"}, "sigmoid", tied=True),
    Case("norm", "(4)3c-2p-(6)3c-(5)3c-2p-4fc", (1, 9, 8), [-1, 2, 0, -1, 3],
         {"nll": 0.6, "rec": 1, "m": (0.3,), "reduction": "sum"}, norm="batch"),
    Case("norm_one_stage", "(6)5c-3p", (1, 10, 8), [-1] * 5, {"rec": 1}, norm="batch"),
    Case("norm_colour", "(18)3c-2p-(5)3c-2p-3fc", (3, 8, 6), [0, -1, 2], {"nll": 1, "rec": 1},
         "sigmoid", norm="batch"),
    # no term reaches the decoder's first stage; statistics of one image, at the top of one value
    Case("norm_single", "(4)3c-2p-(6)3c-2p-(5)3c-2p-3fc", (1, 4, 4), [1],
         {"nll": 1, "m": (0.5, 0.5)}, norm="batch"),
    # normalised after the pool, partial windows, two convolutions in a stage, blocks of channels
    Case("norm_pooled", "(4)3c-2p-(18)3c-(5)3c-3p-4fc", (1, 13, 11), [-1, 2, 0, -1, 3],
         {"nll": 0.6, "rec": 1, "m": (0.3,), "reduction": "sum"}, norm="pooled"),
    # in windows of three, what normalisation makes dark on both sides puts the position on a cell
    # exactly, hence the small map
    Case("combined", "(3)3c-2p-(4)3c-(4)3c-3p-6fc-4fc", (1, 5, 9), [-1, 2, 0, -1, 3],
         {"nll": 0.6, "rec": 1, "m": (0.3, 0.4), "reduction": "sum"}, margin=4e-5, beta=(3, 5),
         top="classes", tied=True, norm="batch"),
    Case("layerwise", "(5)3c-2p-(6)3c-2p-(4)3c-2p-4fc", (1, 12, 13), [2, -1, 0],
         {"nll": 0.8, "rec": 1, "m": (0.4, 0.3), "reduction": "sum", "layers": "layerwise"}),
    Case("l1_mean", "(5)3c-2p-(6)3c-2p-4fc", (1, 9, 10), [2, -1, 0],
         {"nll": 0.8, "rec": 1, "m": (0.4,), "l1": 0.3}),
    # the top what of a net without a classifier, and soft codes
    Case("l1_sum", "(5)3c-2p-(6)3c-2p", (1, 9, 10), [-1, -1],
         {"rec": 1, "m": (0.4,), "l1": 0.02, "reduction": "sum"}, beta=(0, 5)),
]


# ---- ties ----------------------------------------------------------------------------------------


def windows(z, size):
    """(N, C, windows, cells), padded with -inf at the right and bottom edge."""
    return reference_model.windows(z, size, -np.inf).flatten(2, 3)


class Ties:
    """Watches pre-activations: the smallest distance from a tie, of ReLUs, of switches and of soft
    positions, where it matters. Of a convolution before a hard pool only the largest cell of each
    window matters: were it to cross 0, or the next one to pass it."""

    def __init__(self, margin):
        self.margin = margin
        self.relu = self.switch = self.kink = np.inf
        self.near = []  # flat positions of near switches in (N, C, windows), per hard pool

    def __call__(self, z, pooled):
        size, beta, relu = pooled or (None, 0, True)
        if size is None or beta:
            self.relu = min(self.relu, z.abs().min().item())
            if beta:
                self.soft(z.clamp(min=0), size, beta)
            return
        cells = F.pad(windows(z, size), (0, 1), value=0.0)  # size 2 at least, but one cell may be all
        first, second = cells[..., :-1].topk(2, -1).values.unbind(-1)
        if relu:
            self.relu = min(self.relu, first.abs().min().item())
            lead = torch.where(first > 0, first - second.clamp(min=0), np.inf)
        else:
            lead = first - second
        self.switch = min(self.switch, lead.min().item())
        self.near.append((lead < self.margin).nonzero())

    def soft(self, x, size, beta):
        """A soft position passing a cell between the first and the last of its window changes
        which cells its value is spread over: no jump of the total, but one of the gradient with
        respect to the position. It reaches a cell's value x_i by beta w_i (p_i - p) what, and so
        matters neither where all is 0 nor where one cell has nearly all the weight. An error e of
        the x_i moves the position by beta sum_i w_i |p_i - p| e at most; its own rounding is
        POSITION. So the distance is kept as the e that would lead there."""
        w = reference_model.windows(beta * x, size, -np.inf).softmax(-1)
        coordinate = 2.0 * torch.arange(size, dtype=x.dtype) / (size - 1) - 1.0
        what, *positions = reference_model.soft_pool(x, size, beta)
        inner = coordinate[1:-1]
        cells = coordinate.repeat(size), coordinate.repeat_interleave(size)
        for p, cell in zip(positions, cells):
            spread = beta * (w * (cell - p.unsqueeze(-1)).abs()).sum(-1)
            matters = (spread > NEGLIGIBLE) & (what > 0)
            if inner.numel() and matters.any():
                away = (p.unsqueeze(-1) - inner).abs().amin(-1)
                error = (away - POSITION) / spread
                self.kink = min(self.kink, error[matters].min().item())

    def clear(self):
        return min(self.relu, self.switch, self.kink) > self.margin


def flipped(stage, position, run):
    """run() with one switch of the encoder moved to the second largest cell of its window."""
    n, c, window = position.tolist()
    usual, calls = reference_model.pool, []

    def pool(x, size):
        what, where = usual(x, size)
        calls.append(size)
        if len(calls) == stage + 1:
            cell = windows(x.detach(), size)[n, c, window].topk(2).indices[1].item()
            columns, where = where.shape[3], where.clone()
            row, column = window // columns, window % columns
            where[n, c, row, column] = ((row * size + cell // size) * x.shape[3] +
                                        column * size + cell % size)
            what = x.flatten(2).gather(2, where.flatten(2)).view_as(what)
        return what, where

    reference_model.pool = pool
    try:
        return run()
    finally:
        reference_model.pool = usual


def run(case, offset, dtype, watch):
    """Everything that is stored, for who watches."""
    with torch.no_grad():
        x = case.images(offset, dtype)
        case.objective(case.model(dtype), x, case.labels, watch)
        if case.variant.get("norm"):
            case.inference_model(dtype)(x, watch)


def pre_activations(case, offset, dtype):
    found = []
    run(case, offset, dtype, lambda z, pooled: found.append(z))
    return found


# ---- sensitivity ---------------------------------------------------------------------------------


def root_mean_square(x):
    """Of every channel of (N, channels, ...)."""
    return x.square().mean([d for d in range(x.dim()) if d != 1], keepdim=True).sqrt()


def error(x, size):
    return torch.where(x != 0, DISTURBANCE * size * torch.randn_like(x), 0.0)


class Disturb(torch.autograd.Function):
    """Relative errors of a tensor, and of its gradient, whose size `came` remembers."""

    @staticmethod
    def forward(context, x, came):
        context.came = came
        return x + error(x, root_mean_square(x))

    @staticmethod
    def backward(context, gradient):
        size = root_mean_square(gradient)
        context.came.append(size)
        return gradient + error(gradient, size), None


class DisturbBack(torch.autograd.Function):
    """Errors of a gradient, relative to one that came in times a factor."""

    @staticmethod
    def forward(context, x, factor, came):
        context.factor, context.came = factor, came
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient + error(gradient, context.factor * context.came[0]), None, None


ROUNDED = ("convolve", "normalise", "linear", "soft_pool", "soft_unpool")


def with_errors(function):
    def wrapped(*arguments):
        came = []
        if function.__name__ == "normalise":
            x, _, variance, scale, _ = arguments
            factor = (scale / (variance + reference_model.NORM_EPSILON).sqrt()).detach()
            arguments = DisturbBack.apply(x, factor.view(-1, 1, 1).abs(), came), *arguments[1:]
        result = function(*arguments)
        if isinstance(result, tuple):
            return tuple(Disturb.apply(x, []) for x in result)
        return Disturb.apply(result, came)
    return wrapped


def sensitivities(compute):
    """Of every array that compute() lists; absolute for one of zeros."""
    exact = compute()
    usual = {name: getattr(reference_model, name) for name in ROUNDED}
    squares = np.zeros(len(exact))
    try:
        for name, function in usual.items():
            setattr(reference_model, name, with_errors(function))
        for _ in range(DRAWS):
            squares += [np.sum(np.square(a - b)) for a, b in zip(compute(), exact)]
    finally:
        for name, function in usual.items():
            setattr(reference_model, name, function)
    norms = np.array([np.linalg.norm(x) for x in exact])
    found = np.sqrt(squares / DRAWS) / DISTURBANCE / np.where(norms > 0, norms, 1.0)
    return np.where(squares > 0, found, np.nan)


def gradient_sensitivities(case, offset):
    torch.manual_seed(0)
    return sensitivities(lambda: list(gradient(case, offset, torch.float64)[2].values()))


def choose_offset(case):
    """The first image offset whose every ReLU and switch is the margin from its tie, and where no
    gradient is so sensitive that comparing it would say little."""
    for offset in range(10_000_000, 2_000_000_000, 1_000_000):
        ties = Ties(case.margin)
        run(case, offset, torch.float64, ties)
        if not ties.clear():
            continue
        if case.plain or np.nanmax(gradient_sensitivities(case, offset)) < SENSITIVE:
            return offset, ties
    raise SystemExit(f"{case.name}: no images without near ties found")


# ---- what is stored ------------------------------------------------------------------------------


def gradient(case, offset, dtype):
    """Total, terms, wrong, {view: gradient as a flat float64 array}."""
    model, x = case.model(dtype), case.images(offset, dtype)
    total, terms = case.objective(model, x, case.labels)
    total.backward()
    wrong = np.nan
    if case.objective.nll:
        with torch.no_grad():
            guess = model.classify(model.encode(x)[0][-1]).argmax(1)
        wrong = int(((guess != case.labels) & (case.labels >= 0)).sum())
    views = {}
    for name, p in model.named_parameters():
        module, kind = name.rsplit(".", 1)
        if kind in ("mean", "variance"):
            batch = getattr(model.get_submodule(module), "statistics", None)
            g = batch[kind == "variance"] if batch else p
        else:
            g = torch.zeros_like(p) if p.grad is None else p.grad
        views[name] = g.detach().double().flatten().numpy()
    stages = len(model.stages)
    keys = ["nll", "rec"] + [f"m{s}" for s in range(stages - case.plain)]
    if not case.plain:
        keys.append("l1")
    values = [total.item()] + [terms[k].item() if k in terms else np.nan for k in keys]
    return np.array(values), wrong, views


def forward(case, offset, dtype):
    """Logits and reconstruction with running statistics."""
    with torch.no_grad():
        logits, rebuilt = case.inference_model(dtype)(case.images(offset, dtype))
    empty = torch.zeros(0, dtype=dtype)
    return [x.double().flatten().numpy() for x in (empty if logits is None else logits, rebuilt)]


def flattened(total, parameters):
    grads = torch.autograd.grad(total, parameters, retain_graph=True, allow_unused=True)
    return torch.cat([g.flatten() for g in grads if g is not None])


def curve(case, offset, dtype):
    """Totals before each Adam step and after the last, and how much of each hangs on near ties."""
    model, x = case.model(dtype), case.images(offset, dtype)
    parameters = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.Adam(parameters, lr=LR)
    totals, hanging, carried = [], [], 0.0
    for step in range(STEPS + 1):
        adam.zero_grad(set_to_none=True)
        ties = Ties(case.margin)
        total, _ = case.objective(model, x, case.labels, ties)
        totals.append(total.item())
        hanging.append(carried)
        near = [(stage, p) for stage, positions in enumerate(ties.near) for p in positions]
        for stage, position in near if dtype == torch.float64 else []:
            other = flipped(stage, position,
                            lambda: case.objective(model, x, case.labels)[0])
            turn = flattened(other, parameters) - flattened(total, parameters)
            hanging[step] += abs(other.item() - total.item())
            carried += CARRY * LR * turn.abs().sum().item()
        if step < STEPS:
            total.backward()
            adam.step()
    return np.array(totals), np.array(hanging)


def split(tensors, name, x):
    x = np.asarray(x, np.float64)
    hi = x.astype(np.float32)
    tensors[name + "_hi"], tensors[name + "_lo"] = hi, (x - hi).astype(np.float32)


def write(path, tensors, metadata):
    """The safetensors format, by hand: header length, JSON, data."""
    header, at = {"__metadata__": metadata}, 0
    for name, x in tensors.items():
        assert x.dtype == np.float32
        header[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(x.astype("<f4").tobytes() for x in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def build(case):
    offset, ties = choose_offset(case)
    error = max((a - b).abs().max().item() for a, b in zip(
        pre_activations(case, offset, torch.float32), pre_activations(case, offset, torch.float64)))
    terms, wrong, exact = gradient(case, offset, torch.float64)
    terms32, _, single = gradient(case, offset, torch.float32)
    totals, hanging = curve(case, offset, torch.float64)
    totals32, _ = curve(case, offset, torch.float32)

    tensors = {"labels": case.labels.numpy().astype(np.float32)}
    split(tensors, "terms", terms)
    tensors["wrong"] = np.array([wrong], np.float32)
    parameters = sum(g.size for g in exact.values())
    errors = []
    # the entries of a large gradient: as many of each view, all of a small one
    share = SAMPLED // len(exact) if parameters > 4 * SAMPLED else parameters
    for k, (name, g) in enumerate(exact.items()):
        norm = np.linalg.norm(g)
        errors.append(np.linalg.norm(single[name] - g) / norm if norm else np.nan)
        if g.size > share:
            index = np.sort(np.random.RandomState(k).permutation(g.size)[:share])
            tensors[f"gradient.{name}_index"] = index.astype(np.float32)  # exact, below 2^24
            g = g[index]
        split(tensors, f"gradient.{name}", g)
    split(tensors, "norm", [np.linalg.norm(g) for g in exact.values()])
    tensors["float32_error"] = np.array(errors, np.float32)
    split(tensors, "curve", totals)
    tensors["curve_ties"] = hanging.astype(np.float32)
    tensors["float32_curve_error"] = (np.abs(totals32 - totals) / totals).astype(np.float32)

    if not case.plain:
        of_gradient = gradient_sensitivities(case, offset)
        of_terms = sensitivities(lambda: list(gradient(case, offset, torch.float64)[0]))
        tensors["gradient_sensitivity"] = of_gradient.astype(np.float32)
        tensors["terms_sensitivity"] = of_terms.astype(np.float32)
        print(f"{case.name}: sensitivity of terms", *(f"{x:.2g}" for x in of_terms), "of gradients",
              *(f"{x:.2g}" for x in of_gradient))
    if case.variant.get("norm"):
        arrays = forward(case, offset, torch.float64)
        for name, x in zip(("logits", "reconstruction"), arrays):
            split(tensors, name, x)
        of_forward = sensitivities(lambda: forward(case, offset, torch.float64))
        tensors["forward_sensitivity"] = of_forward.astype(np.float32)
        print(f"{case.name}: sensitivity of logits and reconstruction",
              *(f"{x:.2g}" for x in of_forward), "float32 PyTorch",
              *(f"{np.linalg.norm(a - b) / np.linalg.norm(b):.1e}" for a, b in
                zip(forward(case, offset, torch.float32), arrays) if b.size))

    o = case.objective
    metadata = {"format": "swwae golden", "architecture": case.arch,
                "channels": str(case.size[0]), "height": str(case.size[1]),
                "width": str(case.size[2]), "batch": str(len(case.labels)),
                "lambda-nll": repr(float(o.nll)), "lambda-rec": repr(float(o.rec)),
                "lambda-m": ",".join(repr(float(m)) for m in o.m), "reduction": o.reduction,
                "output": case.output, "image-offset": str(offset), "lr": repr(LR),
                "torch": torch.__version__}
    if not case.plain:
        v = case.variant
        beta = v.get("beta", (0,) * len(reference_model.parse(case.arch)[0]))
        metadata.update({
            "unpool": v.get("unpool", "switches"),
            "beta": ",".join(repr(float(b)) if b else "hard" for b in beta),
            "decoder-top": v.get("top", "features"), "tied": "yes" if v.get("tied") else "no",
            "norm": v.get("norm", "none"), "layers": o.layers,
            "lambda-l1": repr(float(o.l1))})
    path = pathlib.Path(__file__).with_name(case.name + ".safetensors")
    write(path, tensors, metadata)

    print(f"{case.name}: {parameters} parameters, {path.stat().st_size} bytes, images from {offset}")
    print(f"  nearest tie: ReLU {ties.relu:.1e}, switch {ties.switch:.1e}, kink {ties.kink:.1e}; "
          f"float32 error of a pre-activation at most {error:.1e}")
    print("  total", terms[0], "terms", terms[1:], "wrong", wrong)
    print(f"  float32 PyTorch: terms {np.nanmax(np.abs(terms32 / terms - 1)):.1e}, gradient by view "
          + " ".join(f"{e:.1e}" for e in errors))
    print("  curve", " ".join(f"{t:.5g}" for t in totals))
    print("  float32 PyTorch's curve off by", " ".join(f"{e:.0e}" for e in tensors["float32_curve_error"]))
    print("  hangs on near ties:          ", " ".join(f"{e:.0e}" for e in hanging / totals))


def main():
    torch.manual_seed(0)
    print("torch", torch.__version__)
    for case in CASES:
        if case.name in sys.argv[1:] or not sys.argv[1:]:
            build(case)


if __name__ == "__main__":
    main()
