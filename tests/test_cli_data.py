"""test_cli_data.py - data of one's own from the command line: class folders, test images held out,
draws of labels.

    python3 tests/test_cli_data.py PATH/TO/swwae
"""

import json
import re
import struct
import zlib
from pathlib import Path

from command import check, expect, last_json, main, misuse, png_size, run, told


def png(path, size, pixel):
    """A colour PNG; pixel(x, y) gives its red, green and blue."""
    rows = b"".join(b"\0" + bytes(v for x in range(size) for v in pixel(x, y)) for y in range(size))

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n"
                     + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def bars(folder, count):
    """Two classes a small net learns at once: bars that lie and bars that stand."""
    for i in range(count):
        at, tone = i % 6 + 1, 120 + i % 120
        colour, black = (tone, tone // 2, 30), (0, 0, 0)
        png(folder / "lying" / f"{i:03}.png", 8, lambda x, y: colour if y == at else black)
        png(folder / "standing" / f"{i:03}.png", 8, lambda x, y: colour if x == at else black)


DRAWS = Path(__file__).resolve().parent.parent / "docs" / "draws"
ARCH = ["--arch", "(4)3c-2p-2fc", "--batch", "8", "--lr", "0.01", "--threads", "1"]


def test_class_folders():
    bars(Path("bars"), 30)
    Path("bars/README.txt").write_text("not an image\n")
    expect("info: without test images, the training images", ["info", "--data", "./bars"], 0, "",
           "data        bars\n"
           "images      60 (train)\n"
           "image       3 x 8 x 8\n"
           "files       ./bars\n"
           "classes     2\n\n"
           "class  name        images\n"
           "    0  lying           30\n"
           "    1  standing        30\n")
    expect("info --split test: there are none", ["info", "--data", "./bars", "--split", "test"], 1,
           "swwae info: ./bars has training images only; take those (--split train), name other "
           "data (--data), or train with some of them held out as test images (--test-count)\n")
    info = run("info", "--data", "./bars", "--test-count", "20", "--json")
    held = json.loads(info.stdout)
    check("info --test-count", held["images"] == 20 and held["per_class"] == [10, 10], told(info))
    result = run("train", "--data", "./bars", *ARCH, "--test-count", "20",
                 "--validation", "8", "--steps", "200", "--out", "run", "--quiet")
    check("train on class folders", result.returncode == 0, told(result))
    result = run("eval", "run", "--json")
    measured = json.loads(result.stdout)
    check("eval: the images held out", measured["images"] == 20
          and measured["classes"] == ["lying", "standing"] and measured["error"] < 10,
          told(result))
    result = run("eval", "run", "--data", "./bars", "--test-count", "30")
    check("eval --test-count: not other images than the training held out",
          result.returncode == 1 and "or --test-count is another" in result.stderr, told(result))
    check("eval --split train: the others",
          json.loads(run("eval", "run", "--split", "train", "--json").stdout)["images"] == 40)
    result = run("predict", "run", "bars/standing/003.png", "--json")
    check("predict: the folder's name", last_json(result.stdout)["name"] in ("lying", "standing"),
          told(result))
    png(Path("bars/lying/002.png"), 8, lambda x, y: (255, 0, 0))
    png(Path("bars/lying/003.png"), 8, lambda x, y: (255, 0, 0))
    Path("bars/lying/new.png").write_bytes(Path("bars/lying/002.png").read_bytes())
    expect("eval: data that has changed", ["eval", "run"], 1,
           "swwae eval: the test images held out of bars are not those of the model's training: "
           "the data has changed since, or --test-count is another, and some may have been trained "
           "on; bring the data back as it was, leave out --test-count, or name other test images "
           "with --data\n")
    bars(Path("others/test"), 4)
    result = run("eval", "run", "--data", "./others", "--json")
    check("eval --data: other data's own test images", json.loads(result.stdout)["images"] == 8,
          told(result))
    png(Path("bars/standing/900.png"), 9, lambda x, y: (1, 2, 3))
    expect("an odd size", ["info", "--data", "./bars"], 1,
           "swwae info: ./bars/standing/900.png is 9 x 9 pixels (height x width), but "
           "./bars/lying/000.png is 8 x 8; all images of a data set have one size\n")


def test_few_of_many():
    bars(Path("many"), 40)
    Path("many/unlabelled").mkdir()
    for kind in ("lying", "standing"):
        for i in range(11, 40):
            Path(f"many/{kind}/{i:03}.png").rename(f"many/unlabelled/{kind}-{i}.png")
    info = run("info", "--data", "./many")
    check("info: images without a label", "\nno label    58 images\n" in info.stdout, told(info))
    result = run("train", "--data", "./many", *ARCH, "--steps", "8", "--out", "few-run")
    check("train: few labels among many images", result.returncode == 0
          and "few labels of images in colour: trains with" in result.stderr
          and "few images (1) choose the best model" in result.stderr
          and json.loads(Path("few-run/config.json").read_text())["pseudo-labels"] == 0.8
          and "next   swwae eval few-run --split train" in result.stdout
          and "\nhint   the data has no test images" in result.stdout, told(result))
    result = run("train", "--data", "./many", "--steps", "1", "--quiet", "--out", "default-run")
    check("train: without --arch as many answers as classes", result.returncode == 0 and
          json.loads(Path("default-run/config.json").read_text())["arch"].endswith("-2p-2fc"),
          told(result))
    bars(Path("more"), 3)
    result = run("eval", "few-run", "--data", "./more")
    check("eval --data: a folder of classes, all of it", result.returncode == 0
          and "\ndata     ./more, train images: 6\n" in result.stdout, told(result))
    for same in ("many", "./many/", str(Path("many").resolve())):
        check(f"eval --data {same}: the training's data is no other data",
              run("eval", "few-run", "--data", same).returncode == 1)


def test_labels():
    bars(Path("plain"), 10)
    data = ["--data", "./plain", "--validation", "4"]
    drawn = run("labels", *data, "--labels", "6", "--seed", "5")
    lines = drawn.stdout.splitlines()
    check("labels: an index file", drawn.returncode == 0 and not drawn.stderr
          and lines[:2] == ["# 6 labelled images of the 20 training images of plain",
                            "# image,class"]
          and [line.split(",")[1] for line in lines[2:]] == list("000111"), told(drawn))
    check("labels: another seed, another draw",
          run("labels", *data, "--labels", "6", "--seed", "6").stdout != drawn.stdout)
    Path("draw.csv").write_text(drawn.stdout)
    short = ["train", *data, *ARCH, "--steps", "2", "--quiet"]
    run(*short, "--labels", "6", "--seed", "5", "--out", "by-seed")
    result = run(*short, "--label-file", "draw.csv", "--seed", "7", "--out", "by-file")
    check("train --label-file: the labels of the seed that drew them", result.returncode == 0
          and Path("by-seed/labels.csv").read_text() == drawn.stdout
          and Path("by-file/labels.csv").read_text() == drawn.stdout, told(result))
    expect("labels: a number is needed", ["labels", *data], 2,
           misuse("labels", "how many labels? give --labels N"))
    expect("labels: not shared equally", ["labels", *data, "--labels", "5"], 1,
           "swwae labels: 5 labels cannot be shared equally by the 2 classes of plain, expected a "
           "multiple of 2\n")
    Path("draw.csv").write_text("3\nx\n")
    expect("train --label-file: a wrong line", [*short, "--label-file", "draw.csv", "--out", "no"],
           1, re.compile(r'draw\.csv, line 2: "x" found, expected an image\'s number'))


def test_study():
    """A study fits itself to photographs: contrast, network, classes, test images held out."""
    bars(Path("photos"), 30)
    result = run("study", "mnist", "--data", "./photos", "--rows", "photo-convnet", "--counts", "6",
                 "--seeds", "1", "--steps", "2", "--validation", "8", "--jobs", "1",
                 "--out", "study")
    check("study on colour pictures", result.returncode == 0
          and "photos has no test images: 12 of its training images are held out" in result.stderr,
          told(result))
    options = json.loads(Path("study/study.json").read_text())["options"]
    kept = ("data", "contrast", "arch", "test-count", "pad")
    check("study.json: what the data asks for", [options[name] for name in kept]
          == ["photos", "image", "(32)3c-(32)3c-2p-(64)3c-(64)3c-2p-(128)3c-(128)3c-2p-2fc", 12, 32],
          str(options))
    run_options = json.loads(Path("study/runs/photo-convnet-6-seed1/config.json").read_text())
    check("changes of photographs", run_options["augment"] == "shift,mirror,colour,erase",
          str(run_options))


def test_colour_recipe():
    """Few labels of images in colour: the recipe for photographs, unless another one is named."""
    bars(Path("colours"), 30)
    short = ["train", "--data", "./colours", *ARCH, "--labels", "6", "--steps", "2"]
    for more, augment, said in (((), "shift,mirror,colour,erase", True),
                                (("--recipe", "plus"), "affine,erase", False),
                                (("--recipe", "none"), "none", False)):
        out = "colour" + "-".join(more)
        result = run(*short, *more, "--out", out)
        config = json.loads(Path(out, "config.json").read_text())
        check(f"train: few labels of images in colour {more}", result.returncode == 0
              and config["augment"] == augment and "hint   few labels" not in result.stdout
              and ("few labels of images in colour: " in result.stderr) == said,
              f"{config['augment']}\n{told(result)}")
    result = run("train", "--resume", "colour", "--steps", "3", "--quiet")
    check("train --resume of it", result.returncode == 0, told(result))


def test_augment():
    """A picture of what random changes make of the training images."""
    bars(Path("changed"), 3)
    command = ["augment", "--data", "./changed", "--zoom", "2"]
    result = run(*command, "--recipe", "photo", "--count", "4", "--rows", "2")
    size = png_size("augment.png") if result.returncode == 0 else None
    check("augment", size == (4 * 16 + 3 * 2, 3 * 16 + 2 * 2)
          and result.stdout.splitlines() == [
              "augment.png", "row 1  ./changed, training images 0 to 3",
              "rows 2 to 3  --augment shift,mirror,colour,erase --augment-border mirror "
              "--augment-strength 1"], f"{size}\n{told(result)}")
    pictures = []
    for name, seed in (("a.png", "1"), ("b.png", "1"), ("c.png", "2")):
        run(*command, "--augment", "affine", "--seed", seed, "--out", name)
        pictures.append(Path(name).read_bytes())
    check("augment: the seed says what is drawn", pictures[0] == pictures[1] != pictures[2])
    result = run(*command, "--augment", "erase", "--first", "5")
    check("augment: fewer images left", "training images 5 to 5\n" in result.stdout, told(result))
    expect("augment: images that are not there", [*command, "--augment", "erase", "--first", "6"],
           1, "swwae augment: ./changed has 6 training images, numbered from 0; 10 from number 6 on "
           "were asked for\n")
    shapes = ["augment", "--data", "shapes", "--out", "shapes.png"]
    for data, changes in ((shapes, "affine,erase"), (command, "shift,mirror,colour,erase")):
        result = run(*data, "--augment-strength", "2", "--count", "2")
        check(f"augment: by default as for few labels, {data[2]}",
              f"--augment {changes} --augment-border mirror --augment-strength 2\n"
              in result.stdout, told(result))
    expect("augment: nothing to draw", [*command, "--recipe", "none"], 2,
           misuse("augment", "which changes? give --augment LIST, such as shift,mirror, or "
                  "--recipe auto|plus|photo"))


def test_published_draws():
    """What docs/draws holds is what the command draws; only where Fashion-MNIST is there."""
    if run("info", "--data", "fashion-mnist").returncode:
        return
    for labels, seed in ((100, 1), (500, 2), (1000, 3), (5000, 5)):
        file = DRAWS / f"fashion-mnist-{labels}-seed{seed}.csv"
        drawn = run("labels", "--data", "fashion-mnist", "--labels", str(labels),
                    "--seed", str(seed))
        check(f"docs/draws/{file.name}", drawn.stdout == file.read_text(), told(drawn)[:300])


main(test_class_folders, test_few_of_many, test_labels, test_study, test_colour_recipe,
     test_augment, test_published_draws)
