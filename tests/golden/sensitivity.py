"""What rounding errors amount to in a network's results.

A sensitivity is what relative errors of size 1 in every pass, forward and back, would amount to if
all were linear: normalisation divides what is left of values less their mean by a standard
deviation, soft pooling multiplies by beta, and so on. It is found by disturbing what every
convolution, fully connected layer, normalisation and soft pooling or unpooling gives, and every
gradient on its way back through there, by independent normal errors of relative size DISTURBANCE
(relative to the root of the channel's mean square, as rounding errors of a long sum are; exact
zeros stay), as the root of the mean square over DRAWS. What comes back from a normalisation is a
difference, and its error relative to what is subtracted, not to what is left."""

import numpy as np
import torch

import reference_model

DISTURBANCE = 1e-8
DRAWS = 24


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
