"""Golden files of DNABERT-2.

Its code is published with its checkpoint only; the layers are written out here from their
description: BERT with ALiBi, norms after the blocks, and a gated feed-forward block.
"""

import math

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from common import BASES, pad, randomise, save, write


def slopes(heads):
    def powers(n):
        start = 2 ** (-(2 ** -(math.log2(n) - 3)))
        return [start ** (i + 1) for i in range(n)]

    if math.log2(heads).is_integer():
        return powers(heads)
    closest = 2 ** math.floor(math.log2(heads))
    return powers(closest) + powers(2 * closest)[0::2][: heads - closest]


class Layer(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.heads = heads
        self.attention = nn.Module()
        self.attention.self = nn.Module()
        self.attention.self.Wqkv = nn.Linear(width, 3 * width)
        self.attention.output = nn.Module()
        self.attention.output.dense = nn.Linear(width, width)
        self.attention.output.LayerNorm = nn.LayerNorm(width, eps=1e-12)
        self.mlp = nn.Module()
        self.mlp.gated_layers = nn.Linear(width, 2 * inner, bias=False)
        self.mlp.wo = nn.Linear(inner, width)
        self.mlp.layernorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x, bias):
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = map(split, self.attention.self.Wqkv(x).chunk(3, -1))
        y = scaled_dot_product_attention(q, k, v, bias).transpose(1, 2).flatten(-2)
        out = self.attention.output
        x = out.LayerNorm(out.dense(y) + x)
        first, second = self.mlp.gated_layers(x).chunk(2, -1)
        return self.mlp.layernorm(self.mlp.wo(gelu(first) * second) + x)


class Bert(nn.Module):
    def __init__(self, rows, width, heads, layers, inner):
        super().__init__()
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(rows, width)
        self.embeddings.token_type_embeddings = nn.Embedding(2, width)
        self.embeddings.LayerNorm = nn.LayerNorm(width, eps=1e-12)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(width, heads, inner) for _ in range(layers))
        self.slopes = slopes(heads)

    def forward(self, ids, mask):
        n = ids.shape[1]
        x = self.embeddings.word_embeddings(ids) + self.embeddings.token_type_embeddings.weight[0]
        x = self.embeddings.LayerNorm(x)
        distance = (torch.arange(n)[None] - torch.arange(n)[:, None]).abs()
        bias = -torch.tensor(self.slopes)[None, :, None, None] * distance
        bias = bias.masked_fill(~mask.bool()[:, None, None, :], -1e30)
        hidden = [x]
        for layer in self.encoder.layer:
            hidden.append(layer(hidden[-1], bias))
        return hidden


def make(name, seed, width, heads, layers, inner):
    pieces = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", *"ACGTN", "AT", "TC", "GA", "ATTC", "CG", "TTT"]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    merges = [("A", "T"), ("T", "C"), ("G", "A"), ("AT", "TC"), ("C", "G"), ]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(pieces[:5])
    model = randomise(Bert(len(pieces), width, heads, layers, inner), seed)
    tokens = [[1, *tokenizer.encode(s, add_special_tokens=False).ids, 2] for s in BASES]
    batch, mask = pad(tokens, 3)
    with torch.no_grad():
        hidden = model(batch, mask)
    folder = write(name, BASES, tokens, hidden)
    tokenizer.save(str(folder / "tokenizer.json"))
    save(folder, model, {
        "model_type": "bert", "vocab_size": len(pieces), "hidden_size": width,
        "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner,
        "layer_norm_eps": 1e-12, "alibi_starting_size": 512, "max_position_embeddings": 512,
    })


if __name__ == "__main__":
    make("dnabert2", 9, width=36, heads=3, layers=2, inner=50)
