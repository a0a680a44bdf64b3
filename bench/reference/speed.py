"""Residues per second of PyTorch with transformers, and the checkpoint to run Penstock on.

    speed.py checkpoint SHAPE FOLDER      writes a checkpoint of that shape with random weights
    speed.py run FOLDER FASTA [RECORDS]   embeds records, sorted by length, in token batches

Speed does not depend on the weights. `run` tries several batch sizes and prints each.
"""

import pathlib
import sys
import time

import torch
from transformers import EsmConfig, EsmModel

SHAPES = {"8M": (6, 320, 20), "35M": (12, 480, 20), "150M": (30, 640, 20), "650M": (33, 1280, 20)}
TOKENS = (
    "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <null_1> <mask>"
).split()
INDEX = {token: i for i, token in enumerate(TOKENS)}


def checkpoint(shape, folder):
    layers, width, heads = SHAPES[shape]
    torch.manual_seed(1)
    config = EsmConfig(
        vocab_size=33, pad_token_id=1, mask_token_id=32, position_embedding_type="rotary",
        emb_layer_norm_before=False, token_dropout=True, layer_norm_eps=1e-5, hidden_size=width,
        num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * width,
        max_position_embeddings=1026,
    )
    EsmModel(config, add_pooling_layer=False).save_pretrained(folder)
    pathlib.Path(folder, "vocab.txt").write_text("\n".join(TOKENS) + "\n")


def records(path, count):
    sequences = []
    for line in open(path):
        if line.startswith(">"):
            sequences.append("")
        else:
            sequences[-1] += line.strip().upper()
    step = max(len(sequences) // count, 1)
    return sequences[::step][:count]


def run(folder, fasta, count=500, budgets="1024,2048,4096"):
    torch.set_num_threads(2)
    sequences = sorted(records(fasta, count), key=len, reverse=True)
    residues = sum(map(len, sequences))
    for attention in ("sdpa", "eager"):
        model = EsmModel.from_pretrained(
            folder, add_pooling_layer=False, attn_implementation=attention
        ).eval()
        for budget in map(int, budgets.split(",")):
            batches, used = [], 0
            for s in sequences:
                if not batches or (len(batches[-1]) + 1) * (len(batches[-1][0]) + 2) > budget:
                    batches.append([])
                batches[-1].append(s)
            best = float("inf")
            with torch.inference_mode():
                for _ in range(2 if residues < 50_000 else 1):
                    clock = time.perf_counter()
                    for batch in batches:
                        n = len(batch[0]) + 2
                        rows = [[0, *(INDEX.get(c, 3) for c in s), 2] for s in batch]
                        ids = torch.tensor([r + [1] * (n - len(r)) for r in rows])
                        mask = (ids != 1).long()
                        states = model(ids, attention_mask=mask).last_hidden_state
                        keep = mask.clone()
                        keep[:, 0] = 0
                        for i, r in enumerate(rows):
                            keep[i, len(r) - 1] = 0
                        keep = keep[:, :, None]
                        ((states * keep).sum(1) / keep.sum(1)).numpy()
                    best = min(best, time.perf_counter() - clock)
            print(f"{attention} {budget} tokens: {best:.2f} s, {residues / best:.0f} residues/s", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["checkpoint", shape, folder]:
            checkpoint(shape, folder)
        case ["run", folder, fasta, *count]:
            run(folder, fasta, *map(int, count[:1]), *count[1:])
        case _:
            sys.exit(__doc__)
