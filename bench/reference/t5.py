"""Golden files of T5 encoders: the implementation is transformers' `T5EncoderModel`."""

import torch
from transformers import T5Config, T5EncoderModel

from common import PROTEINS, pad, randomise, save, write

TOKENS = "<pad> </s> <unk> A L G V S R E D T I P K F Q N Y M H W C X B O U Z".split()


def ids(sequence):
    letters = ["X" if c in "UZOB" else c for c in sequence]
    return [TOKENS.index(c) if c in TOKENS else TOKENS.index("X") for c in letters] + [1]


def make(name, seed, **shape):
    config = T5Config(vocab_size=28, dropout_rate=0.0, layer_norm_epsilon=1e-6, **shape)
    model = randomise(T5EncoderModel(config), seed, spread=0.15)
    tokens = [ids(s) for s in PROTEINS]
    batch, mask = pad(tokens, 0)
    with torch.no_grad():
        out = model(batch, attention_mask=mask, output_hidden_states=True)
    folder = write(name, PROTEINS, tokens, [*out.hidden_states[:-1], out.last_hidden_state])
    keep = (
        "model_type vocab_size d_model d_kv d_ff num_layers num_heads layer_norm_epsilon "
        "relative_attention_num_buckets relative_attention_max_distance feed_forward_proj"
    ).split()
    save(folder, model, {k: getattr(config, k) for k in keep})


if __name__ == "__main__":
    make("t5", 6, d_model=32, d_kv=12, d_ff=64, num_layers=3, num_heads=2, feed_forward_proj="relu")
    make("t5-gated", 7, d_model=24, d_kv=8, d_ff=40, num_layers=2, num_heads=3,
         feed_forward_proj="gated-gelu", relative_attention_num_buckets=16,
         relative_attention_max_distance=20)
