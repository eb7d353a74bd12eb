"""Where a network is near a tie: a ReLU at 0, two largest cells of a window, a soft position at a
cell. Beyond a tie float32 may go another way than float64."""

import numpy as np
import torch
import torch.nn.functional as F

import reference_model

POSITION = 5e-7  # rounding of a soft position in float32, some operations at 2^-24
NEGLIGIBLE = 1e-5  # of a soft position's gradient: below that of GRADIENT_BOUND, in one window


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
