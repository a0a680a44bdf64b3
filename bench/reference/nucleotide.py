"""Golden files of the Nucleotide Transformers.

v1 is transformers' `EsmModel` with learned positions. v2's code is published with its checkpoints
only; it is that model with rotary positions and a gated feed-forward block, which is put in here.
"""

import itertools

import torch
from torch import nn
from transformers import EsmConfig, EsmModel

from common import BASES, pad, randomise, save, write

TOKENS = ["<unk>", "<pad>", "<mask>", "<cls>", "<eos>", "<bos>"]
TOKENS += ["".join(kmer) for kmer in itertools.product("ATCG", repeat=6)] + list("ATCGN")
INDEX = {token: i for i, token in enumerate(TOKENS)}
PAD, MASK, CLS = 1, 2, 3


def ids(sequence):
    tokens, at = [CLS], 0
    while at < len(sequence):
        token = INDEX.get(sequence[at : at + 6]) if at + 6 <= len(sequence) else None
        if token is None:
            tokens.append(INDEX.get(sequence[at], 0))
            at += 1
        else:
            tokens.append(token)
            at += 6
    return tokens


class Gated(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.dense = nn.Linear(width, 2 * inner, bias=False)
        self.inner = inner

    def forward(self, x):
        first, second = self.dense(x).split(self.inner, dim=-1)
        return nn.functional.silu(first) * second


def make(name, seed, gated, **shape):
    config = EsmConfig(
        vocab_size=len(TOKENS),
        pad_token_id=PAD,
        mask_token_id=MASK,
        position_embedding_type="rotary" if gated else "absolute",
        max_position_embeddings=66,
        emb_layer_norm_before=False,
        token_dropout=False,
        layer_norm_eps=1e-12,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **shape,
    )
    config._attn_implementation = "eager"
    model = EsmModel(config, add_pooling_layer=False)
    if gated:
        for layer in model.encoder.layer:
            layer.intermediate = Gated(config.hidden_size, config.intermediate_size)
            layer.output.dense = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)
    model = randomise(model, seed)
    tokens = [ids(s) for s in BASES]
    batch, mask = pad(tokens, PAD)
    with torch.no_grad():
        out = model(batch, attention_mask=mask, output_hidden_states=True)
    folder = write(name, BASES, tokens, [*out.hidden_states[:-1], out.last_hidden_state])
    keep = (
        "model_type vocab_size hidden_size num_hidden_layers num_attention_heads "
        "intermediate_size layer_norm_eps position_embedding_type pad_token_id mask_token_id "
        "token_dropout emb_layer_norm_before max_position_embeddings"
    ).split()
    settings = {k: getattr(config, k) for k in keep}
    if gated:
        settings["add_bias_fnn"] = False
        del settings["model_type"]  # as on the hub
    save(folder, model, settings)
    (folder / "vocab.txt").write_text("\n".join(TOKENS) + "\n")
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-sa-4.0\n---\nRandom weights.\n")


if __name__ == "__main__":
    shape = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=2)
    make("nucleotide-v1", 4, False, intermediate_size=96, **shape)
    make("nucleotide-v2", 5, True, intermediate_size=40, **shape)
