"""test_cli.py - training from the command line as a user meets it: help, the exact messages of
mistakes, stopping and going on. Models that are there already: test_cli_model.py.

    python3 tests/test_cli.py PATH/TO/swwae
"""

import fcntl
import json
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

from command import (SECONDS, TINY, begin, check, expect, last_json, main, misuse, run,
                     signals_wait, told)

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
    for command in "train eval predict reconstruct encode info labels augment bench study".split():
        result = run(command, "--help")
        good = (result.returncode == 0 and not result.stderr
                and result.stdout.startswith(f"usage: swwae {command}")
                and "\nExamples\n" in result.stdout
                and result.stdout == run("help", command).stdout == run(command, "-h").stdout)
        check(f"{command} --help", good, told(result))
        check(f"{command} in the overview", f"\n  {command} " in top.stdout)
        # a study takes the options of a training, which the manual tells there
        section = "".join(manual.split(f".SS swwae {name}\n", 1)[-1].split(".SS ", 1)[0]
                          for name in ([command, "train"] if command == "study" else [command]))
        options = re.findall(r"^  --([a-z0-9-]+)", result.stdout, re.MULTILINE)
        missing = [o for o in options
                   if o != "help" and not re.search(rf"--{o}(?![a-z0-9-])", section)]
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
        ("another program's name of an option", "train", ["--learning-rate", "0.1"], 2,
         "unknown option --learning-rate; did you mean --lr?"),
        ("the same where the command has none", "eval", ["--learning-rate", "0.1"], 2,
         "unknown option --learning-rate"),
        ("unknown option, nothing near", "train", ["--xyzzy"], 2, "unknown option --xyzzy"),
        ("no short options", "train", ["-e", "3"], 2, "unknown option -e"),
        ("missing value at the end", "train", ["--epochs"], 2, "option --epochs needs a value X"),
        ("missing value before an option", "train", ["--out", "--quiet"], 2,
         "option --out needs a value RUN, --quiet found"),
        ("value for a flag", "train", ["--quiet=yes"], 2,
         'option --quiet takes no value, "yes" found'),
        ("empty value", "train", ["--out="], 2, "option --out: nothing found, expected RUN"),
        ("operand where none belongs", "train", ["shapes"], 2, 'unexpected argument "shapes"; data is named by --data'),
        ("bad number", "train", ["--epochs", "ten"], 2,
         'option --epochs: "ten" found, expected a number above 0 and at most 1e+09'),
        ("number with a tail", "train", ["--batch", "64x"], 2,
         'option --batch: "64x" found, expected a whole number from 1 to 65536'),
        ("number out of range", "train", ["--labelled-share", "1.5"], 2,
         'option --labelled-share: "1.5" found, expected a number above 0 and below 1'),
        ("bad word", "train", ["--optimizer", "adma"], 2,
         'option --optimizer: "adma" found, expected adam|sgd'),
        ("bad sharpness", "train", ["--beta", "soft"], 2,
         'option --beta: "soft" found, expected hard or a number above 0 and at most 1e+06, or one '
         "for each stage with commas between them"),
        ("sharpness for another number of stages", "train", [*TINY, "--beta", "1,hard,1"], 2,
         "option --beta: 3 values found, expected 1 for all or 2, one for each stage (the "
         "architecture has 2 stages)"),
        ("bad dropout", "train", ["--dropout", "1"], 2,
         'option --dropout: "1" found, expected a number of at least 0 and below 1'),
        ("bad --decoder-top", "train", ["--decoder-top", "class"], 2,
         'option --decoder-top: "class" found, expected features|classes'),
        ("inner terms and only the image", "train",
         [*TINY, "--rec-layers", "input", "--lambda-m", "1"], 2,
         'option --lambda-m: "1" found, expected 0 because --rec-layers input rebuilds nothing but '
         "the image"),
        ("noise on a where that nobody looks at", "train",
         [*TINY, "--unpool", "average", "--where-noise", "0.1"], 2,
         'noise on the where was asked for, but a decoder that unpools by "average" does not look '
         "at the where"),
        ("--where and --as-class", "reconstruct", ["m", "--where", "own", "--as-class", "1"], 2,
         "--where and --as-class exclude each other: another class is shown with each image's own "
         "where"),
        ("--resume and --config", "train", ["--resume", "folder", "--config", "bad.json"], 2,
         "--config and --resume exclude each other: a run goes on with its own options, only "
         "--epochs, --steps, --threads and --checkpoint-every may change"),
        ("--resume and a fixed option", "train", ["--resume", "folder", "--lr", "1"], 2,
         "--lr and --resume exclude each other: a run goes on with its own options, only "
         "--epochs, --steps, --threads and --checkpoint-every may change"),
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
        ("info: a model and a training", "info", ["m", "--lr", "0.1"], 2,
         '"m" and --lr exclude each other: describe one at a time'),
        ("info: images of a split and a training", "info", ["--split", "test", "--batch", "8"], 2,
         "--split is about data, --batch about a training: ask for one at a time"),
        ("info: a training's bad option", "info", ["--batch", "0"], 2,
         'option --batch: "0" found, expected a whole number from 1 to 65536'),
        ("info: a training without its --config file", "info", ["--config", "nowhere.json"], 1,
         "nowhere.json: cannot be opened (No such file or directory)"),
        ("info: a training on data that is not there", "info",
         ["--data", "no/where", "--arch", "(2)3c-2p-10fc"], 1,
         "the data folder no/where does not exist"),
        ("bad --split", "info", ["--data", "shapes", "--split", "valid"], 2,
         'option --split: "valid" found, expected train or test'),
        ("unknown data set", "info", ["--data", "shapse"], 2,
         'there is no data set "shapse", expected shapes, mnist, fashion-mnist, cifar10, '
         "cifar100 or the folder of a data set"),
        ("missing data folder", "info", ["--data", "no/where"], 1,
         "the data folder no/where does not exist"),
        ("empty data folder", "info", ["--data", "./folder"], 1,
         "./folder holds no training images: neither MNIST's IDX files (train-images-idx3-ubyte, "
         "plain or .gz), nor CIFAR's binary files, nor class folders of PNG or JPEG files"),
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
         'there is no data set "shapse", expected shapes, mnist, fashion-mnist, cifar10, '
         "cifar100 or the folder of a data set"),
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
           misuse("train", 'unexpected argument "?[31m"; data is named by --data'))
    check("nothing was left behind by mistakes",
          sorted(os.listdir(".")) == ["bad.json", "broken.json", "folder", "text.txt"]
          and not os.listdir("folder"), os.listdir("."))


