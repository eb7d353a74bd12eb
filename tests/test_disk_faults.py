#!/usr/bin/env python3
"""test_disk_faults.py COMMAND DISK_FAULTS - a training on a disk that is full, or loses power and with
it what was not forced to disk, at moments all over its calls of write, fsync and rename, and resumed:
the same bits as on a good disk (see disk_faults.c)."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from kill_trainings import digest

SECONDS = 300
TRAINING = ["--data", "shapes", "--arch", "(4)3c-4p-(4)3c-4p-10fc", "--batch", "10", "--labels", "50",
            "--validation", "50", "--steps", "24", "--checkpoint-every", "5", "--threads", "1",
            "--average", "0.9"]
MOMENTS = [1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 16, 19, 23, 27, 31, 36, 41, 47, 53, 60]


def train(command, folder, env=None):
    config = os.path.join(folder, "config.json")
    how = ["--resume", folder] if os.path.exists(config) else ["--out", folder, *TRAINING]
    return subprocess.run([command, "train", "--quiet", *how], env=env, timeout=SECONDS, text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)


def main():
    command = os.path.abspath(sys.argv[1])
    passed = failed = 0
    with tempfile.TemporaryDirectory() as top:
        faults = shutil.copy(sys.argv[2], top)  # LD_PRELOAD cannot name a path with a space
        whole = os.path.join(top, "whole")
        assert train(command, whole).returncode == 0
        wanted = digest(whole)
        for fault in ("full", "power", "power-undo"):
            for at in MOMENTS:
                folder = os.path.join(top, f"{fault}-{at}")
                env = {**os.environ, "LD_PRELOAD": faults, "FAULT": fault, "FAULT_AT": str(at),
                       "FAULT_IN": folder}
                result = train(command, folder, env)
                said = result.stderr.strip()
                good = ("No space left" in said if fault == "full" else
                        result.returncode == -signal.SIGKILL)
                again = train(command, folder)
                good = good and again.returncode == 0 and digest(folder) == wanted
                passed, failed = passed + good, failed + (not good)
                if not good:
                    print(f"FAILED {fault} at call {at}: {result.returncode} {said!r}, then "
                          f"{again.returncode} {again.stderr!r}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
