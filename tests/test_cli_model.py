"""test_cli_model.py - using a trained model from the command line: measuring, describing,
classifying, rebuilding, encoding; and models of every variant.

    python3 tests/test_cli_model.py PATH/TO/swwae
"""

import ast
import csv
import io
import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import time
import zlib
from pathlib import Path

from command import (ARCH, SECONDS, TINY, begin, check, expect, last_json, main, misuse, path,
                     png_size, run, told, very_slow, watched)

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


def disc():
    return [[255 if (x - 15.5) ** 2 + (y - 15.5) ** 2 < 36 else 0 for x in range(32)]
            for y in range(32)]


# ---- Using a model ------------------------------------------------------------------------


def make_model():
    """The model `run one` that the tests below use."""
    result = run("train", *TINY, "--recipe", "none", "--steps", "30", "--out", "run one",
                 "--quiet")
    check("train", result.returncode == 0, told(result))


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


def peak_of(*arguments):
    """Bytes that a command held at most, as the system counts them."""
    process = begin(*arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return 1024 * usage.ru_maxrss if process.returncode == 0 else 0


def test_info_memory():
    """What a training takes, told beforehand, of a run and of a model file."""
    parts = ["peak", "available", "process", "data", "parameters", "step", "validation", "saving",
             "loading"]
    options = ["--data", "shapes", "--arch", "(64)5c-2p-(64)3c-2p-10fc", "--batch", "100"]
    result = run("info", *options, "--json")
    found = json.loads(result.stdout) if result.returncode == 0 else {}
    told_memory = found.get("memory", {}).get("training", {})
    check("info: the memory of a training, as JSON", list(told_memory) == parts, told(result))
    if told_memory:
        taken = peak_of("train", *options, "--steps", "3", "--out", "measured", "--quiet")
        near = 0.9 * taken < told_memory["peak"] < 1.1 * taken
        check("info: the memory of a training within 10 %", near or watched(),
              f"{told_memory['peak']} predicted, {taken} taken")
        result = run("info", "--config", "measured/config.json", "--batch", "400", "--json")
        more = json.loads(result.stdout)["memory"]["training"] if not result.returncode else {}
        check("info: the memory of a training of --config and more images a step",
              more and more["step"] > told_memory["step"], told(result))
    result = run("info", *options)
    check("info: the memory of a training, as text", result.returncode == 0 and not result.stderr
          and re.fullmatch(r"training    peak [\d.]+ MB, available .*\n", result.stdout),
          told(result))
    run_json = json.loads(run("info", "run one", "--json").stdout)["memory"]
    check("info: the memory of a run's training", list(run_json["training"]) == parts, run_json)
    file_json = json.loads(run("info", "run one/model.safetensors", "--json").stdout)["memory"]
    check("info: a model file opens no data", "training" not in file_json, file_json)
    shutil.copytree("run one", "run without data")
    config = Path("run without data/config.json")
    config.write_text(config.read_text().replace('"shapes"', '"no/where"'))
    result = run("info", "run without data")
    check("info: a run whose data is not there", result.returncode == 0 and not result.stderr
          and "\ntraining    the data folder no/where does not exist\n" in result.stdout,
          told(result))


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
    Path("text.txt").write_text("not a model, not a picture\n")
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
            result = subprocess.run([path(), "predict", "run one", "a, disc.png"], stdout=full,
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
    n = 4000 if very_slow() else 40000
    Path("large/t10k-images-idx3-ubyte").write_bytes(
        struct.pack(">HBBIII", 0, 8, 3, n, 32, 32) + bytes(n * 1024))
    Path("large/t10k-labels-idx1-ubyte").write_bytes(
        struct.pack(">HBBI", 0, 8, 1, n) + bytes(k % 11 for k in range(n)))
    for number, quiet in ((signal.SIGINT, []), (signal.SIGTERM, ["--quiet"])):
        process = begin("encode", "run one", "--data", "large", "--out", "stop/c", "--stage", "0",
                        "--threads", "1", *quiet, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        text=True)
        deadline = time.monotonic() + SECONDS
        while (not os.listdir("stop") and process.poll() is None
               and time.monotonic() < deadline):
            time.sleep(0.005)
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS)
        check(f"encode: {number.name} leaves no file", process.returncode == 1 and not out
              and re.fullmatch(rf"swwae encode: stopped after \d+ of {n} images; no file was "
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


# ---- Variants -----------------------------------------------------------------------------


VARIANT = ["--beta", "hard,100", "--decoder-top", "classes", "--tied", "yes", "--norm", "batch",
           "--rec-layers", "layerwise", "--lambda-l1", "0.1", "--dropout", "0.5", "--dropout-conv",
           "0.1", "--noise", "0.1", "--where-noise", "0.1"]


def test_variant():
    result = run("train", *TINY, *VARIANT, "--steps", "10", "--out", "variant", "--quiet")
    check("train with every variant", result.returncode == 0, told(result))
    result = run("info", "variant", "--json")
    found = json.loads(result.stdout) if result.returncode == 0 else {}
    wanted = {"beta": "hard,100", "decoder_top": "classes", "tied": "yes", "norm": "batch"}
    check("info --json tells the variant", wanted.items() <= found.items()
          and [code["where"] for code in found["codes"]] == [[6, 16, 16], [8, 8, 8, 2]]
          and found["parameters"] == sum(layer["parameters"] for layer in found["layers"])
          and found["options"]["rec-layers"] == "layerwise", told(result))
    result = run("info", "variant")
    check("info tells the variant and the codes", result.returncode == 0 and all(
        line in result.stdout.splitlines() for line in (
            "beta        hard,100", "decoder top classes", "tied        yes", "norm        batch",
            "0      6 x 16 x 16 float32       6 x 16 x 16 uint8         hard",
            "1      8 x 8 x 8 float32         8 x 8 x 8 x 2 float32     100")), told(result))
    result = run("encode", "variant", "--out", "soft", "--quiet")
    check("encode a soft stage", result.returncode == 0 and result.stdout.splitlines()[2] ==
          "where   soft-where.npy   float32, the same x 2", told(result))
    code, shape, where = npy("soft-where.npy")
    check("encode: positions lie in their window", code == "f" and shape == (2000, 8, 8, 8, 2)
          and -1.0001 <= min(where) < max(where) <= 1.0001, f"{code} {shape}")
    result = run("encode", "variant", "--stage", "0", "--out", "hard", "--quiet")
    check("encode a hard stage", result.returncode == 0 and npy("hard-where.npy")[0] == "B",
          told(result))


def test_as_class():
    error = r"mean squared error per pixel [\d.e-]+"
    result = run("reconstruct", "variant", "--as-class", "all", "--count", "3", "--zoom", "1")
    lines = result.stdout.splitlines()
    size = png_size("reconstruct.png") if result.returncode == 0 else None
    check("reconstruct --as-class all: an image a row", size == (11 * 32 + 10 * 2, 3 * 32 + 2 * 2)
          and len(lines) == 12 and lines[1] == "column 1  shapes, test images 0 to 2"
          and re.fullmatch(rf"column 2  as class 0 \(disc\)  {error}", lines[2]), told(result))
    check("reconstruct --as-class all: classes differ",
          len({line.split()[-1] for line in lines[2:]}) > 1, told(result))
    by_name = run("reconstruct", "variant", "--as-class", "ring", "--zoom", "1")
    by_number = run("reconstruct", "variant", "--as-class", "1", "--zoom", "1")
    size = png_size("reconstruct.png") if by_number.returncode == 0 else None
    lines = by_name.stdout.splitlines()
    check("reconstruct --as-class K", size == (10 * 32 + 9 * 2, 2 * 32 + 2)
          and by_name.stdout == by_number.stdout and len(lines) == 3
          and re.fullmatch(rf"row 2  as class 1 \(ring\)  {error}", lines[2]), told(by_name))
    for odd in ("10", "-1", "rings", "1x", ""):
        expect(f"reconstruct --as-class={odd}", ["reconstruct", "variant", f"--as-class={odd}"], 2,
               misuse("reconstruct", f'option --as-class: "{odd}" found, expected all, a class '
                      'from 0 to 9, or the name of one such as "disc"'))
    for word in ("all", "0", "anything"):
        expect(f"reconstruct --as-class {word} from the features",
               ["reconstruct", "run one", "--as-class", word], 1,
               "swwae reconstruct: the model's decoder starts from the features, so it cannot "
               "rebuild images as another class; train one with --decoder-top classes\n")


def test_bench():
    net = ["--arch", "(20)3c-2p-(20)3c-2p-10fc", "--image", "1x12x12", "--batch", "16",
           "--repetitions", "2"]
    result = run("bench", *net, "--json")
    bench = json.loads(result.stdout) if result.returncode == 0 else {}
    passes = bench.get("passes", [])
    check("bench --json", bench.get("image") == [1, 12, 12] and bench["batch"] == 16
          and bench["train"]["seconds"] > 0 and bench["flops"] < bench["flops_dense"]
          and bench["peak_flops"] > 0, told(result))
    check("bench --json: sparse passes avoid work and say so",
          sum(p["flops"] < p["flops_dense"] and p["reason"].startswith("sparse")
              for p in passes if p["layer"] in ("encoder.1.0", "decoder.1.0")) == 3, passes)
    direct = {**os.environ, "SWWAE_WINOGRAD": "0"}
    dense = json.loads(run("bench", *net, "--json", env={**direct, "SWWAE_SPARSE": "0"}).stdout)
    check("bench: SWWAE_SPARSE=0 SWWAE_WINOGRAD=0 avoids nothing",
          dense["flops"] == dense["flops_dense"] == bench["flops_dense"]
          and any("SWWAE_SPARSE=0" in p["reason"] for p in dense["passes"]))
    check("bench: Winograd's filtering is named, with 16 products for 36",
          [36 * p["flops"] for p in passes if p["kernel"] == "conv-pool/winograd"]
          == [16 * p["flops_dense"] for p in passes
              if p["layer"] == "encoder.1.0" and p["direction"] == "forward"],
          passes)
    text = run("bench", *net, "--explain")
    check("bench --explain", text.returncode == 0 and "conv-pool" in text.stdout
          and "images/s" in text.stdout and text.stdout.count("\n") == 9 + len(passes), told(text))
    expect("bench: bad --image", ["bench", "--image", "32"], 2,
           misuse("bench", 'option --image: "32" found, expected CxHxW such as 3x32x32'))
    expect("bench: bad --arch", ["bench", "--arch", "4c"], 2, re.compile("option --arch: "))
    expect("bench: an operand", ["bench", "run"], 2,
           misuse("bench", '"run" found, expected options only'))


if __name__ == "__main__":
    main(make_model, test_eval, test_info, test_info_memory, test_predict, test_reconstruct, test_encode,
         test_encode_stop, test_autoencoder, test_variant, test_as_class, test_bench)
