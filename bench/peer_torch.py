"""The benches' peer: PyTorch doing the same work, driven line by line over stdin and stdout so that
bench_steps can interleave the two (docs/contributing.md, rule 13).

    net ARCH C H W BATCH MODE NORM PRECISION   builds a network; MODE supervised, unsupervised or
                                semi, NORM 0 or 1: batch normalisation after every convolution,
                                PRECISION fp32, autocast (PyTorch's own choice of what to do in
                                bf16) or cast (all of it in bf16, but for the sums of the losses
                                and the master weights of Adam)            -> ok
    train N                     so many training steps                     -> milliseconds of one
    forward N                   so many times classify and reconstruct     -> milliseconds of one
    loss                        total of the last training step            -> a number
    base                        measures memory from here on: a small network has been through all
                                that is loaded or made once                -> ok
    memory                      the peak of the resident set since the last net was built: what
                                it is above that at base, and all of it    -> MB, MB
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

import contextlib
import gc
import logging
import os
import pathlib
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


def unpools_bf16():
    """PyTorch 1.13 cannot; its autocast does that in fp32."""
    try:
        F.max_unpool2d(*F.max_pool2d(torch.ones(1, 16, 2, 2, dtype=torch.bfloat16), 2,
                                     return_indices=True), 2)
        return True
    except RuntimeError:
        return False


def work_in_bf16():
    """Of reference_model, what a network that is all bf16 needs otherwise."""
    plain_unpool, plain_classify = reference_model.unpool, reference_model.Swwae.classify

    def distance(a, b, reduction):
        assert reduction == "sum", reduction
        return (a - b).square().sum(dtype=torch.float32) / len(a)

    if not unpools_bf16():
        reference_model.unpool = lambda what, *how: plain_unpool(what.float(), *how).bfloat16()
    reference_model.distance = distance
    reference_model.Swwae.classify = lambda model, top, watch=None: \
        plain_classify(model, top, watch).float()


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
    def __init__(self, arch, channels, height, width, batch, mode, norm, precision, compiled):
        labelled = {"supervised": batch, "unsupervised": 0, "semi": batch // 2}[mode]
        inner = len(reference_model.parse(arch)[0]) - 1
        self.supervised = mode == "supervised"
        objective = reference_model.Objective(
            nll=1.0 if labelled else 0.0, rec=0.0 if self.supervised else 1.0,
            m=() if self.supervised else (0.1,) * inner, reduction="sum")
        self.model = reference_model.Swwae(arch, channels, height, width,
                                          norm="batch" if norm else "none")
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
        self.masters = None
        if precision == "cast":
            self.masters = [p.detach().clone() for p in self.trained()]
            self.model.bfloat16()
            self.x = self.x.bfloat16()
        self.precision = precision
        self.adam = adam(self.masters or self.trained())
        self.loss = float("nan")
        self.plain = {"train": lambda: objective(self.model, self.x, self.labels)[0],
                      "forward": self.infer}
        self.call = {name: torch.compile(call) if compiled else call
                     for name, call in self.plain.items()}

    def trained(self):
        return [p for p in self.model.parameters() if p.requires_grad]

    def autocast(self):
        if self.precision == "autocast":
            return torch.autocast("cpu", dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def infer(self):
        if self.supervised:  # its decoder is untrained: nobody would run it
            return self.model.classify(self.model.encode(self.x)[0][-1])
        return self.model(self.x)

    def update(self):
        """Adam; of a net in bf16 on its master weights, which are then rounded into it."""
        if not self.masters:
            self.adam.step()
            return
        for master, parameter in zip(self.masters, self.trained()):
            # one that no term reaches has none
            master.grad = None if parameter.grad is None else parameter.grad.float()
        self.adam.step()
        with torch.no_grad():
            for master, parameter in zip(self.masters, self.trained()):
                parameter.copy_(master)

    def train(self, steps=1):
        """Seconds of one."""
        self.model.train()
        begin = time.perf_counter()
        for _ in range(steps):
            self.model.zero_grad(set_to_none=True)
            with self.autocast():
                total = self.call["train"]()
            total.backward()
            self.update()
        took = time.perf_counter() - begin
        self.loss = total.item()
        return took / steps

    def forward(self, passes):
        self.model.eval()
        begin = time.perf_counter()
        for _ in range(passes):
            with torch.inference_mode(), self.autocast():
                self.call["forward"]()
        return (time.perf_counter() - begin) / passes

    def timed(self, name, count):
        """Compiling is done by the first call; where it fails, the uncompiled one stays."""
        try:
            return getattr(self, name)(count)
        except Exception as error:
            if self.call[name] is self.plain[name]:
                raise
            say(f"{name} runs uncompiled, {error!r}")
            self.call[name] = self.plain[name]
            return getattr(self, name)(count)


def resident(key):
    """MB of this process."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(key))


def forget_peak():
    """The peak of the resident set starts again: what making the numbers of a net took is not its
    memory."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError as error:
        say(f"the peak counts the making of the net too: {error}")


class Peer:
    def __init__(self):
        self.compiled = can_compile()
        self.base = None
        self.net = None

    def make(self, arch, *rest):
        self.net = None
        gc.collect()
        channels, height, width, batch = map(int, rest[:4])
        mode, norm, precision = rest[4], rest[5] == "1", rest[6]
        if precision == "cast":
            work_in_bf16()
        self.net = Net(arch, channels, height, width, batch, mode, norm, precision, self.compiled)
        if self.base is not None:
            forget_peak()

    def measure_memory(self):
        """What is loaded or made once, such as code and threads, is no memory of a net."""
        for norm in "01":
            self.make("(16)5c-2p-(16)3c-2p-10fc", 1, 8, 8, 2, "semi", norm, "fp32")
            self.net.train()
            self.net.train()
        self.net = None
        gc.collect()
        self.base = resident("VmRSS")

    def answer(self, words):
        if words[0] == "net" and len(words) == 9:
            self.make(*words[1:])
            return "ok"
        if words == ["version"]:
            return f"{torch.__version__} {'compiled' if self.compiled else 'eager'}"
        if words == ["base"]:
            self.measure_memory()
            return "ok"
        if words == ["memory"] and self.base is not None:
            peak = resident("VmHWM")
            return f"{peak - self.base:.1f} {peak:.1f}"
        if self.net and len(words) == 2 and words[0] in ("train", "forward"):
            return f"{1e3 * self.net.timed(words[0], int(words[1])):.4f}"
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
        except (KeyError, ValueError, IndexError, RuntimeError, OSError) as error:
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
