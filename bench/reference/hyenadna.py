"""Golden files of HyenaDNA (Nguyen et al. 2023, arXiv:2306.15794).

Its code is published with its checkpoints only; the layers are written out here from their
description: a block normalises, mixes tokens by the Hyena operator of order 2 (Poli et al. 2023,
arXiv:2302.10866), adds, normalises, and runs a two-layer perceptron. Sequences are run one by one:
the model knows no padding mask.
"""

import math

import torch
from torch import nn
from torch.nn.functional import gelu

from common import BASES, randomise, save, write

LETTERS = {letter: 7 + i for i, letter in enumerate("ACGTN")}
UNKNOWN, SEPARATOR = 6, 1


def ids(sequence):
    return [*(LETTERS.get(base, UNKNOWN) for base in sequence.upper()), SEPARATOR]


class Sine(nn.Module):
    def __init__(self, order, frequency, trained):
        super().__init__()
        value = frequency * torch.ones(1, order)
        if trained:
            self.freq = nn.Parameter(value)
        else:
            self.freq = value

    def forward(self, x):
        return torch.sin(self.freq * x)


class Filter(nn.Module):
    """The long filter: a perceptron of the position, under exponential windows."""

    def __init__(self, c):
        super().__init__()
        n, width, order = c["max_seq_len"], c["d_model"], c["filter_order"]
        self.bias = nn.Parameter(torch.zeros(width))
        sine = Sine(order, c["activation_freq"], c["train_freq"])
        layers = [nn.Linear(c["emb_dim"], order), sine]
        for _ in range(c["num_inner_mlps"]):
            layers += [nn.Linear(order, order), sine]
        self.implicit_filter = nn.Sequential(*layers, nn.Linear(order, width, bias=False))
        self.pos_emb, self.modulation = nn.Module(), nn.Module()
        t = torch.linspace(0, 1, n)[None, :, None]
        bands = (c["emb_dim"] - 1) // 2
        angle = 2 * math.pi * torch.linspace(0, n - 1, n)[None, :, None] / n
        angle = angle * torch.linspace(1e-4, bands - 1, bands)[None, None]
        self.pos_emb.register_buffer("z", torch.cat([t, torch.cos(-angle), torch.sin(-angle)], -1))
        self.pos_emb.register_buffer("t", t)
        slowest, fastest = math.log(1e-2) / 1.5, math.log(1e-2) / 0.3
        self.modulation.register_buffer("deltas", torch.linspace(slowest, fastest, width)[None, None])

    def forward(self, n):
        window = torch.exp(-self.pos_emb.t[:, :n] * self.modulation.deltas.abs()) + 0.05
        return (self.implicit_filter(self.pos_emb.z[:, :n]) * window)[0].T


class Operator(nn.Module):
    def __init__(self, c):
        super().__init__()
        width = c["d_model"]
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.short_filter = nn.Conv1d(3 * width, 3 * width, 3, padding=2, groups=3 * width)
        self.filter_fn = Filter(c)

    def forward(self, x):
        n = x.shape[1]
        gate, key, value = self.short_filter(self.in_proj(x).mT)[..., :n].chunk(3, 1)
        u = value * key
        # Twice the length, so that nothing wraps around.
        spectrum = torch.fft.rfft(u, 2 * n) * torch.fft.rfft(self.filter_fn(n), 2 * n)
        y = torch.fft.irfft(spectrum, 2 * n)[..., :n] + u * self.filter_fn.bias[:, None]
        return self.out_proj((y * gate).mT)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.mixer = Operator(c)
        self.norm1 = nn.LayerNorm(c["d_model"])
        self.mlp = nn.Module()
        self.mlp.fc1 = nn.Linear(c["d_model"], c["d_inner"])
        self.mlp.fc2 = nn.Linear(c["d_inner"], c["d_model"])
        self.norm2 = nn.LayerNorm(c["d_model"])

    def forward(self, x):
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp.fc2(gelu(self.mlp.fc1(self.norm2(x)), approximate="tanh"))


class HyenaDna(nn.Module):
    def __init__(self, c):
        super().__init__()
        rows = -(-c["vocab_size"] // c["pad_vocab_size_multiple"]) * c["pad_vocab_size_multiple"]
        self.hyena = nn.Module()
        self.hyena.backbone = b = nn.Module()
        b.embeddings = nn.Module()
        b.embeddings.word_embeddings = nn.Embedding(rows, c["d_model"])
        b.layers = nn.ModuleList(Block(c) for _ in range(c["n_layer"]))
        b.ln_f = nn.LayerNorm(c["d_model"], eps=c["layer_norm_epsilon"])
        self.lm_head = nn.Linear(c["d_model"], rows, bias=False)

    def forward(self, tokens):
        """Hidden states before each layer, and after the last and the final norm."""
        b = self.hyena.backbone
        hidden = [b.embeddings.word_embeddings(tokens)]
        for layer in b.layers:
            hidden.append(layer(hidden[-1]))
        hidden[-1] = b.ln_f(hidden[-1])
        return hidden


def settings(**shape):
    return {
        "model_type": "hyenadna", "vocab_size": 12, "pad_vocab_size_multiple": 8,
        "hyena_order": 2, "short_filter_order": 3, "layer_norm_epsilon": 1e-5,
        "filter_order": 64, "num_inner_mlps": 2, "train_freq": True, "activation_freq": 10,
        "use_bias": True, **shape,
    }


def make(name, seed, keep_shared, **shape):
    config = settings(**shape)
    model = randomise(HyenaDna(config), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if key.endswith("freq"):
                parameter.copy_(config["activation_freq"] * (1 + 0.2 * torch.randn(parameter.shape, generator=generator)))
        tokens = [ids(s) for s in BASES]
        cases = [model(torch.tensor([t])) for t in tokens]
        filters = [layer.mixer.filter_fn(config["max_seq_len"]) for layer in model.hyena.backbone.layers]
    longest = max(map(len, tokens))
    hidden = [torch.zeros(len(tokens), longest, config["d_model"]) for _ in cases[0]]
    for case, states in enumerate(cases):
        for layer, state in enumerate(states):
            hidden[layer][case, : state.shape[1]] = state[0]
    extra = {f"filter.{i}": f.contiguous() for i, f in enumerate(filters)}
    folder = write(name, BASES, tokens, hidden, extra)
    if not keep_shared:
        # One frequency serves all layers of a filter; some writers store it once.
        state = model.state_dict
        model.state_dict = lambda: {k: v for k, v in state().items() if not k.endswith(("3.freq", "5.freq"))}
    save(folder, model, config)
    (folder / "README.md").write_text("---\nlicense: bsd-3-clause\n---\nRandom weights.\n")


if __name__ == "__main__":
    make("hyenadna", 11, False, d_model=32, n_layer=2, d_inner=80, emb_dim=3, max_seq_len=130)
    make("hyenadna-odd", 12, True, d_model=13, n_layer=1, d_inner=19, emb_dim=5, max_seq_len=121,
         num_inner_mlps=1, filter_order=10)
    make("hyenadna-fixed", 13, True, d_model=16, n_layer=3, d_inner=64, emb_dim=3, max_seq_len=122,
         train_freq=False, activation_freq=1, filter_order=16)
