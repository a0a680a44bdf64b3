"""What the golden-file scripts share.

A golden folder holds a small checkpoint with random weights, in the layout that Penstock reads, and
`golden.safetensors`: for each case `<n>.ids` (tokens with the special ones), `<n>.hidden.<layer>`
(before layer 0, after each layer, and last after the final norm), all computed by the reference in
one padded batch. `cases.json` holds the sequences.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file

GOLDEN = pathlib.Path(__file__).parent / "golden"

# Unknown and rare letters, one residue, lengths around a vector's width.
PROTEINS = [
    "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVVHSLAKWKRQTLGQHDFSAGEGLYTHMKALRPDEDRLSPLHSVYVDQWDWE",
    "M",
    "GGGGGGGG",
    "MXBUZOJACDEFGHIKL",
    "ACDEFGHIKLMNPQRSTVWYACDEFGHIKLM",
    "MKVLAAGIVGLCAKRLRWNDCEQGHILKMFPSTWYV" * 3,
]

BASES = [
    "ATTCCGATTCCGATTCCGTTTACGGATCATGCATGCAATTCCGGAATC",
    "A",
    "ACGTACN",
    "ATTCNGATTCATGGANNNACGTTTGGACC",
    "GATTACA" * 17,
]


def randomise(model, seed, spread=0.25):
    """Weights of a size at which every part of a layer matters in the result."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 1 and "bias" not in name:
                parameter.copy_(1.0 + 0.2 * noise)  # a norm's scale
            elif parameter.dim() == 1:
                parameter.copy_(0.1 * noise)
            else:
                parameter.copy_(noise * spread / parameter.shape[-1] ** 0.5 * 4)
    return model.eval()


def write(name, sequences, ids, hidden, extra=None):
    """`ids`: a list of token lists; `hidden`: for each layer `[cases, longest, width]`."""
    folder = GOLDEN / name
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for case, tokens in enumerate(ids):
        tensors[f"{case}.ids"] = torch.tensor(tokens, dtype=torch.int64)
        for layer, states in enumerate(hidden):
            tensors[f"{case}.hidden.{layer}"] = states[case, : len(tokens)].contiguous().clone()
    tensors.update(extra or {})
    save_file(tensors, str(folder / "golden.safetensors"))
    (folder / "cases.json").write_text(json.dumps(sequences, indent=1) + "\n")
    return folder


def pad(ids, padding):
    longest = max(map(len, ids))
    batch = torch.tensor([tokens + [padding] * (longest - len(tokens)) for tokens in ids])
    mask = torch.tensor([[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens in ids])
    return batch, mask


def save(folder, model, config):
    """Weights and configuration without what a library adds for itself."""
    state = {k: v.contiguous().clone() for k, v in model.state_dict().items()}
    save_file(state, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
