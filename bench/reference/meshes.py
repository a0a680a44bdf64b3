"""Golden files of the models of meshes: Transolver and MeshGraphNet.

Their code is published with other libraries around it, so the layers are written out here from
their description, in torch: Wu et al. 2024, arXiv 2402.02366, and Pfaff et al. 2021, arXiv
2010.03409, the latter as NVIDIA's physicsnemo lays it out. Tensor names are the published ones.

A golden folder holds for each case `<n>.vertices` (f64), `<n>.faces` (i32), `<n>.inputs` (what the
first layer reads, normalised), `<n>.hidden.<layer>` (before layer 0 and after each layer, per
vertex), and for MeshGraphNet `<n>.edges` (sender, receiver). The features of vertices are computed
here in numpy.
"""

import json

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from common import GOLDEN, randomise

ACTIVATIONS = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU}


# Meshes


def torus(around, across, seed, noise=0.02):
    """A torus with dents."""
    rng = np.random.default_rng(seed)
    u, v = np.meshgrid(np.arange(around), np.arange(across), indexing="ij")
    a, b = 2 * np.pi * u / around, 2 * np.pi * v / across
    r = 0.4 + 0.1 * np.sin(3 * a)
    xyz = np.stack([(1 + r * np.cos(b)) * np.cos(a), (1 + r * np.cos(b)) * np.sin(a), r * np.sin(b)], -1)
    at = lambda i, j: (i % around) * across + j % across
    p, q, s, t = at(u, v), at(u + 1, v), at(u + 1, v + 1), at(u, v + 1)
    faces = np.concatenate([np.stack([p, q, s], -1).reshape(-1, 3), np.stack([p, s, t], -1).reshape(-1, 3)])
    xyz = xyz.reshape(-1, 3)
    return xyz + noise * rng.standard_normal(xyz.shape), faces


