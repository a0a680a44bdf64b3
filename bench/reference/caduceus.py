"""Golden files of Caduceus (Schiff et al. 2024, arXiv:2403.03234).

Its code needs kernels that run on a GPU only; the layers are written out here from their
description. Each layer adds the last one's output to the residual, normalises, and runs Mamba (Gu
and Dao 2023, arXiv:2312.00752) over the sequence and over its reverse, with input and output
projections shared. In the form PS a state has two halves, of the sequence and of its reverse
complement, and each goes through the same layer.

The published code has two paths for PS, and they differ: where `fused_add_norm` is set, every layer
takes the halves in exchange. Both are here, as checkpoints are trained by either.

Hidden states are the residual before each layer, and the last after the final norm. `conjoined`
is the mean over both strands, `[bases, d_model]`.
"""

import math

import torch
from torch import nn
from torch.nn.functional import conv1d, silu, softplus

from common import BASES, randomise, save, write

TOKENS = ["[CLS]", "[SEP]", "[BOS]", "[MASK]", "[PAD]", "[RESERVED]", "[UNK]", *"ACGTN"]
INDEX = {token: i for i, token in enumerate(TOKENS)}
PAIRS = {"A": "T", "C": "G", "G": "C", "T": "A"}


def ids(sequence):
    """Downstream of its training the model reads bases alone."""
    return [INDEX.get(base, INDEX["[UNK]"]) for base in sequence.upper()]


def complements(rows):
    pairs = {i: INDEX[PAIRS.get(t, t)] for i, t in enumerate(TOKENS)}
    return {i: pairs.get(i, i) for i in range(rows)}


class Rms(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * self.weight


class Mamba(nn.Module):
    def __init__(self, c):
        super().__init__()
        ssm, width = c["ssm_cfg"], c["d_model"]
        inner, self.state = ssm["expand"] * width, ssm["d_state"]
        self.rank = math.ceil(width / 16) if ssm["dt_rank"] == "auto" else ssm["dt_rank"]
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, ssm["d_conv"], groups=inner, padding=ssm["d_conv"] - 1,
                                bias=ssm["conv_bias"])
        self.x_proj = nn.Linear(inner, self.rank + 2 * self.state, bias=False)
        self.dt_proj = nn.Linear(self.rank, inner)
        self.A_log = nn.Parameter(torch.zeros(inner, self.state))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, width, bias=False)

    def forward(self, u):
        n = u.shape[1]
        x, z = self.in_proj(u).chunk(2, -1)
        x = silu(self.conv1d(x.mT)[..., :n]).mT
        dt, b, c = self.x_proj(x).split([self.rank, self.state, self.state], -1)
        dt = softplus(self.dt_proj(dt))
        decay = torch.exp(dt[..., None] * -torch.exp(self.A_log))
        drive = (dt * x)[..., None] * b[:, :, None, :]
        h, ys = torch.zeros_like(decay[:, 0]), []
        for t in range(n):
            h = decay[:, t] * h + drive[:, t]
            ys.append((h @ c[:, t, :, None])[..., 0])
        y = torch.stack(ys, 1) + self.D * x
        return self.out_proj(y * silu(z))


class Both(nn.Module):
    """Mamba over the sequence and over its reverse."""

    def __init__(self, c):
        super().__init__()
        self.mamba_fwd, self.mamba_rev = Mamba(c), Mamba(c)
        self.mamba_rev.in_proj.weight = self.mamba_fwd.in_proj.weight
        self.mamba_rev.out_proj.weight = self.mamba_fwd.out_proj.weight

    def forward(self, x):
        return self.mamba_fwd(x) + self.mamba_rev(x.flip(1)).flip(1)


def rc(x):
    return x.flip(-2, -1)


def paired(f, x):
    first, second = x.chunk(2, -1)
    return torch.cat([f(first), rc(f(rc(second)))], -1)


def norm(c):
    return Rms(c["d_model"]) if c["rms_norm"] else nn.LayerNorm(c["d_model"])


def wrap(module):
    outer = nn.Module()
    outer.submodule = module
    return outer


