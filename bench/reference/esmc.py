"""Golden files of ESM C.

The published implementation pins old libraries, so its layers are written out here from their
description, in torch, with torch's own attention.
"""

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention, silu

from common import PROTEINS, pad, randomise, save, write

TOKENS = (
    "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - | <mask>"
).split()


def ids(sequence):
    return [0, *(TOKENS.index(c) if c in TOKENS else 3 for c in sequence), 2]


def turn(x):
    """Rotary positions, base 10,000, the two halves of a head as pairs. `[b, heads, n, dim]`."""
    half = x.shape[-1] // 2
    frequency = 1.0 / 10000 ** (torch.arange(0, half).float() / half)
    angle = torch.arange(x.shape[-2]).float()[:, None] * frequency
    cos, sin = torch.cat([angle.cos()] * 2, -1), torch.cat([angle.sin()] * 2, -1)
    rotated = torch.cat([-x[..., half:], x[..., :half]], -1)
    return x * cos + rotated * sin


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.layernorm_qkv = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 3 * width, bias=False)
        )
        self.q_ln = nn.LayerNorm(width, bias=False)
        self.k_ln = nn.LayerNorm(width, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)

    def forward(self, x, mask):
        q, k, v = self.layernorm_qkv(x).chunk(3, -1)
        q, k = self.q_ln(q), self.k_ln(k)
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = turn(split(q)), turn(split(k)), split(v)
        y = scaled_dot_product_attention(q, k, v, mask[:, None, None, :])
        return self.out_proj(y.transpose(1, 2).flatten(-2))


class SwiGlu(nn.Module):
    def forward(self, x):
        first, second = x.chunk(2, -1)
        return silu(first) * second


class Block(nn.Module):
    def __init__(self, width, heads, inner, layers):
        super().__init__()
        self.attn = Attention(width, heads)
        self.ffn = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * inner, bias=False),
            SwiGlu(),
            nn.Linear(inner, width, bias=False),
        )
        self.scale = (layers / 36) ** 0.5

    def forward(self, x, mask):
        x = x + self.attn(x, mask) / self.scale
        return x + self.ffn(x) / self.scale


class EsmC(nn.Module):
    def __init__(self, width, heads, layers, inner):
        super().__init__()
        self.embed = nn.Embedding(64, width)
        self.transformer = nn.Module()
        self.transformer.blocks = nn.ModuleList(
            Block(width, heads, inner, layers) for _ in range(layers)
        )
        self.transformer.norm = nn.LayerNorm(width, bias=False)

    def forward(self, ids, mask):
        x = self.embed(ids)
        hidden = [x]
        for block in self.transformer.blocks:
            x = block(x, mask)
            hidden.append(x)
        hidden[-1] = self.transformer.norm(x)
        return hidden


def make(name, seed, width, heads, layers):
    inner = ((width * 8 + 2) // 3 + 255) // 256 * 256
    model = randomise(EsmC(width, heads, layers, inner), seed)
    tokens = [ids(s) for s in PROTEINS]
    batch, mask = pad(tokens, 1)
    with torch.no_grad():
        hidden = model(batch, mask.bool())
    folder = write(name, PROTEINS, tokens, hidden)
    save(folder, model, {
        "model_type": "ESMplusplus", "vocab_size": 64, "hidden_size": width,
        "num_hidden_layers": layers, "num_attention_heads": heads,
    })


if __name__ == "__main__":
    make("esmc", 8, width=40, heads=2, layers=3)
