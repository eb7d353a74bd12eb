#!/usr/bin/env python3
"""Every pass of a training step of the benches' nets, as `swwae bench --explain` shows it: kernel,
time, operations done and avoided, the rate of those done as a share of what this machine's
multiply-adds alone reach, and why the pass runs so.

    bench/passes.py [--swwae PATH] [--quick] [--nets N1,N2,N3,P,P-supervised,C,S]

Standard library only.
"""

import argparse
import pathlib
import subprocess
import sys

# As in nets.c. name: (what is said above the table, options of swwae bench)
NETS = {
    "N1": ("N1, unsupervised", "--arch (16)5c-(32)3c-7p --image 1x28x28 --labels none"),
    "N2": ("N2", "--arch (64)5c-2p-(64)3c-2p-(128)3c-2p-10fc --image 1x32x32"),
    "N3": ("N3", "--arch (128)5c-2p-(128)3c-2p-(256)3c-(256)3c-2p-10fc --image 3x32x32"),
    "P": ("P, the paper's MNIST net",
          "--arch (64)5c-2p-(64)3c-2p-(64)3c-2p-10fc --image 1x32x32"),
    "P-supervised": ("P, supervised: no decoder",
                     "--arch (64)5c-2p-(64)3c-2p-(64)3c-2p-10fc --image 1x32x32 --lambda-rec 0"
                     " --lambda-m 0"),
    "C": ("C, the paper's CIFAR net, with batch normalisation",
          "--arch (128)3c-(256)3c-2p-(256)3c-(512)3c-2p-(512)3c-(512)3c-2p-(512)3c-(512)3c-2p"
          "-128fc-10fc --image 3x32x32 --norm batch --batch 16"),
    "S": ("S, the paper's STL-10 net, with batch normalisation",
          "--arch (64)3c-4p-(64)3c-3p-(128)3c-(128)3c-2p-(256)3c-(256)3c-(256)3c-(512)3c-(512)3c"
          "-(512)3c-2p-10fc --image 3x96x96 --norm batch --batch 16"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--swwae", help="the command (build-test/swwae, build/swwae)")
    parser.add_argument("--quick", action="store_true", help="one net, two steps")
    parser.add_argument("--nets", default=",".join(NETS), help="which (all)")
    args = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parents[1]
    places = [args.swwae] if args.swwae else [root / "build-test/swwae", root / "build/swwae"]
    swwae = next((str(place) for place in places if pathlib.Path(place).exists()), None)
    if not swwae:
        sys.exit("passes.py: no swwae command found: make build, or --swwae PATH")
    names = ["N1"] if args.quick else args.nets.split(",")
    if unknown := set(names) - set(NETS):
        sys.exit(f"passes.py: --nets: \"{unknown.pop()}\" found, expected some of {','.join(NETS)}")
    for name in names:
        title, options = NETS[name]
        command = [swwae, "bench", "--explain", "--quiet", "--threads", "2", "--batch", "128",
                   "--repetitions", "2" if args.quick else "10", *options.split()]
        print(f"{title}\n", flush=True)
        status = subprocess.run(command, check=False).returncode
        if status:
            sys.exit(f"passes.py: {' '.join(command)}: exit status {status}")
        print(flush=True)


if __name__ == "__main__":
    main()
