#!/usr/bin/env python3
"""Checks the reference itself (reference_model.py): its soft pooling by torch.autograd.gradcheck,
and every case of cases.py against the definitions of docs/math.md written a second time,
window by window and with nothing but numpy: totals, forward passes with running statistics, and
gradients by central differences.
"""

import sys

import numpy as np
import torch

import reference_model
from cases import CASES, forward, gradient

STEP = 1e-6
PICKED = 12  # values of each view whose gradient is checked


class Plain:
    """The loss of a case from {view: array}."""

    def __init__(self, case, views, training=True):
        self.views, self.case, self.training = views, case, training
        self.variant, self.objective = case.variant, case.objective
        self.stages, self.units = reference_model.parse(case.arch)
        self.beta = self.variant.get("beta") or (0,) * len(self.stages)

    def filtered(self, x, name):
        """A convolution without its normalisation or bias."""
        mirrored = name.startswith("decoder") and self.variant.get("tied")
        if mirrored:  # w_dec[c, o, u, v] = w_enc[o, c, K - 1 - u, K - 1 - v]
            w = self.views[name.replace("decoder", "encoder") + ".weight"]
            w = w.swapaxes(0, 1)[:, :, ::-1, ::-1]
        else:
            w = self.views[name + ".weight"]
        n, _, height, width = x.shape
        r = w.shape[2] // 2
        padded = np.pad(x, ((0, 0), (0, 0), (r, r), (r, r)))
        y = np.zeros((n, len(w), height, width))
        for u in range(w.shape[2]):
            for v in range(w.shape[3]):
                y += np.einsum("oc,ncij->noij", w[:, :, u, v],
                               padded[:, :, u:u + height, v:v + width])
        return y

    def normalised(self, y, name):
        if name + ".scale" in self.views:
            for o in range(y.shape[1]):
                if self.training:
                    mean, variance = np.mean(y[:, o]), np.var(y[:, o])
                else:
                    mean, variance = (self.views[f"{name}.{k}"][o] for k in ("mean", "variance"))
                scale = self.views[name + ".scale"][o]
                if self.pool_first(name):
                    scale = abs(scale)
                y[:, o] = scale * (y[:, o] - mean) / np.sqrt(variance + 1e-5)
        return y + self.views[name + ".bias"][:, None, None]

    def convolution(self, x, name):
        return self.normalised(self.filtered(x, name), name)

    def pool_first(self, name):
        side, s, c = name.split(".")
        return (self.variant.get("norm") == "pooled" and side == "encoder" and
                int(c) + 1 == len(self.stages[int(s)][0]))

    def windows(self, s, shape):
        """(a, b, rows, columns) of every window."""
        k = self.stages[s][1]
        for a in range(-(-shape[0] // k)):
            for b in range(-(-shape[1] // k)):
                yield a, b, slice(a * k, min(a * k + k, shape[0])), slice(
                    b * k, min(b * k + k, shape[1]))

    def pool(self, x, s):
        """what, and where: a cell of the window, or x and y."""
        k, beta = self.stages[s][1], self.beta[s]
        n, c, height, width = x.shape
        what = np.zeros((n, c, -(-height // k), -(-width // k)))
        where = np.zeros((*what.shape, 2))
        for a, b, rows, columns in self.windows(s, (height, width)):
            for i in np.ndindex(n, c):
                z = x[i][rows, columns]
                if beta:
                    w = np.exp(beta * (z - z.max()))
                    w /= w.sum()
                    what[i][a, b] = (w * z).sum()
                    row, column = np.indices(z.shape)
                    where[i][a, b] = ((w * (2 * column / (k - 1) - 1)).sum(),
                                      (w * (2 * row / (k - 1) - 1)).sum())
                else:
                    what[i][a, b] = z.max()
                    where[i][a, b] = np.unravel_index(z.argmax(), z.shape)
        return what, where

    def unpool(self, what, where, s, shape):
        k, how = self.stages[s][1], self.variant.get("unpool", "switches")
        x = np.zeros((*what.shape[:2], *shape))
        for a, b, rows, columns in self.windows(s, shape):
            for i in np.ndindex(what.shape[:2]):
                cells, m = x[i][rows, columns], what[i][a, b]
                if how == "upsample":
                    cells[:] = m
                elif how == "average":
                    cells[:] = m / cells.size
                elif how == "fixed":
                    cells[0, 0] = m
                elif not self.beta[s]:
                    cells[tuple(where[i][a, b].astype(int))] = m
                else:
                    u, v = (where[i][a, b] + 1) / 2 * (k - 1)
                    left, top = (min(max(int(np.floor(t)), 0), k - 2) for t in (u, v))
                    f, g = u - left, v - top
                    for r, c, share in ((top, left, (1 - g) * (1 - f)),
                                        (top, left + 1, (1 - g) * f),
                                        (top + 1, left, g * (1 - f)), (top + 1, left + 1, g * f)):
                        if r < cells.shape[0] and c < cells.shape[1]:
                            cells[r, c] += m * share
        return x

    def encode(self, x):
        whats, wheres, shapes = [], [], []
        for s, (convs, _) in enumerate(self.stages):
            for c in range(len(convs) - 1):
                x = np.maximum(self.convolution(x, f"encoder.{s}.{c}"), 0)
            shapes.append(x.shape[2:])
            last = f"encoder.{s}.{len(convs) - 1}"
            if self.pool_first(last):
                x, where = self.pool(self.filtered(x, last), s)
                x = np.maximum(self.normalised(x, last), 0)
            else:
                x, where = self.pool(np.maximum(self.convolution(x, last), 0), s)
            whats.append(x)
            wheres.append(where)
        return whats, wheres, shapes

    def classify(self, x):
        x = x.reshape(len(x), -1)
        for j in range(len(self.units)):
            x = x @ self.views[f"classifier.{j}.weight"].T + self.views[f"classifier.{j}.bias"]
            if j + 1 < len(self.units):
                x = np.maximum(x, 0)
        return x

    def mirror(self, logits, labels, shape):
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        for n, label in enumerate(labels):
            if label >= 0:
                p[n] = np.eye(p.shape[1])[label]
        for j in reversed(range(len(self.units))):
            w = (self.views[f"classifier.{j}.weight"].T if self.variant.get("tied") else
                 self.views[f"decoder.fc.{j}.weight"])
            p = np.maximum(p @ w.T + self.views[f"decoder.fc.{j}.bias"], 0)
        return p.reshape(shape)

    def decode(self, x, s, where, shape):
        x = self.unpool(x, where, s, shape)
        for c in reversed(range(len(self.stages[s][0]))):
            x = self.convolution(x, f"decoder.{s}.{c}")
            if s or c:
                x = np.maximum(x, 0)
        return 1 / (1 + np.exp(-x)) if s == 0 and self.case.output == "sigmoid" else x

    def distance(self, a, b):
        squares = ((a - b) ** 2).reshape(len(a), -1).sum(1)
        return {"mean": squares / a[0].size, "sum": squares,
                "norm": np.sqrt(squares)}[self.objective.reduction].mean()

    def everything(self, x, labels):
        """whats, logits, and the decoder's maps: [image, below the first pool, ..., top]."""
        whats, wheres, shapes = self.encode(x)
        logits = self.classify(whats[-1]) if self.units else None
        top = whats[-1]
        if self.variant.get("top") == "classes":
            top = self.mirror(logits, labels, top.shape)
        maps = [top]
        for s in reversed(range(len(self.stages))):
            from_encoder = self.objective.layers == "layerwise" and self.training
            maps.insert(0, self.decode(whats[s] if from_encoder else maps[0], s, wheres[s],
                                       shapes[s]))
        return whats, logits, maps

    def total(self, x, labels):
        o, total = self.objective, 0.0
        whats, logits, maps = self.everything(x, labels)
        known = labels >= 0
        if o.nll:
            z = logits[known]
            largest = z.max(1)
            log_sum = np.log(np.exp(z - largest[:, None]).sum(1)) + largest
            total += o.nll * (log_sum - z[np.arange(len(z)), labels[known]]).mean()
        if o.rec:
            total += o.rec * self.distance(maps[0], x)
        for s, weight in enumerate(o.m):
            if weight:
                total += weight * self.distance(maps[s + 1], whats[s])
        for what in whats if o.l1 else ():
            mean = np.abs(what).reshape(len(x), -1)
            total += o.l1 * (mean.mean(1) if o.reduction == "mean" else mean.sum(1)).mean()
        return total


def arrays(model):
    return {name: p.detach().double().numpy().copy() for name, p in model.named_parameters()}


def check_soft_pooling():
    generator = torch.Generator().manual_seed(1)
    for size, shape in ((2, (2, 2, 5, 4)), (3, (2, 2, 7, 6)), (3, (1, 1, 8, 4)), (4, (1, 2, 6, 9))):
        for beta in (0.5, 5.0, 40.0):
            x = torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_()

            def pool(x):
                return reference_model.soft_pool(x, size, beta)

            def both(x):
                return reference_model.soft_unpool(*pool(x), size, shape[2:])

            assert torch.autograd.gradcheck(pool, x) and torch.autograd.gradcheck(both, x)
    print("soft pooling and unpooling: gradcheck agrees")


def check_case(case):
    offset = 10_000_000
    with torch.no_grad():
        x = case.images(offset, torch.float64)
    images, labels = x.numpy(), case.labels.numpy()
    expected, _, gradients = gradient(case, offset, torch.float64)
    views = arrays(case.model(torch.float64))
    plain = Plain(case, views)
    off = abs(plain.total(images, labels) / expected[0] - 1)
    worst = 0.0
    random = np.random.RandomState(0)
    for name, view in views.items():
        if name.endswith((".mean", ".variance")):
            continue
        flat = view.reshape(-1)
        picked = random.permutation(flat.size)[:PICKED]
        slopes = []
        for i in picked:
            usual, at = flat[i], []
            for step in (STEP, -STEP):
                flat[i] = usual + step
                at.append(plain.total(images, labels))
            flat[i] = usual
            slopes.append((at[0] - at[1]) / (2 * STEP))
        size = max(np.abs(gradients[name]).max(), 1e-6 * abs(expected[0]))
        worst = max(worst, np.abs(np.array(slopes) - gradients[name][picked]).max() / size)
    passed = off < 1e-12 and worst < 1e-5
    text = f"total off by {off:.1e}, gradients by {worst:.1e} of the view's largest"
    if case.variant.get("norm"):
        model = case.inference_model(torch.float64)
        _, logits, maps = Plain(case, arrays(model), False).everything(images, 0 * labels - 1)
        for a, b in zip(forward(case, offset, torch.float64), (logits, maps[0])):
            if b is not None:
                far = np.abs(a - b.reshape(-1)).max() / np.abs(b).max()
                passed &= far < 1e-12
                text += f", forward by {far:.1e}"
    print(f"{case.name}: {text}{'' if passed else '   FAULT'}", flush=True)
    return passed


def main():
    check_soft_pooling()
    cases = [case for case in CASES
             if case.name in sys.argv[1:] or not sys.argv[1:] and not case.plain]
    faults = sum(not check_case(case) for case in cases)
    print(f"{len(cases) - faults} passed, {faults} failed")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
