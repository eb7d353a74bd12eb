#!/usr/bin/env python3
"""Writes tests/golden/*.safetensors: losses, gradients and ten Adam steps of PyTorch in float64,
which tests/test_golden.c compares the library with.

Run it anywhere with PyTorch and numpy; it prints, for each case, how far the nearest ReLU and
switch is from its tie, and the errors of PyTorch's own float32.

A file holds F32 tensors only. A float64 value x is stored as two of them, NAME_hi = float32(x) and
NAME_lo = float32(x - NAME_hi): 48 bits and more. Parameters and images are not stored, they come
from formulas (generate_parameters and generated_images in reference_model.py). Tensors:

    labels                       (batch), -1: none
    terms_hi, _lo                (2 + stages): total, nll, rec, m[0], ..., m[stages - 2]; NaN: off
    wrong                        (1): labelled images classified wrongly; NaN without nll
    gradient.VIEW_hi, _lo        (size), or (count) where the view is sampled
    gradient.VIEW_index          (count): which entries; only where the view is sampled
    norm_hi, _lo                 (views): L2 norm of each view's whole gradient
    float32_error                (views): PyTorch's float32 gradient, relative L2 error; NaN: zero
    curve_hi, _lo                (11): total loss before each of ten Adam steps, and after the last
    curve_ties                   (11): the part of the total that hangs on near ties, see below
    float32_curve_error          (11): PyTorch's float32 curve, relative error

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

import numpy as np
import torch
import torch.nn.functional as F

import reference_model
from reference_model import Objective, Swwae, generated_images

MARGIN = 1e-5  # some ten times the float32 error of a pre-activation, which main prints beside it
SAMPLED = 4096  # entries of a large network's gradient that are stored
STEPS = 10
LR = 1e-3
CARRY = 2.6


class Case:
    def __init__(self, name, arch, size, labels, objective, output="linear"):
        self.name, self.arch, self.size, self.output = name, arch, size, output
        self.labels = torch.tensor(labels)
        self.objective = Objective(**objective)

    def model(self, dtype):
        model = Swwae(self.arch, *self.size, self.output)
        model.generate_parameters()  # rounded to float32, then widened
        return model.to(dtype)

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
]


# ---- ties ----------------------------------------------------------------------------------------


def windows(z, size):
    """(N, C, windows, cells), padded with -inf at the right and bottom edge."""
    height, width = z.shape[2:]
    z = F.pad(z, (0, -width % size, 0, -height % size), value=-np.inf)
    return z.unfold(2, size, size).unfold(3, size, size).flatten(4).flatten(2, 3)


class Ties:
    """Watches pre-activations: the smallest distance from a tie, of ReLUs and of switches, where it
    matters. Of a convolution before a pool only the largest cell of each window matters: were it
    to cross 0, or the next one to pass it."""

    def __init__(self):
        self.relu = self.switch = np.inf
        self.near = []  # (stage, flat positions of near switches in (N, C, windows)), per pool

    def __call__(self, z, size):
        if size is None:
            self.relu = min(self.relu, z.abs().min().item())
            return
        cells = F.pad(windows(z, size), (0, 1), value=0.0)  # size 2 at least, but one cell may be all
        first, second = cells[..., :-1].topk(2, -1).values.unbind(-1)
        self.relu = min(self.relu, first.abs().min().item())
        lead = torch.where(first > 0, first - second.clamp(min=0), np.inf)
        self.switch = min(self.switch, lead.min().item())
        self.near.append((lead < MARGIN).nonzero())


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


def pre_activations(case, offset, dtype):
    found = []
    with torch.no_grad():
        case.objective(case.model(dtype), case.images(offset, dtype), case.labels,
                       lambda z, size: found.append(z))
    return found


def choose_offset(case):
    """The first image offset whose every ReLU and switch is MARGIN from its tie."""
    model = case.model(torch.float64)
    for offset in range(10_000_000, 2_000_000_000, 1_000_000):
        ties = Ties()
        with torch.no_grad():
            case.objective(model, case.images(offset, torch.float64), case.labels, ties)
        if ties.relu > MARGIN and ties.switch > MARGIN:
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
        g = torch.zeros_like(p) if p.grad is None else p.grad
        views[name] = g.double().flatten().numpy()
    stages = len(model.stages)
    keys = ["nll", "rec"] + [f"m{s}" for s in range(stages - 1)]
    values = [total.item()] + [terms[k].item() if k in terms else np.nan for k in keys]
    return np.array(values), wrong, views


def flattened(total, parameters):
    grads = torch.autograd.grad(total, parameters, retain_graph=True, allow_unused=True)
    return torch.cat([g.flatten() for g in grads if g is not None])


def curve(case, offset, dtype):
    """Totals before each Adam step and after the last, and how much of each hangs on near ties."""
    model, x = case.model(dtype), case.images(offset, dtype)
    parameters = list(model.parameters())
    adam = torch.optim.Adam(parameters, lr=LR)
    totals, hanging, carried = [], [], 0.0
    for step in range(STEPS + 1):
        adam.zero_grad(set_to_none=True)
        ties = Ties()
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

    o = case.objective
    metadata = {"format": "swwae golden", "architecture": case.arch,
                "channels": str(case.size[0]), "height": str(case.size[1]),
                "width": str(case.size[2]), "batch": str(len(case.labels)),
                "lambda-nll": repr(float(o.nll)), "lambda-rec": repr(float(o.rec)),
                "lambda-m": ",".join(repr(float(m)) for m in o.m), "reduction": o.reduction,
                "output": case.output, "image-offset": str(offset), "lr": repr(LR),
                "torch": torch.__version__}
    path = pathlib.Path(__file__).with_name(case.name + ".safetensors")
    write(path, tensors, metadata)

    print(f"{case.name}: {parameters} parameters, {path.stat().st_size} bytes, images from {offset}")
    print(f"  nearest tie: ReLU {ties.relu:.1e}, switch {ties.switch:.1e}; "
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
        build(case)


if __name__ == "__main__":
    main()
