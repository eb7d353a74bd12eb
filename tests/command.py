"""command.py - what the tests of the command share: running it, comparing what it says, counting.

A test file gives its tests to `main`, which takes the path of the command from the command line,
runs them in a temporary folder without any data file, prints one line a check and `N passed, N
failed`, and exits 1 on a failure. Standard library only.
"""

import atexit
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

ARCH = "(6)5c-2p-(8)3c-2p-10fc"
TINY = ["--data", "shapes", "--arch", ARCH, "--batch", "10", "--threads", "2"]
SECONDS = 300  # a command that takes longer hangs

counts = {True: 0, False: 0}


def check(name, passed, detail=""):
    counts[bool(passed)] += 1
    print(f"{'ok    ' if passed else 'FAILED'} {name}", flush=True)
    if not passed and detail:
        print("       " + str(detail).replace("\n", "\n       "), flush=True)


def path():
    """Of the command."""
    return os.path.abspath(shutil.which(sys.argv[1]) or sys.argv[1])


def png_size(file):
    """Width and height of a PNG whose chunks are whole and whose checksums fit."""
    data = Path(file).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG signature"
    at, size, kinds, pixels = 8, None, [], b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at:at + 4])
        kind, body = data[at + 4:at + 8], data[at + 8:at + 8 + length]
        (checksum,) = struct.unpack(">I", data[at + 8 + length:at + 12 + length])
        assert checksum == zlib.crc32(kind + body), f"checksum of {kind}"
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        if kind == b"IDAT":
            pixels += body
        kinds.append(kind)
        at += 12 + length
    assert kinds[-1] == b"IEND", "no end"
    assert len(zlib.decompress(pixels)) >= size[0] * size[1], "too few pixels"
    return size


def watched():
    """Whether the command runs under a sanitizer or valgrind, which take time and memory of their own."""
    return bool(os.environ.get("SWWAE_WATCHED"))


def signals_wait():
    """Whether signals wait for the command's next call into the C library (ThreadSanitizer)."""
    return os.environ.get("SWWAE_WATCHED") == "threads"


def very_slow():
    """Whether the command runs under valgrind, a hundred times as slowly."""
    return os.environ.get("SWWAE_WATCHED") == "valgrind"


def begin(*arguments, **more):
    """The command, running; it ends with the tests at the latest."""
    process = subprocess.Popen([path(), *arguments], **more)
    atexit.register(process.kill)  # nothing where it has ended
    return process


def run(*arguments, **more):
    return subprocess.run([path(), *arguments], capture_output=True, text=True, timeout=SECONDS,
                          **more)


def told(result):
    return f"status {result.returncode}\nstdout {result.stdout!r}\nstderr {result.stderr!r}"


def expect(name, arguments, status, stderr, stdout=""):
    """The exact output of a command; a compiled pattern is searched for instead."""
    result = run(*arguments)

    def same(found, wanted):
        return bool(wanted.search(found)) if isinstance(wanted, re.Pattern) else found == wanted

    check(name, result.returncode == status and same(result.stderr, stderr)
          and same(result.stdout, stdout), f"{told(result)}\nexpected stderr {stderr!r}")


def misuse(command, sentence):
    return f"swwae {command}: {sentence}\ntry: swwae {command} --help\n"


def last_json(text):
    return json.loads(text.strip().split("\n")[-1])


def main(*tests):
    if len(sys.argv) != 2:
        sys.exit(f"usage: python3 {sys.argv[0]} PATH/TO/swwae")
    sys.argv[1] = path()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for test in tests:
            try:
                test()
            except Exception as error:  # the other tests still tell something
                check(f"{test.__name__} ran to its end", False, f"{type(error).__name__}: {error}")
        os.chdir(home)
    print(f"{counts[True]} passed, {counts[False]} failed")
    sys.exit(1 if counts[False] else 0)
