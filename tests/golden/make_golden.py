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

    gradient_sensitivity         (views), see sensitivity.py; NaN: no errors, absolute where the
                                 norm is 0
    terms_sensitivity            (4 + stages)

and of one with running statistics, from a forward pass with those of generate_statistics,

    logits_hi, _lo               (batch * classes)
    reconstruction_hi, _lo       (batch * channels * height * width)
    forward_sensitivity          (2): of logits, of reconstruction

Metadata that is absent means the paper's model: unpool, beta (a number or "hard" for each stage),
decoder-top, tied, norm, layers, lambda-l1.

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

import reference_model
from cases import CASES, forward, gradient
from sensitivity import sensitivities
from ties import Ties, flipped

SAMPLED = 4096  # entries of a large network's gradient that are stored
SENSITIVE = 150
STEPS = 10
LR = 1e-3
CARRY = 2.6


# ---- images --------------------------------------------------------------------------------------


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
