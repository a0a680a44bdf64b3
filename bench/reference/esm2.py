"""Golden files of ESM-2: the implementation is transformers' `EsmForMaskedLM`."""

import torch
from transformers import EsmConfig, EsmForMaskedLM

from common import PROTEINS, pad, randomise, save, write

TOKENS = (
    "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <null_1> <mask>"
).split()
CLS, PAD, EOS, UNK, MASK = 0, 1, 2, 3, 32


def ids(sequence):
    return [CLS, *(TOKENS.index(c) if c in TOKENS else UNK for c in sequence), EOS]


def make(name, seed, **shape):
    config = EsmConfig(
        vocab_size=33,
        pad_token_id=PAD,
        mask_token_id=MASK,
        position_embedding_type="rotary",
        emb_layer_norm_before=shape.pop("norm_before", False),
        token_dropout=shape.pop("token_dropout", True),
        layer_norm_eps=1e-5,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **shape,
    )
    config._attn_implementation = "eager"
    model = randomise(EsmForMaskedLM(config), seed)
    sequences = PROTEINS
    tokens = [ids(s) for s in sequences]
    # A masked residue changes the scale of the whole sequence.
    tokens.append([CLS, 5, MASK, 6, MASK, 4, 20, EOS])
    batch, mask = pad(tokens, PAD)
    with torch.no_grad():
        out = model.esm(batch, attention_mask=mask, output_hidden_states=True)
        extra = {}
        for case, row in enumerate(tokens):
            one = torch.tensor([row])
            contacts = model.predict_contacts(one, torch.ones_like(one))
            extra[f"{case}.contacts"] = contacts[0].contiguous().clone()
    hidden = [*out.hidden_states[:-1], out.last_hidden_state]
    folder = write(name, sequences, tokens, hidden, extra)
    keep = (
        "model_type vocab_size hidden_size num_hidden_layers num_attention_heads "
        "intermediate_size layer_norm_eps position_embedding_type pad_token_id mask_token_id "
        "token_dropout emb_layer_norm_before max_position_embeddings"
    ).split()
    save(folder, model, {k: getattr(config, k) for k in keep})
    (folder / "vocab.txt").write_text("\n".join(TOKENS) + "\n")


if __name__ == "__main__":
    make("esm2", 1, hidden_size=48, num_hidden_layers=3, num_attention_heads=3, intermediate_size=192)
    # Heads of 10 numbers, one layer, a width that no vector divides.
    make("esm2-odd", 2, hidden_size=30, num_hidden_layers=1, num_attention_heads=3, intermediate_size=77)
    make(
        "esm2-plain",
        3,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=1,
        intermediate_size=64,
        token_dropout=False,
        norm_before=True,
    )