# ---- Work ---------------------------------------------------------------------------------


def test_train():
    result = run("train", *TINY, "--steps", "30", "--out", "run one", "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    check("train 30 steps", result.returncode == 0 and events and events[-1]["event"] == "end"
          and events[-1]["outcome"] == "finished" and events[-1]["run"] == "run one"
          and events[-1]["step"] == 30 and events[-1]["best_validation_error"] is not None
          and all(e["event"] == "validation" for e in events[:-1]), told(result))
    check("train: without pseudo-labels nothing is told of them",
          all(e["confident"] is None for e in events[:-1]) and "sure" not in result.stderr,
          told(result))
    result_sure = run("train", *TINY, "--labels", "20", "--steps", "30", "--out", "sure", "--json",
                      "--pseudo-labels", "0.01")
    shares = [json.loads(line).get("confident") for line in result_sure.stdout.splitlines()]
    check("train: how many pseudo-labels there were", shares[:-1] and set(shares[:-1]) == {100.0}
          and "  sure 100 %" in result_sure.stderr, told(result_sure))
    check("train: the run is told at the start", "run folder: run one\n" in result.stderr,
          result.stderr)
    files = sorted(os.listdir("run one"))
    check("train: the run's files", files == ["checkpoint-previous.safetensors",
                                              "checkpoint.safetensors", "config.json",
                                              "labels.csv", "labels.json", "lock", "metrics.csv",
                                              "model.safetensors"], files)
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
    check("train: no hint where all images are labelled", "hint" not in result.stdout, told(result))
    result = run("train", *TINY, "--steps", "3", "--pseudo-labels", "0.9")
    check("train: nor for pseudo-labels that were asked for", result.returncode == 0
          and "hint" not in result.stdout, told(result))
    for more, auto in (((), True), (("--recipe", "plus"), False), (("--recipe", "none"), False)):
        result = run("train", *TINY, "--labels", "20", "--steps", "3", *more)
        check(f"train: few labels and {more}: told {auto}", result.returncode == 0
              and ("\nhint   few labels: --recipe " in result.stdout) == auto
              and ("few labels: trains with changed images, " in result.stderr) == auto,
              told(result))
    result = run("train", "--config", "run one/config.json", "--out", "again", "--quiet")
    same = Path("run one/model.safetensors").read_bytes() == \
        Path("again/model.safetensors").read_bytes() if result.returncode == 0 else False
    check("train --config repeats a run to the bit", same, told(result))


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


# ---- Stopping -----------------------------------------------------------------------------


def start(*arguments):
    """A training that has made its folder, the last argument, and begins its steps."""
    process = begin("train", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + SECONDS
    while (not Path(arguments[-1], "checkpoint.safetensors").exists()
           and process.poll() is None and time.monotonic() < deadline):
        time.sleep(0.01)
    return process


def test_limit():
    """A limit on the size of files is an error as a full disk is."""
    small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    result = run("train", *TINY, "--steps", "5", "--out", "limited", "--quiet", preexec_fn=small)
    said = re.sub("libgcov .*\n", "", result.stderr)  # a build for coverage cannot write either
    check("a limit on files is told", result.returncode == 1
          and said.startswith("swwae train: limited/")
          and said.endswith("cannot be written (File too large)\n"), told(result))


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

    process = start(*TINY, "--steps", "1000000", "--out", "lost")
    time.sleep(1)
    process.kill()
    process.communicate(timeout=SECONDS)
    left = [name for name in os.listdir("lost") if ".tmp." in name]
    result = run("train", "--resume", "lost", "--steps", "10", "--quiet")
    check("after kill -9 the run resumes", result.returncode == 0 and not left,
          f"{left} {told(result)}")


def test_second_stop():
    if signals_wait():
        print("skipped: the second Ctrl-C (ThreadSanitizer lets both wait for the end of the step)")
        return
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


def on_terminal(columns, *arguments):
    """What a terminal `columns` wide receives on stderr."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = begin(*arguments, stdout=subprocess.DEVNULL, stderr=inner,
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


if __name__ == "__main__":
    main(test_top, test_help, test_mistakes, test_train, test_best, test_limit, test_stop,
         test_second_stop, test_terminal)
