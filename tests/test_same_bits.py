#!/usr/bin/env python3
"""test_same_bits.py COMMAND - on every path of the engine: the same bits with one, two and three
threads, when repeated, and when killed and resumed. Across instruction sets, whose sums run in other
orders, the distance of the loss curves."""
import os
import subprocess
import sys
import tempfile
import time

from kill_trainings import digest

SECONDS = 300
TRAINING = ["--data", "shapes", "--arch", "(8)3c-(8)3c-2p-(16)3c-2p-10fc", "--batch", "16",
            "--labels", "100", "--recipe", "none", "--validation", "100", "--steps", "60",
            "--checkpoint-every", "3"]
PATHS = {
    "default": {}, "plain": {"SWWAE_ISA": "plain"}, "avx2": {"SWWAE_ISA": "avx2"},
    "avx512": {"SWWAE_ISA": "avx512"}, "dense": {"SWWAE_SPARSE": "0"},
    "direct": {"SWWAE_WINOGRAD": "0"}, "dense and direct": {"SWWAE_SPARSE": "0", "SWWAE_WINOGRAD": "0"},
    "bf16": {},
}
ISAS = ("plain", "avx2", "avx512")
CURVE = ["--data", "shapes", "--arch", "(8)3c-2p-(16)3c-2p-10fc", "--batch", "16", "--labels", "100",
         "--recipe", "none", "--validation", "0", "--lambda-rec", "0", "--lambda-m", "0", "--lr",
         "0.003", "--steps", "300"]
BOUND = 1e-3  # of the losses, relative; found: 1.2e-5


def train(command, folder, env, *options):
    result = subprocess.run([command, "train", *options], env={**os.environ, **env}, text=True,
                            capture_output=True, timeout=SECONDS, check=False)
    assert result.returncode == 0, f"{folder}: {result.stderr}"
    return result.stderr


def train_killed(command, folder, env, options):
    process = subprocess.Popen([command, "train", "--quiet", "--out", folder, *options],
                               env={**os.environ, **env}, stderr=subprocess.DEVNULL)
    while process.poll() is None and not os.path.exists(
            os.path.join(folder, "checkpoint-previous.safetensors")):
        time.sleep(0.001)
    process.kill()
    process.wait()


def losses(folder):
    with open(os.path.join(folder, "metrics.csv"), encoding="utf-8") as file:
        return [float(line.split(",")[3]) for line in list(file)[1:]]


def has_bf16():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return "avx512_bf16" in file.read()
    except OSError:
        return False


def main():
    command = os.path.abspath(sys.argv[1])
    passed = failed = 0
    with tempfile.TemporaryDirectory() as top:
        for path, env in PATHS.items():
            if path == "bf16" and not has_bf16():
                print("bf16: no avx512_bf16 here")
                continue
            options = [*TRAINING, *(["--precision", "bf16"] if path == "bf16" else [])]
            found = []
            for i, threads in enumerate(("1", "1", "2", "3")):
                folder = os.path.join(top, f"{path}-{i}")
                if i < 3:
                    train(command, folder, env, "--out", folder, *options, "--threads", threads)
                else:
                    train_killed(command, folder, env, options)
                    train(command, folder, env, "--resume", folder, "--threads", threads)
                found.append(digest(folder))
            good = all(run == found[0] for run in found)
            print(f"{'ok    ' if good else 'FAILED'} {path}")
            passed, failed = passed + good, failed + (not good)
        curves = {}
        for isa in ISAS:
            folder = os.path.join(top, f"isa-{isa}")
            said = train(command, folder, {"SWWAE_ISA": isa}, "--out", folder, *CURVE)
            if "does not have" not in said:
                curves[isa] = losses(folder)
        for isa, curve in curves.items():
            distance = max(abs(a / b - 1) for a, b in zip(curve, curves["plain"]))
            good = len(curve) == len(curves["plain"]) > 10 and distance < BOUND
            print(f"{'ok    ' if good else 'FAILED'} {isa}: {len(curve)} losses within {distance:.1e} "
                  f"of plain's, the last {curve[-1]}")
            passed, failed = passed + good, failed + (not good)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
