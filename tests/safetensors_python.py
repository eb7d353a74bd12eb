"""Checks the library's model files against the Python package `safetensors`.

Usage: test_safetensors FILE; safetensors_python.py FILE [COPY]; test_safetensors read COPY
FILE was written by the library and is compared with the values below, which are those of
test_safetensors.c. COPY, if given, is written with the Python package for the way back.
"""

import sys

try:
    import numpy as np
    from safetensors import safe_open
    from safetensors.numpy import save_file
except ImportError as error:
    print(f"Skipped: the Python package {error.name} is not installed.")
    sys.exit(0)

F = np.float32
TENSORS = {
    "stage.1.weight": np.arange(-3, 0, 0.25, dtype=F).reshape(2, 3, 1, 2),
    "empty": np.zeros((0, 4), F),
    "special": np.array([np.inf, -np.inf, -0.0, np.finfo(F).max, np.finfo(F).tiny, 2.0**-149], F),
    "scalar": np.array(0.1, F),
    'Größe "q" \\ / 漢': np.full((1, 1, 1), 0.1, F),
}
METADATA = {
    "format": "swwae",
    "quotes": "say \"hi\" \\ / \b\f\n\r\t\x01 it's",
    "unicode ☃": "é 漢字 😀 \u2028",
    "empty": "",
    "": "empty key",
    "json": '{"a": [1, 2]}',
}


def main(path, copy=None):
    with safe_open(path, framework="np") as file:
        assert file.metadata() == METADATA, file.metadata()
        assert set(file.keys()) == set(TENSORS), file.keys()
        for name, expected in TENSORS.items():
            found = file.get_tensor(name)
            assert found.dtype == F and found.shape == expected.shape, (name, found)
            assert found.tobytes() == expected.tobytes(), (name, found)  # to the bit: -0, infinities
    print(f"{path}: {len(TENSORS)} tensors and {len(METADATA)} metadata agree")
    if copy:
        save_file(TENSORS, copy, METADATA)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