def patch(n, m, seed):
    """An open surface away from the origin."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(n, dtype=float), np.arange(m, dtype=float), indexing="ij")
    xyz = np.stack([x, y, 0.3 * rng.standard_normal((n, m))], -1).reshape(-1, 3) * 0.5 + [3.0, -1.0, 0.5]
    faces = []
    for i in range(n - 1):
        for j in range(m - 1):
            p = i * m + j
            faces += [[p, p + m, p + m + 1], [p, p + m + 1, p + 1]]
    return xyz, np.array(faces)


def cases():
    open_xyz, open_faces = patch(5, 4, 3)
    # A face that is a line, one that is a point, and a vertex that no face uses.
    odd_xyz = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 2, 2], [0, 0, 0]], float)
    odd_faces = np.array([[0, 1, 2], [0, 2, 3], [0, 1, 1], [5, 5, 5], [3, 1, 5]])
    cloud = np.random.default_rng(9).standard_normal((23, 3))
    none = np.zeros((0, 3), int)
    return [
        torus(9, 6, 1),
        (open_xyz, open_faces),
        (odd_xyz, odd_faces),
        (cloud, none),
        (np.array([[0.5, -1.0, 2.0]]), none),
    ]


# Features of vertices


def frame(xyz, which):
    if which == "as-is":
        return xyz
    xyz = xyz - xyz.mean(0)
    reach = np.linalg.norm(xyz, axis=1).max()
    return xyz / reach if reach > 0 else xyz


def mesh_edges(faces, n):
    """Both directions of every edge, by receiver and then sender."""
    if len(faces) == 0:
        return np.zeros((2, 0), int)
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    sides = sides[sides[:, 0] != sides[:, 1]]
    both = np.unique(np.concatenate([sides, sides[:, ::-1]]), axis=0)
    return both[:, ::-1].T.copy()


def near_edges(xyz, k):
    """Each vertex and its k nearest, both directions, by receiver and then sender."""
    distance = np.linalg.norm(xyz[:, None] - xyz[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    k = min(k, len(xyz) - 1)
    pairs = [(i, j) for i in range(len(xyz)) for j in np.argsort(distance[i])[:k]]
    both = sorted({(i, j) for i, j in pairs} | {(j, i) for i, j in pairs})
    both = np.array(both, int).reshape(-1, 2)
    return both[:, ::-1].T.copy()


def features(xyz, faces, inputs):
    n = len(xyz)
    a, b, c = (xyz[faces[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    normal, area, turn = np.zeros((n, 3)), np.zeros(n), np.zeros(n)
    corners = [a, b, c]
    for k in range(3):
        np.add.at(normal, faces[:, k], cross)
        np.add.at(area, faces[:, k], np.linalg.norm(cross, axis=1) / 6)
        u, v = corners[(k + 1) % 3] - corners[k], corners[(k + 2) % 3] - corners[k]
        angle = np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), (u * v).sum(1))
        np.add.at(turn, faces[:, k], angle)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
    count = {}
    for face in faces:
        for k in range(3):
            p, q = sorted((face[k], face[(k + 1) % 3]))
            if p != q:
                count[p, q] = count.get((p, q), 0) + 1
    boundary = np.zeros(n)
    for (p, q), times in count.items():
        if times == 1:
            boundary[[p, q]] = 1
    inside = (boundary == 0) & (area > 0)
    curvature = np.divide(2 * np.pi - turn, area, out=np.zeros(n), where=inside)
    columns = {
        "position": xyz, "normal": normal, "area": area[:, None], "boundary": boundary[:, None],
        "gaussian_curvature": curvature[:, None], "sdf": np.zeros((n, 1)),
    }
    parts = [
        np.full((n, 1), one["constant"]) if isinstance(one, dict) else columns[one] for one in inputs
    ]
    return np.concatenate(parts, 1) if parts else np.zeros((n, 0))


def normalised(values, mean, std):
    if mean is not None:
        values = (values - np.array(mean)) / np.array(std)
    return torch.tensor(values, dtype=torch.float32)


# Transolver


class Mlp(nn.Module):
    def __init__(self, inputs, hidden, outputs, act):
        super().__init__()
        self.linear_pre = nn.Sequential(nn.Linear(inputs, hidden), ACTIVATIONS[act]())
        self.linear_post = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.linear_post(self.linear_pre(x))


class PhysicsAttention(nn.Module):
    def __init__(self, width, heads, slices):
        super().__init__()
        dim = width // heads
        self.heads, self.dim = heads, dim
        self.temperature = nn.Parameter(torch.ones(1, heads, 1, 1) * 0.5)
        self.in_project_x = nn.Linear(width, width)
        self.in_project_fx = nn.Linear(width, width)
        self.in_project_slice = nn.Linear(dim, slices)
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(dim, dim, bias=False)
        self.to_v = nn.Linear(dim, dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width), nn.Dropout(0.0))

    def forward(self, x):
        split = lambda t: t.unflatten(-1, (self.heads, self.dim)).transpose(0, 1).contiguous()
        fx, x = split(self.in_project_fx(x)), split(self.in_project_x(x))
        weights = (self.in_project_slice(x) / self.temperature[0]).softmax(-1)
        norm = weights.sum(1)
        token = torch.einsum("hnc,hng->hgc", fx, weights) / (norm + 1e-5)[:, :, None]
        q, k, v = self.to_q(token), self.to_k(token), self.to_v(token)
        attention = (q @ k.transpose(-1, -2) * self.dim**-0.5).softmax(-1)
        y = torch.einsum("hgc,hng->hnc", attention @ v, weights)
        return self.to_out(y.transpose(0, 1).flatten(1))


class Block(nn.Module):
    def __init__(self, config, last):
        super().__init__()
        width = config["n_hidden"]
        self.ln_1 = nn.LayerNorm(width)
        self.Attn = PhysicsAttention(width, config["n_head"], config["slice_num"])
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, config["mlp_ratio"] * width, width, config["act"])
        if last:
            self.ln_3 = nn.LayerNorm(width)
            self.mlp2 = nn.Linear(width, 4)

    def forward(self, x):
        x = self.Attn(self.ln_1(x)) + x
        return self.mlp(self.ln_2(x)) + x


class Transolver(nn.Module):
    def __init__(self, config, inputs):
        super().__init__()
        width, layers = config["n_hidden"], config["n_layers"]
        self.preprocess = Mlp(inputs, 2 * width, width, config["act"])
        self.placeholder = nn.Parameter(torch.rand(width) / width)
        self.blocks = nn.ModuleList(Block(config, i == layers - 1) for i in range(layers))

    def forward(self, x, keep=True):
        x = self.preprocess(x) + self.placeholder
        hidden = [x]
        for block in self.blocks:
            x = block(x)
            hidden = [*hidden, x] if keep else [x]
        return hidden


def reference_distances(xyz, ref, grid):
    axes = [np.linspace(low, high, ref) for low, high in grid]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return np.linalg.norm(xyz[:, None] - points[None], axis=-1)


def transolver_inputs(config, xyz, faces):
    xyz = frame(xyz, config["frame"])
    x = normalised(features(xyz, faces, config["inputs"]), config.get("mean"), config.get("std"))
    if config.get("unified_pos"):
        distances = reference_distances(xyz, config["ref"], config["grid"])
        x = torch.cat([x, torch.tensor(distances, dtype=torch.float32)], 1)
    return x


# MeshGraphNet


def layers(inputs, hidden, outputs, count, act):
    parts = [nn.Linear(inputs, hidden), act()]
    for _ in range(count - 1):
        parts += [nn.Linear(hidden, hidden), act()]
    return nn.Sequential(*parts, nn.Linear(hidden, outputs), nn.LayerNorm(outputs))


class GraphMlp(nn.Module):
    def __init__(self, *args):
        super().__init__()
        self.model = layers(*args)

    def forward(self, x):
        return self.model(x)


class EdgeSum(nn.Module):
    """The first layer in three parts, added up per edge."""

    def __init__(self, width, count, act):
        super().__init__()
        self.lin_efeat = nn.Parameter(torch.zeros(width, width))
        self.lin_src = nn.Parameter(torch.zeros(width, width))
        self.lin_dst = nn.Parameter(torch.zeros(width, width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.model = nn.Sequential(*list(layers(width, width, width, count, act))[1:])

    def forward(self, e, src, dst):
        return self.model(e @ self.lin_efeat.T + src @ self.lin_src.T + dst @ self.lin_dst.T + self.bias)


class EdgeConcat(GraphMlp):
    def forward(self, e, src, dst):
        return self.model(torch.cat([e, src, dst], 1))


class EdgeBlock(nn.Module):
    def __init__(self, width, count, act, split):
        super().__init__()
        if split:
            self.edge_mlp = EdgeSum(width, count, act)
        else:
            self.edge_mlp = EdgeConcat(3 * width, width, width, count, act)

    def forward(self, e, v, edges):
        return e + self.edge_mlp(e, v[edges[0]], v[edges[1]]), v


class NodeBlock(nn.Module):
    def __init__(self, width, count, act, mean):
        super().__init__()
        self.mean = mean
        self.node_mlp = GraphMlp(2 * width, width, width, count, act)

    def forward(self, e, v, edges):
        total = torch.zeros_like(v).index_add_(0, edges[1], e)
        if self.mean:
            degree = torch.bincount(edges[1], minlength=len(v)).clamp(min=1)
            total = total / degree[:, None]
        return e, v + self.node_mlp(torch.cat([total, v], 1))


class MeshGraphNet(nn.Module):
    def __init__(self, config, inputs):
        super().__init__()
        width, act = config["hidden_dim_processor"], ACTIVATIONS[config["mlp_activation_fn"]]
        self.edge_encoder = GraphMlp(
            4, config["hidden_dim_edge_encoder"], width, config["num_layers_edge_encoder"], act
        )
        self.node_encoder = GraphMlp(
            inputs, config["hidden_dim_node_encoder"], width, config["num_layers_node_encoder"], act
        )
        self.processor = nn.Module()
        self.processor.processor_layers = nn.ModuleList()
        for _ in range(config["processor_size"]):
            self.processor.processor_layers += [
                EdgeBlock(width, config["num_layers_edge_processor"], act, config["do_concat_trick"]),
                NodeBlock(width, config["num_layers_node_processor"], act, config["aggregation"] == "mean"),
            ]
        self.node_decoder = nn.Module()
        self.node_decoder.model = nn.Sequential(nn.Linear(width, 3))

    def forward(self, v, e, edges, keep=True):
        v, e = self.node_encoder(v), self.edge_encoder(e)
        hidden = [v]
        for i, layer in enumerate(self.processor.processor_layers):
            e, v = layer(e, v, edges)
            if i % 2:
                hidden = [*hidden, v] if keep else [v]
        return hidden


def graph_inputs(config, xyz, faces):
    xyz = frame(xyz, config["frame"])
    x = normalised(features(xyz, faces, config["inputs"]), config.get("mean"), config.get("std"))
    edges = mesh_edges(faces, len(xyz))
    if len(faces) == 0 and config.get("neighbours"):
        edges = near_edges(xyz, config["neighbours"])
    offset = xyz[edges[0]] - xyz[edges[1]]
    values = np.concatenate([offset, np.linalg.norm(offset, axis=1, keepdims=True)], 1)
    e = normalised(values, config.get("edge_mean"), config.get("edge_std"))
    return x, e, torch.tensor(edges)


# Golden folders


def make(name, seed, config):
    tensors, model = {}, None
    for case, (xyz, faces) in enumerate(cases()):
        tensors[f"{case}.vertices"] = torch.tensor(xyz, dtype=torch.float64)
        tensors[f"{case}.faces"] = torch.tensor(faces, dtype=torch.int32)
        if config["model_type"] == "transolver":
            arguments = (transolver_inputs(config, xyz, faces),)
            make_model = Transolver
        else:
            arguments = graph_inputs(config, xyz, faces)
            if arguments[2].shape[1] == 0:
                continue  # no edges: nothing to encode
            tensors[f"{case}.edges"] = arguments[2].int()
            make_model = MeshGraphNet
        if model is None:
            torch.manual_seed(seed)
            model = randomise(make_model(config, arguments[0].shape[1]), seed)
            if config["model_type"] == "transolver":
                with torch.no_grad():
                    for block in model.blocks:
                        heads = config["n_head"]
                        block.Attn.temperature.copy_(torch.linspace(0.4, 1.1, heads).reshape(1, heads, 1, 1))
        with torch.no_grad():
            hidden = model(*arguments)
        tensors[f"{case}.inputs"] = arguments[0]
        for layer, states in enumerate(hidden):
            tensors[f"{case}.hidden.{layer}"] = states.contiguous().clone()
    folder = GOLDEN / name
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(folder / "golden.safetensors"))
    state = {k: v.contiguous().clone() for k, v in model.state_dict().items()}
    save_file(state, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    make("transolver", 11, {
        "model_type": "transolver", "n_layers": 3, "n_hidden": 32, "n_head": 4, "slice_num": 8,
        "mlp_ratio": 2, "act": "gelu", "inputs": ["position", "sdf", "normal"], "frame": "as-is",
        "mean": [0.1, -0.2, 0.3, 0.05, 0.0, 0.0, 0.1], "std": [1.5, 1.25, 0.75, 0.5, 0.6, 0.6, 0.6],
    })
    make("transolver-odd", 12, {
        "model_type": "transolver", "n_layers": 1, "n_hidden": 21, "n_head": 3, "slice_num": 5,
        "mlp_ratio": 1, "act": "relu", "inputs": [], "frame": "unit", "unified_pos": True,
        "ref": 3, "grid": [[-1.5, 1.5], [0, 2], [-4, 4]],
    })
    make("transolver-slices", 13, {
        "model_type": "transolver", "n_layers": 2, "n_hidden": 24, "n_head": 6, "slice_num": 18,
        "mlp_ratio": 4, "act": "silu", "frame": "unit", "unified_pos": True, "ref": 2,
        "grid": [[-1, 1], [-1, 1], [-1, 1]],
        "inputs": ["normal", "area", "boundary", "gaussian_curvature", {"constant": 0.5}],
        "mean": [0, 0, 0, 0.1, 0.5, 0.0, 0.0], "std": [1, 1, 1, 0.5, 0.5, 20.0, 1.0],
    })
    make("meshgraphnet", 14, {
        "model_type": "meshgraphnet", "processor_size": 3, "hidden_dim_processor": 32,
        "hidden_dim_node_encoder": 32, "hidden_dim_edge_encoder": 32, "num_layers_node_encoder": 2,
        "num_layers_edge_encoder": 2, "num_layers_node_processor": 2,
        "num_layers_edge_processor": 2, "mlp_activation_fn": "relu", "aggregation": "sum",
        "do_concat_trick": False, "frame": "as-is", "inputs": ["normal", "area", "boundary"],
        "mean": [0, 0, 0, 0.1, 0.5], "std": [1, 1, 1, 0.5, 0.5],
        "edge_mean": [0, 0, 0, 0.5], "edge_std": [0.4, 0.4, 0.4, 0.3],
    })
    make("meshgraphnet-odd", 15, {
        "model_type": "meshgraphnet", "processor_size": 1, "hidden_dim_processor": 19,
        "hidden_dim_node_encoder": 11, "hidden_dim_edge_encoder": 13, "num_layers_node_encoder": 1,
        "num_layers_edge_encoder": 3, "num_layers_node_processor": 1,
        "num_layers_edge_processor": 3, "mlp_activation_fn": "silu", "aggregation": "mean",
        "do_concat_trick": True, "frame": "unit", "inputs": ["position", {"constant": 1.0}],
        "neighbours": 3,
    })