class Caduceus(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        rows = c["vocab_size"]
        self.caduceus = nn.Module()
        self.caduceus.backbone = b = nn.Module()
        self.embedding = embedding = nn.Embedding(rows, c["d_model"])
        b.embeddings = nn.Module()
        self.ps, self.fused = c["rcps"], c["fused_add_norm"]
        wrapped = self.ps and not self.fused
        if self.ps:
            b.embeddings.word_embeddings = nn.Module()
            b.embeddings.word_embeddings.embedding = embedding
            b.embeddings.word_embeddings.register_buffer(
                "complement_map", torch.tensor([complements(rows)[i] for i in range(rows)]))
        else:
            b.embeddings.word_embeddings = embedding
        b.layers = nn.ModuleList()
        for _ in range(c["n_layer"]):
            layer = nn.Module()
            layer.norm = wrap(norm(c)) if wrapped else norm(c)
            layer.mixer = wrap(Both(c)) if self.ps else Both(c)
            b.layers.append(layer)
        b.norm_f = wrap(norm(c)) if wrapped else norm(c)
        self.lm_head = nn.Linear(c["d_model"], rows, bias=False)

    def forward(self, tokens):
        b = self.caduceus.backbone
        plain = lambda module: getattr(module, "submodule", module)
        x = self.embedding(tokens)
        complement = torch.tensor([complements(self.c["vocab_size"])[i] for i in range(self.c["vocab_size"])])
        if self.ps:
            x = torch.cat([x, rc(self.embedding(complement[tokens].flip(-1)))], -1)
        hidden = [x]
        for layer in b.layers:
            mix, scale = plain(layer.mixer), plain(layer.norm)
            x = hidden[-1]
            if not self.ps:
                hidden.append(x + mix(scale(x)))
                continue
            if self.fused:
                first, second = x.chunk(2, -1)
                x = torch.cat([second, first], -1)
                normed = torch.cat([scale(second), rc(scale(rc(first)))], -1)
            else:
                normed = paired(scale, x)
            hidden.append(x + paired(mix, normed))
        last = plain(b.norm_f)
        hidden[-1] = paired(last, hidden[-1]) if self.ps else last(hidden[-1])
        return hidden

    def conjoined(self, tokens, last=None):
        if self.ps:
            first, second = (self(tokens)[-1] if last is None else last).chunk(2, -1)
            return (first + second.flip(-1)) / 2
        table = complements(self.c["vocab_size"])
        other = torch.tensor([[table[int(i)] for i in row] for row in tokens]).flip(-1)
        return ((self(tokens)[-1] if last is None else last) + self(other)[-1].flip(-2)) / 2


def settings(n_layer, d_model, rcps, fused=True, rms=True, vocab_size=16, **ssm):
    config = {
        "model_type": "caduceus", "d_model": d_model, "n_layer": n_layer, "vocab_size": vocab_size,
        "pad_vocab_size_multiple": 8, "rms_norm": rms, "fused_add_norm": fused,
        "residual_in_fp32": False, "norm_epsilon": 1e-5, "bidirectional": True,
        "bidirectional_strategy": "add", "bidirectional_weight_tie": True, "rcps": rcps,
        "ssm_cfg": {"d_state": 16, "d_conv": 4, "expand": 2, "dt_rank": "auto", "conv_bias": True,
                    "bias": False, **ssm},
    }
    if rcps:
        config["complement_map"] = {str(k): v for k, v in complements(vocab_size).items()}
    return config


def make(name, seed, keep_shared, config):
    model = randomise(Caduceus(config), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if key.endswith("A_log"):
                parameter.copy_(torch.log(1 + torch.arange(parameter.shape[1]).float()) + 0.1 * noise)
            elif key.endswith("dt_proj.bias"):
                parameter.copy_(noise - 2)
            elif key.endswith("D"):
                parameter.copy_(1 + 0.3 * noise)
        tokens = [ids(s) for s in BASES]
        cases = [model(torch.tensor([t])) for t in tokens]
        extra = {f"{i}.conjoined": model.conjoined(torch.tensor([t]), cases[i][-1])[0].contiguous()
                 for i, t in enumerate(tokens)}
    hidden = [torch.zeros(len(tokens), max(map(len, tokens)), s.shape[-1]) for s in cases[0]]
    for case, states in enumerate(cases):
        for layer, state in enumerate(states):
            hidden[layer][case, : state.shape[1]] = state[0]
    folder = write(name, BASES, tokens, hidden, extra)
    state = model.state_dict
    drop = lambda k: k.startswith("embedding.") or (
        not keep_shared and k.endswith(("mamba_rev.in_proj.weight", "mamba_rev.out_proj.weight")))
    model.state_dict = lambda: {k: v for k, v in state().items() if not drop(k)}
    save(folder, model, config)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nRandom weights.\n")


if __name__ == "__main__":
    make("caduceus-ph", 14, False, settings(2, 24, False))
    make("caduceus-ps", 15, True, settings(2, 20, True))
    make("caduceus-ps-odd", 16, False, settings(3, 11, True, d_state=5, d_conv=3, dt_rank=3))
    make("caduceus-ps-plain", 17, True, settings(1, 16, True, fused=False, rms=False, conv_bias=False))
