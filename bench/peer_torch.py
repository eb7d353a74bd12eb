"""The benches' peer: PyTorch doing the same work, driven line by line over stdin and stdout so that
bench_steps can interleave the two (docs/contributing.md, rule 13).

    net ARCH C H W BATCH MODE NORM   builds a network; MODE supervised, unsupervised or semi, NORM
                                0 or 1: batch normalisation after every convolution      -> ok
    train                       one training step                          -> milliseconds
    forward                     inference: classify and reconstruct        -> milliseconds
    loss                        total of the last training step            -> a number
    memory                      peak resident set so far, and the same less what was resident
                                before the first network was built         -> MB MB
    version                     -> PyTorch's version, "compiled" or "eager"
    quit

The first line written is "ready", or "error ..." where PyTorch is missing; a command that cannot be
done is answered by "error ...". SWWAE_THREADS sets the threads (2). SWWAE_COMPILE=1 compiles the
loss and the forward pass (torch.compile, PyTorch 2.4, a C++ compiler; see peer_compile.py); where
that cannot be done one line says why and PyTorch runs as without.

PyTorch at its best: channels_last, gradients set to None, ReLU in place, the fused Adam where there
is one for processors (2.4) and else the one without foreach, denormals flushed, inference mode, its
own batch normalisation, and no page faults (the caller sets MALLOC_MMAP_MAX_=0
MALLOC_TRIM_THRESHOLD_=20000000000 MALLOC_TOP_PAD_=268435456, without which a step takes up to 1.5
times as long). Tried and slower: NCHW, scatter for max_unpool2d, mse_loss for the distance, traced
and frozen modules, with oneDNN fusion or without.
With PyTorch 2.15 too channels_last is faster than NCHW (by a fifth); its Adams, fused, with foreach
and plain, differ by less than 1 % of a step.
"""

import logging
import os
import pathlib
import resource
import sys
import time
import types

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests" / "golden"))

IMAGE_OFFSET = 10_000_000  # of bench_steps.c too
NORM_MOMENTUM = 0.1


def encode_supervised(model, x, _watch=None):
    """Without a decoder nobody asks for switches, and ReLU may follow the pool, where it has less
    to do: the same values and gradients, 3 % faster."""
    for convs, (_, size) in zip(model.encoder, model.stages):
        for conv in convs[:-1]:
            x = F.relu(conv(x), inplace=True)
        x = F.relu(reference_model.pool(convs[-1](x), size)[0], inplace=True)
    return [x], []


def convolve_norm(conv, x):
    """As BatchNorm2d after a convolution without bias; reference_model writes the formula out."""
    z = F.conv2d(x, conv.weight, None, padding=conv.weight.shape[2] // 2)
    return F.batch_norm(z, conv.mean, conv.variance, conv.scale, conv.bias, conv.training,
                        NORM_MOMENTUM, reference_model.NORM_EPSILON)


def adam(parameters):
    """Fused needs PyTorch 2.4 on a processor."""
    try:
        return torch.optim.Adam(parameters, lr=1e-3, fused=True)
    except (RuntimeError, TypeError):
        return torch.optim.Adam(parameters, lr=1e-3, foreach=False)


def say(sentence):
    print("peer_torch: " + " ".join(str(sentence).split())[:300], file=sys.stderr, flush=True)


def can_compile():
    """Whether SWWAE_COMPILE asks for torch.compile and it works at all."""
    if os.environ.get("SWWAE_COMPILE", "0") != "1":
        return False
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # no CUDA: we know
    try:
        import peer_compile

        torch.compile(lambda x: x * 2 + 1)(torch.ones(64))
        peer_compile.install(reference_model)
    except Exception as error:  # whatever its compiler finds
        say(f"PyTorch {torch.__version__} runs uncompiled: {error!r}")
        return False
    return True


class Net:
    def __init__(self, arch, channels, height, width, batch, mode, norm, compiled):
        labelled = {"supervised": batch, "unsupervised": 0, "semi": batch // 2}[mode]
        inner = len(reference_model.parse(arch)[0]) - 1
        self.supervised = mode == "supervised"
        objective = reference_model.Objective(
            nll=1.0 if labelled else 0.0, rec=0.0 if self.supervised else 1.0,
            m=() if self.supervised else (0.1,) * inner, reduction="sum")
        self.model = reference_model.Swwae(arch, channels, height, width, norm=norm)
        self.model.generate_parameters()
        if self.supervised:
            self.model.encode = types.MethodType(encode_supervised, self.model)
        if norm:
            for module in self.model.modules():
                if isinstance(module, reference_model.Convolution):
                    module.forward = types.MethodType(convolve_norm, module)
        self.model = self.model.to(memory_format=torch.channels_last)
        x = reference_model.generated_images(batch, channels, height, width, IMAGE_OFFSET)
        self.x = x.contiguous(memory_format=torch.channels_last)
        classes = self.model.classifier[-1].out_features if labelled else 1
        self.labels = torch.tensor([i % classes if i < labelled else -1 for i in range(batch)])
        self.adam = adam([p for p in self.model.parameters() if p.requires_grad])
        self.loss = float("nan")
        self.plain = {"train": lambda: objective(self.model, self.x, self.labels)[0],
                      "forward": self.infer}
        self.call = {name: torch.compile(call) if compiled else call
                     for name, call in self.plain.items()}

    def infer(self):
        if self.supervised:  # its decoder is untrained: nobody would run it
            return self.model.classify(self.model.encode(self.x)[0][-1])
        return self.model(self.x)

    def train(self):
        self.model.train()
        begin = time.perf_counter()
        self.adam.zero_grad(set_to_none=True)
        total = self.call["train"]()
        total.backward()
        self.adam.step()
        took = time.perf_counter() - begin
        self.loss = total.item()
        return took

    def forward(self):
        self.model.eval()
        begin = time.perf_counter()
        with torch.inference_mode():
            self.call["forward"]()
        return time.perf_counter() - begin

    def timed(self, name):
        """Compiling is done by the first call; where it fails, the uncompiled one stays."""
        try:
            return getattr(self, name)()
        except Exception as error:
            if self.call[name] is self.plain[name]:
                raise
            say(f"{name} runs uncompiled, {error!r}")
            self.call[name] = self.plain[name]
            return getattr(self, name)()


def resident(key):
    """MB of this process alone; ru_maxrss would count what its parent held before."""
    try:
        for line in open("/proc/self/status"):
            if line.startswith(key):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Peer:
    def __init__(self):
        self.compiled = can_compile()
        self.before = None
        self.net = None

    def answer(self, words):
        if words[0] == "net" and len(words) == 8:
            if self.before is None:
                self.before = resident("VmRSS")
            self.net = Net(words[1], *map(int, words[2:6]), words[6], words[7] == "1",
                           self.compiled)
            return "ok"
        if words == ["version"]:
            return f"{torch.__version__} {'compiled' if self.compiled else 'eager'}"
        if words == ["memory"] and self.before is not None:
            peak = resident("VmHWM")
            return f"{peak:.1f} {peak - self.before:.1f}"
        if self.net and words in (["train"], ["forward"]):
            return f"{1e3 * self.net.timed(words[0]):.4f}"
        if self.net and words == ["loss"]:
            return f"{self.net.loss:.9g}"
        return "error unknown command, or no net yet"


def main():
    torch.set_num_threads(int(os.environ.get("SWWAE_THREADS", "2")))
    torch.set_flush_denormal(True)
    peer = Peer()
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            break
        if not words:
            continue
        try:
            reply = peer.answer(words)
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
