"""test_cli.py - the command as a user meets it: exact messages of mistakes, and a small workflow.

    python3 tests/test_cli.py PATH/TO/swwae

Standard library only. Prints one line a check and `N passed, N failed`; exits 1 on a failure.
Everything happens in a temporary folder, without any data file.
"""

import ast
import csv
import fcntl
import io
import json
import math
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
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


def run(*arguments, **more):
    return subprocess.run([SWWAE, *arguments], capture_output=True, text=True, timeout=SECONDS,
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


# ---- Files --------------------------------------------------------------------------------


def png_bytes(rows):
    """An 8-bit gray PNG; rows of equal length with values 0..255."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    raw = b"".join(b"\0" + bytes(row) for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw))
            + chunk(b"IEND", b""))


def png_size(path):
    """Width and height of a PNG whose chunks are whole and whose checksums fit."""
    data = Path(path).read_bytes()
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


def disc():
    return [[255 if (x - 15.5) ** 2 + (y - 15.5) ** 2 < 36 else 0 for x in range(32)]
            for y in range(32)]


# ---- Mistakes -----------------------------------------------------------------------------


def test_top():
    expect("no command: usage on stderr", [], 2, re.compile(r"\Ausage: swwae COMMAND"))
    expect("--version", ["--version"], 0, "", re.compile(r"\Aswwae \d+\.\d+\.\d+\n\Z"))
    expect("unknown command", ["trian"], 2,
           'swwae: unknown command "trian"; did you mean "train"?\ntry: swwae --help\n')
    expect("unknown command, longer", ["evaluate"], 2,
           'swwae: unknown command "evaluate"; did you mean "eval"?\ntry: swwae --help\n')
    expect("unknown command, nothing near", ["frobnicate"], 2,
           'swwae: unknown command "frobnicate"\ntry: swwae --help\n')
    expect("help on an unknown command", ["help", "inof"], 2,
           'swwae: unknown command "inof"; did you mean "info"?\ntry: swwae --help\n')
    expect("unknown option before the command", ["--fast"], 2,
           "swwae: unknown option --fast\ntry: swwae --help\n")


def test_help():
    manual = (Path(__file__).resolve().parent.parent / "man" / "swwae.1").read_text()
    manual = manual.replace("\\-", "-").replace('"', " ")
    top = run("--help")
    check("--help", top.returncode == 0 and not top.stderr and run("help").stdout == top.stdout
          and run("-h").stdout == top.stdout, told(top))
    for command in "train eval predict reconstruct encode info".split():
        result = run(command, "--help")
        good = (result.returncode == 0 and not result.stderr
                and result.stdout.startswith(f"usage: swwae {command}")
                and "\nExamples\n" in result.stdout
                and result.stdout == run("help", command).stdout == run(command, "-h").stdout)
        check(f"{command} --help", good, told(result))
        check(f"{command} in the overview", f"\n  {command} " in top.stdout)
        section = manual.split(f".SS swwae {command}\n", 1)[-1].split(".SS ", 1)[0]
        options = re.findall(r"^  --([a-z-]+)", result.stdout, re.MULTILINE)
        missing = [o for o in options
                   if o != "help" and not re.search(rf"--{o}(?![a-z-])", section)]
        check(f"{command}: the manual tells every option", len(options) > 2 and not missing,
              missing)
        before_examples = result.stdout.split("\nExamples\n")[0].split("\n")
        check(f"{command}: help fits 80 columns",
              all(len(line) <= 80 for line in before_examples),
              [line for line in before_examples if len(line) > 80])


def test_mistakes():
    text = Path("text.txt")
    text.write_text("not a model, not a picture\n")
    Path("bad.json").write_text('{"epochs": "many"}')
    Path("broken.json").write_text('{"epochs": ')
    Path("folder").mkdir()
    table = [
        ("unknown option with a near one", "train", ["--lamda-rec", "2"], 2,
         "unknown option --lamda-rec; did you mean --lambda-rec?"),
        ("unknown option, = form", "train", ["--epoch=3"], 2,
         "unknown option --epoch; did you mean --epochs?"),
        ("unknown option, nothing near", "train", ["--xyzzy"], 2, "unknown option --xyzzy"),
        ("no short options", "train", ["-e", "3"], 2, "unknown option -e"),
        ("missing value at the end", "train", ["--epochs"], 2, "option --epochs needs a value X"),
        ("missing value before an option", "train", ["--out", "--quiet"], 2,
         "option --out needs a value RUN, --quiet found"),
        ("value for a flag", "train", ["--quiet=yes"], 2,
         'option --quiet takes no value, "yes" found'),
        ("empty value", "train", ["--out="], 2, "option --out: nothing found, expected RUN"),
        ("operand where none belongs", "train", ["shapes"], 2, 'unexpected argument "shapes"'),
        ("bad number", "train", ["--epochs", "ten"], 2,
         'option --epochs: "ten" found, expected a number above 0 and at most 1e+09'),
        ("number with a tail", "train", ["--batch", "64x"], 2,
         'option --batch: "64x" found, expected a whole number from 1 to 65536'),
        ("number out of range", "train", ["--labelled-share", "1.5"], 2,
         'option --labelled-share: "1.5" found, expected a number above 0 and below 1'),
        ("bad word", "train", ["--optimizer", "adma"], 2,
         'option --optimizer: "adma" found, expected adam|sgd'),
        ("--resume and --config", "train", ["--resume", "folder", "--config", "bad.json"], 2,
         "--config and --resume exclude each other: a run goes on with its own options, only "
         "--epochs, --steps and --threads may change"),
        ("--resume and a fixed option", "train", ["--resume", "folder", "--lr", "1"], 2,
         "--lr and --resume exclude each other: a run goes on with its own options, only "
         "--epochs, --steps and --threads may change"),
        ("no model", "eval", [], 2, "expected one MODEL or RUN, 0 found"),
        ("two models", "eval", ["a", "b"], 2, "expected one MODEL or RUN, 2 found"),
        ("missing model file", "eval", ["nowhere.safetensors"], 1,
         "nowhere.safetensors: cannot be opened (No such file or directory)"),
        ("not a model", "eval", ["text.txt"], 1,
         re.compile(r"\Aswwae eval: text\.txt: .* it is cut short or not a safetensors file\n\Z")),
        ("a folder without a model", "info", ["folder"], 1,
         "folder: no model.safetensors in this folder; give a model file or the folder of a run"),
        ("bad --threads", "eval", ["x", "--threads", "many"], 2,
         'option --threads: "many" found, expected a whole number from 0 to 256'),
        ("nothing to predict", "predict", [], 2, "expected MODEL and at least one FILE"),
        ("no file to predict", "predict", ["model"], 2,
         "expected at least one FILE after MODEL"),
        ("bad --top", "predict", ["m", "f", "--top", "0"], 2,
         'option --top: "0" found, expected a whole number from 1 to 65536'),
        ("bad --where", "reconstruct", ["m", "--where", "mine"], 2,
         'option --where: "mine" found, expected own, none, other or all'),
        ("bad --zoom", "reconstruct", ["m", "--zoom=17"], 2,
         'option --zoom: "17" found, expected a whole number from 1 to 16'),
        ("info on nothing", "info", [], 2, "expected one MODEL or RUN, or --data NAME; 0 found"),
        ("info on two things", "info", ["m", "--data", "shapes"], 2,
         '"m" and --data exclude each other: describe one at a time'),
        ("info: --pad without --data", "info", ["m", "--pad", "32"], 2, "--pad needs --data"),
        ("bad --split", "info", ["--data", "shapes", "--split", "valid"], 2,
         'option --split: "valid" found, expected train or test'),
        ("unknown data set", "info", ["--data", "shapse"], 2,
         'there is no data set "shapse", expected shapes, mnist, fashion-mnist or a folder that '
         "holds IDX files"),
        ("missing data folder", "info", ["--data", "no/where"], 1,
         "the data folder no/where does not exist"),
        ("empty data folder", "info", ["--data", "./folder"], 1,
         "./folder holds neither t10k-images-idx3-ubyte nor t10k-images.idx3-ubyte (plain or .gz); "
         "put the four IDX files of a data set there"),
        ("missing --config file", "train", ["--config", "nowhere.json"], 1,
         "nowhere.json: cannot be opened (No such file or directory)"),
        ("bad value in --config", "train", ["--config", "bad.json"], 1,
         'bad.json: option --epochs: "many" found, expected a number above 0 and at most '
         "1e+09"),
        ("--config that is not JSON", "train", ["--config", "broken.json"], 1,
         re.compile(r"\Aswwae train: broken\.json: not JSON \(line 1: .*\), expected an object of "
                    r"options\n\Z")),
        ("--resume of nothing", "train", ["--resume", "nowhere"], 1,
         "nowhere/config.json: cannot be opened (No such file or directory)"),
        ("--resume of a file", "train", ["--resume", "text.txt"], 1,
         "text.txt: a file found, expected the folder of a run (the one with "
         "checkpoint.safetensors and config.json)"),
        ("a seed out of range", "train", ["--seed", "18446744073709551615"], 2,
         'option --seed: "18446744073709551615" found, expected a whole number from 0 to '
         "9223372036854775807"),
        ("a folder where the model belongs", "predict", ["folder", "text.txt"], 2,
         "folder: no model.safetensors in this folder; give a model file or the folder of a run; "
         "the model comes first"),
        ("--resume of a folder without a run", "train", ["--resume", "folder"], 1,
         "folder/config.json: cannot be opened (No such file or directory)"),
        ("training on unknown data", "train", ["--data", "shapse"], 2,
         'there is no data set "shapse", expected shapes, mnist, fashion-mnist or a folder that '
         "holds IDX files"),
        ("--out is a file", "train", [*TINY, "--steps", "3", "--out", "text.txt"], 2,
         "option --out: text.txt is there and not a folder; name another"),
    ]
    for name, command, arguments, status, sentence in table:
        if isinstance(sentence, re.Pattern):
            wanted = sentence
        elif status == 2:
            wanted = misuse(command, sentence)
        else:
            wanted = f"swwae {command}: {sentence}\n"
        expect(f"{command}: {name}", [command, *arguments], status, wanted)

    expect("train: bad notation, with the place", ["train", "--arch", "(64)5c-2q-10fc"], 2,
           "swwae train: option --arch: architecture \"(64)5c-2q-10fc\": at character 9, 'q' "
           "found, expected 'p' for a pool or 'fc' for a fully connected layer\n"
           "  (64)5c-2q-10fc\n"
           "          ^\n"
           "try: swwae train --help\n")
    expect("control characters are not repeated", ["train", "\x1b[31m"], 2,
           misuse("train", 'unexpected argument "?[31m"'))
    check("nothing was left behind by mistakes",
          sorted(os.listdir(".")) == ["bad.json", "broken.json", "folder", "text.txt"]
          and not os.listdir("folder"), os.listdir("."))


# ---- Work ---------------------------------------------------------------------------------


def last_json(text):
    return json.loads(text.strip().split("\n")[-1])


def test_train():
    result = run("train", *TINY, "--steps", "30", "--out", "run one", "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    check("train 30 steps", result.returncode == 0 and events and events[-1]["event"] == "end"
          and events[-1]["outcome"] == "finished" and events[-1]["run"] == "run one"
          and events[-1]["step"] == 30 and events[-1]["best_validation_error"] is not None
          and all(e["event"] == "validation" for e in events[:-1]), told(result))
    check("train: the run is told at the start", "run folder: run one\n" in result.stderr,
          result.stderr)
    files = sorted(os.listdir("run one"))
    check("train: the run's files", files == ["checkpoint.safetensors", "config.json",
                                              "labels.json", "metrics.csv", "model.safetensors"],
          files)
    expect("train: --out that holds a run", ["train", *TINY, "--steps", "3", "--out", "run one"],
           2, misuse("train", "option --out: run one already holds a run (config.json); go on "
                     "with it by --resume run one, or name another folder"))
    result = run("train", *TINY, "--steps", "3", "--quiet")
    check("train --quiet, default folder", result.returncode == 0 and not result.stderr
          and result.stdout.startswith("run    runs/shapes-1\nbest   validation error "),
          told(result))
    result = run("train", *TINY, "--steps=3", "--out", "it's")
    check("train: next commands can be pasted", result.returncode == 0
          and "\nnext   swwae eval 'it'\\''s'\n" in result.stdout, told(result))
    result = run("train", "--config", "run one/config.json", "--out", "again", "--quiet")
    same = Path("run one/model.safetensors").read_bytes() == \
        Path("again/model.safetensors").read_bytes() if result.returncode == 0 else False
    check("train --config repeats a run to the bit", same, told(result))


def test_eval():
    result = run("eval", "run one", "--json", "--quiet")
    keys = ["images", "labelled", "error", "nll", "rec", "seconds", "images_per_second",
            "classes", "confusion"]
    found = json.loads(result.stdout) if result.returncode == 0 else {}
    check("eval --json", list(found) == keys and not result.stderr and found["images"] == 2000
          and found["labelled"] == 2000 and len(found["classes"]) == 10, told(result))
    if found:
        rows = found["confusion"]
        total = sum(map(sum, rows))
        wrong = total - sum(rows[k][k] for k in range(10))
        check("eval: error and confusion matrix agree", total == 2000
              and abs(found["error"] - wrong / 20) < 1e-9, found["error"])
    result = run("eval", "run one/model.safetensors", "--threads", "1")
    check("eval as text", result.returncode == 0
          and f"error    {found.get('error', -1):.2f} % (" in result.stdout
          and "confusion matrix" in result.stdout, told(result))
    expect("eval: --pad that does not fit", ["eval", "run one", "--pad", "40"], 1,
           re.compile(r"\Aswwae eval: the data has images of 1 x 40 x 40 .*\n\Z"))
    result = run("eval", "run one", "--data", "shapse")
    check("eval: unknown data", result.returncode == 2
          and result.stderr.startswith('swwae eval: there is no data set "shapse"'), told(result))


def test_info():
    result = run("info", "run one", "--json")
    found = json.loads(result.stdout) if result.returncode == 0 else {}
    check("info --json", found.get("architecture") == ARCH and found.get("data") == "shapes"
          and len(found.get("layers", [])) == 9
          and found.get("parameters") == sum(layer["parameters"] for layer in found["layers"]),
          told(result))
    result = run("info", "run one")
    check("info as text", result.returncode == 0 and result.stdout.startswith(f"model       {ARCH}")
          and "image       1 x 32 x 32\n" in result.stdout
          and "\ntotal " in result.stdout and "\ntrained with\n" in result.stdout, told(result))
    result = run("info", "--data", "shapes", "--json")
    found = json.loads(result.stdout) if result.returncode == 0 else {}
    check("info --data --json", found.get("images") == 2000 and found.get("classes") == 10
          and sum(found.get("per_class", [])) == 2000, told(result))
    result = run("info", "--data", "shapes", "--split", "train", "--pad", "40")
    check("info --data as text", result.returncode == 0 and "images      10000 (train)\n"
          in result.stdout and "image       1 x 40 x 40, zero-padded\n" in result.stdout
          and not result.stderr, told(result))


def test_predict():
    Path("a, disc.png").write_bytes(png_bytes(disc()))
    Path("small.png").write_bytes(png_bytes([row[4:28] for row in disc()[4:28]]))
    result = run("predict", "run one", "a, disc.png", "a, disc.png")
    rows = list(csv.reader(io.StringIO(result.stdout)))
    check("predict as CSV", result.returncode == 0 and not result.stderr and len(rows) == 3
          and rows[0] == ["source", "class", "name", "probability"] and rows[1] == rows[2]
          and rows[1][0] == "a, disc.png" and 0 <= int(rows[1][1]) < 10
          and 0.1 <= float(rows[1][3]) <= 1, told(result))
    result = run("predict", "run one", "a, disc.png", "--json", "--top", "99")
    found = json.loads(result.stdout) if result.returncode == 0 else {"top": []}
    chances = [entry["probability"] for entry in found["top"]]
    check("predict --json --top", len(chances) == 10 and abs(sum(chances) - 1) < 1e-5
          and chances == sorted(chances, reverse=True)
          and found["top"][0] == {k: found[k] for k in ("class", "name", "probability")}
          and str(found["class"]) == rows[1][1], told(result))
    result = run("predict", "run one", "--top", "3", "--", "a, disc.png")
    rows = list(csv.reader(io.StringIO(result.stdout)))
    check("predict --top as CSV", result.returncode == 0 and len(rows) == 2
          and len(rows[0]) == len(rows[1]) == 10 and rows[0][4] == "class_2", told(result))
    expect("predict: missing file", ["predict", "run one", "nowhere.png"], 1,
           "swwae predict: cannot open nowhere.png: No such file or directory\n")
    expect("predict: not a picture", ["predict", "run one", "text.txt"], 1,
           "swwae predict: text.txt is none of PNG, JPEG, IDX and .npy\n")
    cut = png_bytes(disc())[:60]
    Path("cut.png").write_bytes(cut)
    result = run("predict", "run one", "cut.png")
    check("predict: truncated PNG", result.returncode == 1 and not result.stdout
          and result.stderr.startswith("swwae predict: cut.png"), told(result))
    shutil.copytree("run one", "twins")
    shutil.copy("a, disc.png", "twins/a, disc.png")
    shutil.copy("a, disc.png", "twins/bell\a.png")
    result = run("predict", "run one", "a, disc.png", "twins/a, disc.png", "twins/bell\a.png")
    sources = [row[0] for row in csv.reader(io.StringIO(result.stdout))]
    check("predict: the paths as they were given, without control bytes", sources
          == ["source", "a, disc.png", "twins/a, disc.png", "twins/bell?.png"], told(result))
    sentence = "a, disc.png is a PNG picture, expected a model file or a run folder"
    expect("predict: swapped arguments", ["predict", "a, disc.png", "run one"], 2,
           misuse("predict", f"{sentence}; the model comes first"))
    expect("eval: a picture", ["eval", "a, disc.png"], 1, f"swwae eval: {sentence}\n")
    result = run("predict", "run one", "small.png")
    check("predict: another size", result.returncode == 1 and not result.stdout
          and result.stderr.startswith("swwae predict: small.png")
          and "24 x 24" in result.stderr and "32 x 32" in result.stderr, told(result))
    if Path("/dev/full").exists():
        with open("/dev/full", "w") as full:
            result = subprocess.run([SWWAE, "predict", "run one", "a, disc.png"], stdout=full,
                                    stderr=subprocess.PIPE, text=True, timeout=SECONDS)
        check("a full disk is told", result.returncode == 1 and result.stderr ==
              "swwae: the output could not be written: No space left on device\n", result.stderr)


def test_reconstruct():
    result = run("reconstruct", "run one", "--count", "5", "--zoom", "3", "--out", "own.png")
    size = png_size("own.png") if result.returncode == 0 else None
    # 5 cells of 32 pixels, 3 times enlarged, with lines of 2 pixels between them; 2 rows
    check("reconstruct", size == (5 * 96 + 4 * 2, 2 * 96 + 2), f"{size}\n{told(result)}")
    lines = result.stdout.splitlines()
    check("reconstruct: what it prints", len(lines) == 3 and lines[0] == "own.png"
          and lines[1] == "row 1  shapes, test images 0 to 4"
          and re.fullmatch(r"row 2  where own +mean squared error per pixel [\d.e-]+", lines[2]),
          told(result))
    result = run("reconstruct", "run one", "--where", "all", "--first", "1997", "--zoom", "1")
    size = png_size("reconstruct.png") if result.returncode == 0 else None
    check("reconstruct --where all, fewer images left", size == (3 * 32 + 4, 4 * 32 + 6),
          f"{size}\n{told(result)}")
    result = run("train", *TINY, "--unpool", "upsample", "--steps", "1", "--out", "no switches",
                 "--quiet")
    note = ("note: this model's decoder does not use the where (--unpool upsample), so rows own and "
            "other are the same\n")
    result = run("reconstruct", "no switches", "--where", "all")
    check("reconstruct: a decoder without switches is told", result.returncode == 0
          and result.stdout.endswith(note), told(result))
    result = run("reconstruct", "no switches")
    check("reconstruct: only where it matters", result.returncode == 0
          and "note" not in result.stdout, told(result))
    expect("reconstruct: images that are not there",
           ["reconstruct", "run one", "--first", "1997", "--count", "4"], 1,
           "swwae reconstruct: shapes has 2000 test images, numbered from 0; 4 from number 1997 "
           "on were asked for\n")
    result = run("reconstruct", "run one", "--out", "no/where.png")
    check("reconstruct: a folder that is not there", result.returncode == 1
          and not result.stdout and "no/where.png" in result.stderr, told(result))


def npy(path):
    """Type, shape and elements of a .npy file."""
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + size].decode())
    check(f"{path}: header", data[:8] == b"\x93NUMPY\x01\x00" and (10 + size) % 64 == 0
          and not header["fortran_order"], repr(data[:10 + size]))
    code = {"<f4": "f", "|u1": "B", "<i4": "i"}[header["descr"]]
    count = (len(data) - 10 - size) // struct.calcsize(code)
    return code, header["shape"], struct.unpack(f"<{count}{code}", data[10 + size:])


def test_encode():
    result = run("encode", "run one", "--stage", "0", "--out", "codes")
    check("encode", result.returncode == 0, told(result))
    if result.returncode:
        return
    description = json.loads(run("info", "run one", "--json").stdout)
    pool = next(layer for layer in description["layers"] if layer["kind"] == "pool")
    shape = (2000, *pool["output"])
    code, found, what = npy("codes-what.npy")
    check("encode: what", code == "f" and found == shape and len(what) == math.prod(shape)
          and min(what) >= 0 and max(what) > 0, f"{code} {found}")
    code, found, where = npy("codes-where.npy")
    check("encode: where stays in its window", code == "B" and found == shape
          and set(where) == {0, 1, 2, 3}, f"{code} {found} {sorted(set(where))}")
    check("encode: nothing found, first cell",
          all(w == 0 for v, w in zip(what, where) if v == 0))
    code, found, labels = npy("codes-labels.npy")
    check("encode: labels", code == "i" and found == (2000,) and set(labels) == set(range(10)),
          f"{code} {found}")
    expect("encode: a stage that is not there", ["encode", "run one", "--stage", "9"], 2,
           'swwae encode: option --stage: "9" found, expected a whole number from 0 to '
           f'{sum(layer["kind"] == "pool" for layer in description["layers"]) - 1}\n'
           "try: swwae encode --help\n")


def test_encode_stop():
    """Ctrl-C leaves nothing; a data set large enough for it, in MNIST's format."""
    Path("large").mkdir()
    Path("stop").mkdir()
    n = 40000
    Path("large/t10k-images-idx3-ubyte").write_bytes(
        struct.pack(">HBBIII", 0, 8, 3, n, 32, 32) + bytes(n * 1024))
    Path("large/t10k-labels-idx1-ubyte").write_bytes(
        struct.pack(">HBBI", 0, 8, 1, n) + bytes(k % 11 for k in range(n)))
    for number, quiet in ((signal.SIGINT, []), (signal.SIGTERM, ["--quiet"])):
        process = subprocess.Popen([SWWAE, "encode", "run one", "--data", "large", "--out",
                                    "stop/c", "--stage", "0", "--threads", "1", *quiet],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + SECONDS
        while (not os.listdir("stop") and process.poll() is None
               and time.monotonic() < deadline):
            time.sleep(0.005)
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS)
        check(f"encode: {number.name} leaves no file", process.returncode == 1 and not out
              and re.fullmatch(r"swwae encode: stopped after \d+ of 40000 images; no file was "
                               r"written\n", err) and not os.listdir("stop"),
              f"{process.returncode} {out!r} {err!r} {os.listdir('stop')}")
    note = "note: the data's classes are not the model's: 11 in the data, 10 in the model\n"
    result = run("eval", "run one", "--data", "large", "--json")
    check("eval --json: other classes are told", result.returncode == 0 and result.stderr
          .startswith(note) and last_json(result.stdout)["images"] == n, told(result))
    Path("large/t10k-images-idx3-ubyte").write_bytes(
        struct.pack(">HBBIII", 0, 8, 3, 20, 32, 32) + bytes(20 * 1024))
    Path("large/t10k-labels-idx1-ubyte").write_bytes(
        struct.pack(">HBBI", 0, 8, 1, 20) + bytes(k % 10 for k in range(20)))
    name = json.loads(run("info", "run one", "--json").stdout)["class_names"][0]
    result = run("eval", "run one", "--data", "large", "--quiet")
    note = f'note: the data\'s classes are not the model\'s: class 0 is "0" in the data, "{name}" in'
    check("eval: other names are told", result.returncode == 0 and note in result.stdout,
          told(result))
    shutil.rmtree("large")


def test_best():
    """The best of a run that goes on is the whole run's: here the first, as nothing is learned."""
    options = [*TINY, "--lr", "1e-30", "--out", "best", "--json", "--quiet"]
    first = last_json(run("train", *options, "--steps", "5").stdout)
    result = run("train", "--resume", "best", "--steps", "9", "--json", "--quiet")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    check("--resume: the best is the whole run's", result.returncode == 0
          and len(events) == 2 and not events[0]["best"] and events[1]["step"] == 9
          and first["best_epoch"] is not None and all(
              events[1][key] == first[key] for key in ("best_epoch", "best_validation_error")),
          f"{first}\n{told(result)}")
    result = run("train", "--resume", "best")
    check("--resume of a complete run", result.returncode == 0
          and "best is complete with its 9 steps; ask for more --steps to go on\n" in result.stderr
          and f"\nbest   validation error {first['best_validation_error']:.2f} %, at epoch "
          in result.stdout, told(result))
    run("train", *TINY, "--epochs", "0.01", "--out", "short", "--quiet")
    result = run("train", "--resume", "short")
    check("--resume of a complete run, by epochs", result.returncode == 0
          and "; ask for more --epochs to go on\n" in result.stderr, told(result))


def test_autoencoder():
    result = run("train", "--data", "shapes", "--arch", "(4)3c-2p", "--labels", "none", "--steps",
                 "5", "--out", "plain", "--quiet")
    check("train without labels", result.returncode == 0
          and "\nbest   validation rec " in result.stdout, told(result))
    result = run("eval", "plain", "--json", "--quiet")
    found = json.loads(result.stdout) if result.returncode == 0 else {}
    check("eval without classes", result.returncode == 0 and found["error"] is None
          and found["nll"] is None and found["confusion"] is None and found["classes"] == []
          and found["rec"] > 0, told(result))
    result = run("eval", "plain", "--quiet")
    check("eval without classes, as text", result.returncode == 0
          and "\nerror    not measured: the model has no classes\n" in result.stdout, told(result))
    expect("predict without classes", ["predict", "plain", "a, disc.png"], 1,
           "swwae predict: plain: a pure auto-encoder has no classes to predict; see what it "
           "rebuilds with swwae reconstruct\n")


# ---- Stopping -----------------------------------------------------------------------------


def start(*arguments):
    """A training that has made its folder, the last argument, and begins its steps."""
    process = subprocess.Popen([SWWAE, "train", *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + SECONDS
    while (not Path(arguments[-1], "checkpoint.safetensors").exists()
           and process.poll() is None and time.monotonic() < deadline):
        time.sleep(0.01)
    return process


def test_stop():
    process = start(*TINY, "--steps", "1000000", "--json", "--out", "stopped")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    end = last_json(out) if out.strip() else {}
    check("Ctrl-C: status and message", process.returncode == 1 and err.endswith(
        "stopping and saving; Ctrl-C again ends at once\n"
        "stopped; resume with: swwae train --resume stopped\n")
        and end.get("outcome") == "stopped", f"{process.returncode} {err!r} {out!r}")
    steps = end.get("step", 0) + 20
    result = run("train", "--resume", "stopped", "--steps", str(steps), "--json", "--quiet")
    end = last_json(result.stdout) if result.stdout.strip() else {}
    check("--resume goes on to the end", result.returncode == 0 and end.get("step") == steps
          and end.get("outcome") == "finished" and end.get("run") == "stopped", told(result))

    whole = run("train", *TINY, "--steps", "400", "--out", "whole", "--quiet")
    process = start(*TINY, "--steps", "400", "--out", "parts")
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    result = run("train", "--resume", "parts", "--quiet")
    check("a stopped and resumed run ends in the same model",
          whole.returncode == result.returncode == 0
          and Path("whole/model.safetensors").read_bytes()
          == Path("parts/model.safetensors").read_bytes(),
          f"stopped: {process.returncode}, then {told(result)}")

    process = start(*TINY, "--steps", "1000000", "--out", "term")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=SECONDS)
    check("SIGTERM is a stop too", process.returncode == 1
          and err.endswith("stopped; resume with: swwae train --resume term\n"), err)

    # a step long enough for a second signal before its end
    process = start("--data", "shapes", "--batch", "9000", "--steps", "5", "--threads", "1",
                    "--out", "killed")
    time.sleep(0.1)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    process.communicate(timeout=SECONDS)
    check("the second Ctrl-C ends at once", process.returncode == -signal.SIGINT,
          process.returncode)

    process = start(*TINY, "--steps", "1000000", "--out", "lost")
    time.sleep(1)
    process.kill()
    process.communicate(timeout=SECONDS)
    left = [name for name in os.listdir("lost") if ".tmp." in name]
    result = run("train", "--resume", "lost", "--steps", "10", "--quiet")
    check("after kill -9 the run resumes", result.returncode == 0 and not left,
          f"{left} {told(result)}")


def on_terminal(columns, *arguments):
    """What a terminal `columns` wide receives on stderr."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([SWWAE, *arguments], stdout=subprocess.DEVNULL, stderr=inner,
                               env={**os.environ, "TERM": "xterm"})
    os.close(inner)
    received = b""
    while True:
        try:
            data = os.read(outer, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not data:
            break
        received += data
    os.close(outer)
    return process.wait(timeout=SECONDS), received.decode()


def test_terminal():
    try:
        for end in pty.openpty():
            os.close(end)
    except OSError as problem:
        print(f"skipped: no pseudo-terminal to draw on ({problem})")
        return
    status, received = on_terminal(60, "train", *TINY, "--steps", "300", "--out", "live")
    drawn = [part.split("\x1b[K")[0] for part in re.split(r"[\r\n]+", received)]
    lines = [line for line in drawn if line.startswith("train  epoch ")]
    check("terminal: one live line that fits", status == 0 and lines
          and all(len(line) < 60 for line in lines), repr(received[:2000]))
    check("terminal: the live line is removed at the end", received.endswith("\r\x1b[K"),
          repr(received[-200:]))
    status, received = on_terminal(60, "train", *TINY, "--steps", "30", "--out", "still",
                                   "--quiet")
    check("terminal: --quiet is silent", status == 0 and received == "", repr(received))


def main():
    global SWWAE
    if len(sys.argv) != 2:
        sys.exit("usage: python3 test_cli.py PATH/TO/swwae")
    SWWAE = os.path.abspath(shutil.which(sys.argv[1]) or sys.argv[1])
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for test in (test_top, test_help, test_mistakes, test_train, test_eval, test_info,
                     test_predict, test_reconstruct, test_encode, test_encode_stop, test_best,
                     test_autoencoder, test_stop, test_terminal):
            try:
                test()
            except Exception as error:  # the other tests still tell something
                check(f"{test.__name__} ran to its end", False, f"{type(error).__name__}: {error}")
        os.chdir(home)
    print(f"{counts[True]} passed, {counts[False]} failed")
    sys.exit(1 if counts[False] else 0)


if __name__ == "__main__":
    main()
