#!/usr/bin/env python3
"""kill_trainings.py COMMAND [KILLS [SEED]] - kills real trainings and compares what they come to.

One training runs without a stop. The same is then run again and killed (SIGKILL, each fourth time
Ctrl-C's SIGINT) at a random moment, resumed, killed again, until it ends; as many times as it takes
for KILLS kills. Every second kill waits until a file of the run is being written (FILE.tmp.PID is
there), so that it falls inside the write. In the end the bytes of the checkpoint, the model and the
labels, and the table without its last column, the seconds, must be those of the first training.
The trainings take turns: all parts of a loss and adam, sgd with momentum, bf16 where there is any.
"""
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

SECONDS = 300
ARCH = ["--data", "shapes", "--arch", "(6)5c-2p-(8)3c-2p-10fc", "--batch", "10",
        "--validation", "200", "--steps", "500", "--checkpoint-every", "3"]
KINDS = [
    ["--threads", "1", "--labels", "100", "--dropout", "0.5", "--norm", "batch"],
    ["--threads", "2", "--labels", "all", "--optimizer", "sgd", "--lr", "0.01"],
    ["--threads", "2", "--labels", "100", "--average", "0.9", "--pseudo-labels", "0.3",
     "--consistency", "1", "--augment", "shift"],
]


def digest(folder):
    found = []
    for name in ("checkpoint.safetensors", "model.safetensors", "labels.json"):
        with open(os.path.join(folder, name), "rb") as file:
            found.append(hashlib.sha256(file.read()).hexdigest())
    with open(os.path.join(folder, "metrics.csv"), encoding="utf-8") as file:
        rows = [line.rsplit(",", 1)[0] for line in file]
    steps = [int(row.split(",")[1]) for row in rows[1:]]
    assert steps == sorted(set(steps)), f"rows of the table: {steps}"
    return found + ["\n".join(rows)]


def half_written(folder):
    try:
        return any(".safetensors.tmp." in name for name in os.listdir(folder))
    except FileNotFoundError:
        return False


def start(command, folder, kind):
    config = os.path.join(folder, "config.json")
    how = ["--resume", folder] if os.path.exists(config) else ["--out", folder, *ARCH, *kind]
    return subprocess.Popen([command, "train", "--quiet", *how], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def end(process, allowed):
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode in allowed, f"status {process.returncode}: {said}"
    return said


def kill(process, folder, wait, inside, interrupt):
    """Returns whether it was still running, and whether a file was then being written."""
    end_of_wait = time.monotonic() + wait
    while time.monotonic() < end_of_wait and process.poll() is None:
        time.sleep(min(0.002, wait))
    while inside and process.poll() is None and not half_written(folder):
        pass
    if process.poll() is not None:
        end(process, (0,))
        return False, False
    process.send_signal(signal.SIGINT if interrupt else signal.SIGKILL)
    said = end(process, (0, 1, -signal.SIGINT) if interrupt else (0, -signal.SIGKILL))
    assert process.returncode != 1 or said.startswith("stopped"), said
    return process.returncode != 0, half_written(folder)


def main():
    command, draw = os.path.abspath(sys.argv[1]), random.Random(
        int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    kills = writes = interrupts = trainings = 0
    with tempfile.TemporaryDirectory() as top:
        whole, seconds = [], []
        for i, kind in enumerate(KINDS):
            begin = time.monotonic()
            end(start(command, os.path.join(top, f"whole-{i}"), kind), (0,))
            seconds.append(time.monotonic() - begin)
            whole.append(digest(os.path.join(top, f"whole-{i}")))
        while kills < wanted:
            i = trainings % len(KINDS)
            folder = os.path.join(top, f"run-{trainings}")
            for attempt in range(1000):
                process = start(command, folder, KINDS[i])
                if attempt >= 8 and kills >= wanted:
                    end(process, (0,))
                    break
                interrupt = draw.random() < 0.25
                # from the process's first moment to well inside the training
                killed, writing = kill(process, folder, draw.random() ** 2 * seconds[i] * 0.5,
                                       draw.random() < 0.5, interrupt)
                kills += killed
                interrupts += killed and interrupt
                writes += writing
                if not killed:
                    break
            assert digest(folder) == whole[i], f"{' '.join(KINDS[i])}: other bits"
            trainings += 1
    assert writes, "no kill fell inside a write"
    print(f"{trainings} trainings killed {kills} times ({interrupts} by Ctrl-C, {writes} inside "
          "the write of a checkpoint or model) came to the bits of those never stopped")
    print("1 passed, 0 failed")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    main()
