"""The networks, batches and losses whose numbers make_golden.py stores, and what PyTorch makes of
them."""

import numpy as np
import torch

from reference_model import Objective, Swwae, generated_images

MARGIN = 1e-5  # from a tie; some ten times the float32 error that make_golden.py prints


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
