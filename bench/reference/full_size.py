"""Parity of published shapes, which are too large to keep as golden files.

    full_size.py PENSTOCK [NAME ...]

Makes a checkpoint of each shape with random weights, computes the hidden states with the reference
as for the golden files, embeds the same sequences with the program PENSTOCK (`--encoder
FOLDER:none`), and prints the largest difference of the last hidden states.
"""

import gc
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import common
import torch
from safetensors import safe_open

import dnabert2
import esm2
import esmc
import nucleotide
import t5

ESM = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


def esm(*numbers):
    return dict(zip(ESM, numbers))


# Name, tokens before the sequence, how the folder is made.
SHAPES = {
    "esm2-8M": (1, lambda n: esm2.make(n, 11, **esm(320, 6, 20, 1280))),
    "esm2-150M": (1, lambda n: esm2.make(n, 12, **esm(640, 30, 20, 2560))),
    "esm2-650M": (1, lambda n: esm2.make(n, 13, **esm(1280, 33, 20, 5120))),
    "esmc-300M": (1, lambda n: esmc.make(n, 14, width=960, heads=15, layers=30)),
    "nucleotide-v1-500M": (1, lambda n: nucleotide.make(n, 15, False, **esm(1280, 24, 20, 5120))),
    "nucleotide-v2-500M": (1, lambda n: nucleotide.make(n, 16, True, **esm(1024, 29, 16, 4096))),
    "dnabert2-117M": (1, lambda n: dnabert2.make(n, 17, width=768, heads=12, layers=12, inner=3072)),
    "prott5-xl": (0, lambda n: t5.make(
        n, 18, d_model=1024, d_kv=128, d_ff=16384, num_layers=24, num_heads=32,
        feed_forward_proj="relu")),
}


def compare(penstock, name, folder, before):
    sequences = json.loads((folder / "cases.json").read_text())
    clock = time.perf_counter()
    output = subprocess.run(
        [penstock, "embed", "--encoder", f"{folder}:none", "--json", "--text", *sequences],
        check=True, capture_output=True, text=True,
    ).stdout
    seconds = time.perf_counter() - clock
    vectors = [torch.tensor(v["vector"]) for v in json.loads(output)["vectors"]]
    worst, largest = 0.0, 0.0
    with safe_open(str(folder / "golden.safetensors"), "pt") as golden:
        names = golden.keys()
        layers = 1 + max(int(n.split(".")[2]) for n in names if n.startswith("0.hidden."))
        for case, given in enumerate(vectors):
            states = golden.get_tensor(f"{case}.hidden.{layers - 1}")
            states = states[before : before + len(given)]
            worst = max(worst, (given - states).abs().max().item())
            largest = max(largest, states.abs().max().item())
    print(
        f"{name:20} {layers - 1:3} layers  differs by {worst:.1e} at most, of numbers up to "
        f"{largest:.1f}  ({seconds:.0f} s)",
        flush=True,
    )


def main(penstock, *names):
    for name in names or SHAPES:
        before, make = SHAPES[name]
        with tempfile.TemporaryDirectory() as root:
            common.GOLDEN = pathlib.Path(root)
            make(name)
            gc.collect()
            compare(penstock, name, common.GOLDEN / name, before)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
