#!/usr/bin/env python3
"""How speed and memory grow with the batch, the threads, the image, the maps and the pools: runs
`swwae bench --json` along one of them at a time and prints a table of each.

    bench/growth.py [--swwae PATH] [--quick] [--sweeps batch,threads,side,maps,pool]

Rates are dense-equivalent: the multiply-adds x 2 that a dense implementation does, over the time
ours takes. Memory is that of the engine, and in training of Adam too. Standard library only.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

MNIST = "(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc"  # the paper's
PROCESSORS = os.cpu_count() or 1

# name: (what is said above the table, values, those of --quick, options for a value). The batches
# of the large images and wide nets are small, so that no point takes much more than ten seconds.
SWEEPS = {
    "batch": ("images in a batch: the paper's MNIST net, 32x32",
              (1, 4, 16, 64, 256, 1024), (1, 64),
              lambda n: {"arch": MNIST, "batch": n}),
    "threads": ("threads: the paper's MNIST net, 32x32, batch 64",
                sorted({1, 2, *(n for n in (4, 8) if n <= PROCESSORS)}), (1, 2),
                lambda n: {"arch": MNIST, "batch": 64, "threads": n}),
    "side": ("pixels along a side of the image: the paper's MNIST net, batch 8",
             (28, 56, 112, 224), (28, 112),
             lambda n: {"arch": MNIST, "batch": 8, "image": f"1x{n}x{n}"}),
    "maps": ("maps of every convolution N: (N)5c-2p-(N)3c-2p-(N)3c-2p-10fc, 32x32, batch 16",
             (16, 32, 64, 128, 256, 512), (16, 128),
             lambda n: {"arch": MNIST.replace("64", str(n)), "batch": 16}),
    "pool": ("pool k: the paper's (16)5c-(32)3c-kp, 32x32, batch 64, unsupervised",
             (2, 3, 4, 7, 8, 16), (2, 7),
             lambda n: {"arch": f"(16)5c-(32)3c-{n}p", "batch": 64, "labels": "none"}),
}
MB = 2**20


def run(swwae, options, repetitions):
    """What `swwae bench` measures with these options."""
    settings = {"image": "1x32x32", "threads": min(2, PROCESSORS), **options}
    command = [swwae, "bench", "--json", "--quiet", "--repetitions", str(repetitions)]
    for name, value in settings.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"growth.py: {' '.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def row(value, found):
    """The cells of one point."""
    forward = sum(p["flops_dense"] for p in found["passes"] if p["direction"] == "forward")
    cells = [str(value)]
    for kind, flops in (("train", found["flops_dense"]), ("forward", forward)):
        timing = found[kind]
        spread = f"({1e3 * timing['fastest']:.2f}..{1e3 * timing['slowest']:.2f})"
        cells += [f"{1e3 * timing['seconds']:.2f}", spread,
                  f"{timing['images_per_second']:.0f}", f"{1e-9 * flops / timing['seconds']:.0f}",
                  f"{found['memory_' + kind] / MB:.1f}"]
    return cells + [f"{100 * (1 - found['flops'] / found['flops_dense']):.0f} %"]


def show(name, rows):
    """Right-aligned columns under two lines of headings."""
    passes = ["ms", "(fastest..slowest)", "images/s", "GFLOP/s", "MB"]
    lines = [[name, *passes, *passes, "avoided"], *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    half = sum(widths[1:6]) + 2 * 5
    print(" " * widths[0] + "training step".rjust(half) + "forward pass".rjust(half))
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--swwae", help="the command (build-test/swwae, build/swwae)")
    parser.add_argument("--quick", action="store_true",
                        help="few points and one repetition: a test that it runs")
    parser.add_argument("--repetitions", type=int, default=15, help="timed steps of a point (15)")
    parser.add_argument("--sweeps", default=",".join(SWEEPS), help="which (all)")
    args = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parents[1]
    places = [args.swwae] if args.swwae else [root / "build-test/swwae", root / "build/swwae"]
    swwae = next((str(place) for place in places if pathlib.Path(place).exists()), None)
    if not swwae:
        sys.exit("growth.py: no swwae command found: make build, or --swwae PATH")
    unknown = set(args.sweeps.split(",")) - set(SWEEPS)
    if unknown:
        sys.exit(f"growth.py: --sweeps: \"{unknown.pop()}\" found, expected some of "
                 f"{','.join(SWEEPS)}")
    repetitions = 1 if args.quick else args.repetitions
    print("GFLOP/s count what a dense implementation computes; avoided: the share of these in a "
          "training step that is not done.")
    print(f"Medians of {repetitions}; {min(2, PROCESSORS)} threads where nothing else is said; MB "
          "are 2^20 bytes of the engine, in training with Adam.")
    for name in args.sweeps.split(","):
        title, values, few, options = SWEEPS[name]
        rows = []
        for value in few if args.quick else values:
            rows.append(row(value, run(swwae, options(value), repetitions)))
        print(f"\n{title}")
        show(name, rows)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
