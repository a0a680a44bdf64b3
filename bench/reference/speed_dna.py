"""Bases per second of the references of HyenaDNA and Caduceus, and checkpoints to run Penstock on.

    speed_dna.py checkpoint MODEL FOLDER   writes a checkpoint of that shape with random weights
    speed_dna.py fasta LENGTH COUNT FILE   writes random sequences, after four short ones
    speed_dna.py run MODEL FOLDER FASTA    embeds the sequences one by one, on two threads

Models: hyenadna-small-32k (4 layers of 256), hyenadna-medium-160k (8 layers), caduceus-ph-131k (16
layers of 256; both strands are computed). The reference scans row by row, as PyTorch without a
kernel of its own does.
"""

import json
import pathlib
import random
import sys
import time

import torch
from safetensors.torch import load_file

import caduceus
import hyenadna
from common import save

SHAPES = {
    "hyenadna-small-32k": (hyenadna, hyenadna.HyenaDna, hyenadna.settings(
        d_model=256, n_layer=4, d_inner=1024, emb_dim=5, max_seq_len=32770)),
    "hyenadna-medium-160k": (hyenadna, hyenadna.HyenaDna, hyenadna.settings(
        d_model=256, n_layer=8, d_inner=1024, emb_dim=5, max_seq_len=160002)),
    "caduceus-ph-131k": (caduceus, caduceus.Caduceus, caduceus.settings(16, 256, False)),
}


def checkpoint(name, folder):
    _, build, config = SHAPES[name]
    torch.manual_seed(1)
    model = build(config)
    if name.startswith("caduceus"):
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if key.endswith("A_log"):
                    parameter.copy_(torch.log(1 + torch.arange(parameter.shape[1])).expand_as(parameter))
                elif key.endswith("dt_proj.bias"):
                    parameter.fill_(-4)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = model.state_dict
    model.state_dict = lambda: {k: v for k, v in state().items() if not k.startswith("embedding.")}
    save(folder, model, config)


def fasta(length, count, file):
    chance = random.Random(1)
    with open(file, "w") as out:
        for i, n in enumerate([64] * 4 + [length] * count):
            out.write(f">{i}\n{''.join(chance.choices('ACGT', k=n))}\n")


def run(name, folder, file):
    torch.set_num_threads(2)
    module, build, _ = SHAPES[name]
    model = build(json.loads(pathlib.Path(folder, "config.json").read_text())).eval()
    missing, extra = model.load_state_dict(load_file(f"{folder}/model.safetensors"), strict=False)
    assert not extra and all(key.startswith("embedding.") for key in missing)
    sequences = [line.strip() for line in open(file) if not line.startswith(">")]
    embed = model.conjoined if name.startswith("caduceus") else lambda tokens: model(tokens)[-1]
    with torch.inference_mode():
        for s in sequences[:4]:
            embed(torch.tensor([module.ids(s)]))
        clock, busy = time.perf_counter(), time.process_time()
        for s in sequences[4:]:
            embed(torch.tensor([module.ids(s)]))[0, : len(s)].mean(0).numpy()
        seconds, busy = time.perf_counter() - clock, time.process_time() - busy
    bases = sum(map(len, sequences[4:]))
    print(f"{bases} bases, {seconds:.2f} s ({busy:.2f} s of processors), {bases / seconds:.0f} bases/s", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["checkpoint", name, folder]:
            checkpoint(name, folder)
        case ["fasta", length, count, file]:
            fasta(int(length), int(count), file)
        case ["run", name, folder, file]:
            run(name, folder, file)
        case _:
            sys.exit(__doc__)
