"""Golden files of GIN, GraphSAGE and GAT: the implementation is torch_geometric's basic models.

For each case `<n>.features` and `<n>.edges` (two rows: senders, receivers), `<n>.hidden.<layer>`
(after each layer with its norm and activation) and `<n>.out`.
"""

import torch
from torch_geometric.nn import GAT, GIN, GraphSAGE

from common import GOLDEN, randomise, save
from safetensors.torch import save_file

MODELS = {"gin": GIN, "graphsage": GraphSAGE, "gat": GAT}


def graphs(width, seed):
    """A graph with loops, repeated edges, a hub and vertices without any edge; one vertex alone."""
    generator = torch.Generator().manual_seed(seed)
    for vertices, edges in ((1, 0), (23, 60), (67, 300)):
        ends = torch.randint(0, max(vertices - 2, 1), (2, edges), generator=generator)
        ends[1, : edges // 8] = 0
        ends = torch.cat([ends, ends[:, :3]], dim=1)
        yield torch.randn(vertices, width, generator=generator), ends


def layers(model, x, edges):
    """The model's forward pass, with what comes out of each layer."""
    hidden = []
    for i, (conv, norm) in enumerate(zip(model.convs, model.norms)):
        x = conv(x, edges)
        if i < model.num_layers - 1 or model.jk_mode is not None:
            if model.act is not None and model.act_first:
                x = model.act(x)
            if model.supports_norm_batch:
                x = norm(x, torch.zeros(len(x), dtype=torch.int64), 1)
            else:
                x = norm(x)
            if model.act is not None and not model.act_first:
                x = model.act(x)
        hidden.append(x)
    return hidden


def make(name, kind, seed, graph=None, **shape):
    model = MODELS[kind](**shape)
    # Sums over neighbours grow from layer to layer; they should stay of the size of real ones.
    randomise(model, seed, 0.15 if kind == "gin" else 0.25)
    generator = torch.Generator().manual_seed(seed + 100)
    with torch.no_grad():
        for key, buffer in model.named_buffers():
            if key.endswith("running_mean"):
                buffer.copy_(0.3 * torch.randn(buffer.shape, generator=generator))
            elif key.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
            elif key.endswith("eps"):
                buffer.fill_(0.25)
    tensors = {}
    with torch.no_grad():
        for case, (x, edges) in enumerate(graphs(shape["in_channels"], seed)):
            hidden = layers(model, x, edges)
            batch = torch.zeros(len(x), dtype=torch.int64)
            out = model(x, edges, batch=batch, batch_size=1)
            if model.jk_mode is None:
                torch.testing.assert_close(out, hidden[-1])
            tensors |= {f"{case}.features": x, f"{case}.edges": edges, f"{case}.out": out}
            tensors |= {f"{case}.hidden.{i}": states for i, states in enumerate(hidden)}
    folder = GOLDEN / name
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.contiguous().clone() for key, value in tensors.items()}
    save_file(tensors, str(folder / "golden.safetensors"))
    config = {"model_type": kind, **shape} | ({"graph": graph} if graph else {})
    save(folder, model, config)


if __name__ == "__main__":
    contacts = {"from": "contacts", "cutoff_angstrom": 8.0, "features": ["residue", "present"]}
    faces = {"from": "faces", "features": ["normal", "area", "dihedral"]}
    vertices = {"from": "vertices", "features": ["normal", "curvature", "area", "degree"]}
    kmers = {"from": "kmers", "k": 11, "features": ["composition", "length", "coverage"]}
    make("gin", "gin", 1, contacts, in_channels=22, hidden_channels=16, num_layers=3, norm="BatchNorm")
    # One layer, a width that no vector divides, an activation that is not ReLU.
    make("gin-odd", "gin", 2, in_channels=5, hidden_channels=7, num_layers=1, out_channels=3, act="elu")
    make(
        "gin-cat", "gin", 3, in_channels=6, hidden_channels=9, num_layers=3, out_channels=5,
        act="gelu", act_first=True, norm="BatchNorm", jk="cat", train_eps=True,
    )
    node = {"mode": "node"}
    make(
        "sage", "graphsage", 4, faces, in_channels=7, hidden_channels=16, num_layers=2,
        out_channels=12, norm="LayerNorm", norm_kwargs=node,
    )
    make(
        "sage-max", "graphsage", 5, vertices, in_channels=6, hidden_channels=19, num_layers=3,
        aggr="max", normalize=True, project=True, norm="BatchNorm", jk="max", act="tanh",
    )
    make(
        "sage-graph", "graphsage", 6, in_channels=5, hidden_channels=8, num_layers=2, aggr="sum",
        norm="LayerNorm", jk="last", bias=False, root_weight=False, act="silu",
    )
    make(
        "gat", "gat", 7, kmers, in_channels=34, hidden_channels=16, num_layers=3, heads=4, act="elu",
    )
    # The last layer's heads are averaged: 5 numbers cannot be shared out to 3 heads.
    make(
        "gat-mean", "gat", 8, in_channels=6, hidden_channels=9, num_layers=2, out_channels=5, heads=3,
        negative_slope=0.1, norm="BatchNorm", residual=True,
    )
    make(
        "gat-v2", "gat", 9, in_channels=6, hidden_channels=10, num_layers=2, out_channels=4, heads=2,
        v2=True, jk="cat", add_self_loops=False, act="leaky_relu",
    )
    make(
        "gat-v2-shared", "gat", 10, in_channels=5, hidden_channels=12, num_layers=2, heads=2, v2=True,
        share_weights=True, concat=False, bias=False, act=None,
    )
