"""The benches' peer: PyTorch doing the same work, driven line by line over stdin and stdout so that
bench_steps can interleave the two (docs/contributing.md, rule 13).

    net ARCH C H W BATCH MODE   builds a network; MODE supervised, unsupervised or semi -> ok
    train                       one training step                          -> milliseconds
    forward                     inference: classify and reconstruct        -> milliseconds
    loss                        total of the last training step            -> a number
    memory                      peak resident set so far                   -> MB
    version                     -> PyTorch's version and its threads
    quit

The first line written is "ready", or "error ..." where PyTorch is missing; a command that cannot be
done is answered by "error ...". SWWAE_THREADS sets the threads (2).

PyTorch at its best: channels_last, gradients set to None, ReLU in place, Adam without foreach,
denormals flushed, inference mode, and no page faults (the caller sets MALLOC_MMAP_MAX_=0
MALLOC_TRIM_THRESHOLD_=20000000000 MALLOC_TOP_PAD_=268435456, without which a step takes up to 1.5
times as long). Tried and slower: NCHW, scatter for max_unpool2d, mse_loss for the distance, traced
and frozen modules, with oneDNN fusion or without.
"""

import os
import pathlib
import resource
import sys
import time
import types

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests" / "golden"))

IMAGE_OFFSET = 10_000_000  # of bench_steps.c too


def encode_supervised(model, x, _watch=None):
    """Without a decoder nobody asks for switches, and ReLU may follow the pool, where it has less
    to do: the same values and gradients, 3 % faster."""
    for convs, (_, size) in zip(model.encoder, model.stages):
        for conv in convs[:-1]:
            x = F.relu(conv(x), inplace=True)
        x = F.relu(F.max_pool2d(convs[-1](x), size, ceil_mode=True), inplace=True)
    return [x], []


class Net:
    def __init__(self, arch, channels, height, width, batch, mode):
        labelled = {"supervised": batch, "unsupervised": 0, "semi": batch // 2}[mode]
        inner = len(reference_model.parse(arch)[0]) - 1
        self.supervised = mode == "supervised"
        self.objective = reference_model.Objective(
            nll=1.0 if labelled else 0.0, rec=0.0 if self.supervised else 1.0,
            m=() if self.supervised else (0.1,) * inner, reduction="sum")
        self.model = reference_model.Swwae(arch, channels, height, width)
        self.model.generate_parameters()
        if self.supervised:
            self.model.encode = types.MethodType(encode_supervised, self.model)
        self.model = self.model.to(memory_format=torch.channels_last)
        x = reference_model.generated_images(batch, channels, height, width, IMAGE_OFFSET)
        self.x = x.contiguous(memory_format=torch.channels_last)
        classes = self.model.classifier[-1].out_features if labelled else 1
        self.labels = torch.tensor([i % classes if i < labelled else -1 for i in range(batch)])
        self.adam = torch.optim.Adam(self.model.parameters(), lr=1e-3, foreach=False)
        self.loss = float("nan")

    def train(self):
        begin = time.perf_counter()
        self.adam.zero_grad(set_to_none=True)
        total, _ = self.objective(self.model, self.x, self.labels)
        total.backward()
        self.adam.step()
        took = time.perf_counter() - begin
        self.loss = total.item()
        return took

    def forward(self):
        begin = time.perf_counter()
        with torch.inference_mode():
            if self.supervised:  # its decoder is untrained: nobody would run it
                self.model.classify(self.model.encode(self.x)[0][-1])
            else:
                self.model(self.x)
        return time.perf_counter() - begin


def answer(words, net):
    """The reply to one command, and the network from now on."""
    if words[0] == "net" and len(words) == 7:
        return "ok", Net(words[1], *map(int, words[2:6]), words[6])
    if words == ["version"]:
        return f"{torch.__version__} {torch.get_num_threads()}", net
    if words == ["memory"]:
        return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f}", net
    if net and words in (["train"], ["forward"]):
        return f"{1e3 * getattr(net, words[0])():.4f}", net
    if net and words == ["loss"]:
        return f"{net.loss:.9g}", net
    return "error unknown command, or no net yet", net


def main():
    torch.set_num_threads(int(os.environ.get("SWWAE_THREADS", "2")))
    torch.set_flush_denormal(True)
    print("ready", flush=True)
    net = None
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            break
        if not words:
            continue
        try:
            reply, net = answer(words, net)
        except (KeyError, ValueError, IndexError, RuntimeError) as error:
            reply = "error " + " ".join(str(error).split())
        print(reply, flush=True)


if __name__ == "__main__":
    try:
        import torch
        import torch.nn.functional as F

        import reference_model
    except ImportError as error:
        print(f"error {error}", flush=True)
        sys.exit(0)
    main()
