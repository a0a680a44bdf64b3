"""Clouds of 1,024 points per second of PyTorch, on two threads, in single precision.

    points_speed.py FOLDER [CLOUDS]

FOLDER is a checkpoint as `points.py checkpoint` writes it. The layers run in batches, written as
the published codes have them: distances by products, groups gathered whole, convolutions of kernel
size one over them. Several batch sizes are tried and each is printed.
"""

import json
import pathlib
import sys
import time

import torch
from safetensors.torch import load_file
from torch.nn import functional as F


def square_distances(a, b):
    d = -2 * a @ b.transpose(1, 2)
    return d + (a**2).sum(-1)[:, :, None] + (b**2).sum(-1)[:, None, :]


def pick(points, index):
    """`[b, n, c]` at `[b, ...]` to `[b, ..., c]`."""
    rows = torch.arange(len(points)).view(-1, *[1] * (index.dim() - 1))
    return points[rows, index]


def farthest(xyz, count):
    b, n, _ = xyz.shape
    chosen = torch.zeros(b, count, dtype=torch.long)
    distance = torch.full((b, n), 1e10)
    at = torch.zeros(b, dtype=torch.long)
    for i in range(count):
        chosen[:, i] = at
        distance = torch.minimum(distance, ((xyz - pick(xyz, at[:, None])) ** 2).sum(-1))
        at = distance.max(-1).indices
    return chosen


def ball(radius, samples, xyz, centres):
    n = xyz.shape[1]
    index = torch.arange(n).expand(len(xyz), centres.shape[1], n).clone()
    index[square_distances(centres, xyz) > radius**2] = n
    index = index.sort(-1).values[:, :, :samples]
    return torch.where(index == n, index[:, :, :1], index)


def norm(state, name, x):
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"])


def stack(state, conv, bn, count, x):
    for j in range(count):
        x = F.conv2d(x, state[f"{conv}.{j}.weight"], state[f"{conv}.{j}.bias"])
        x = F.relu(norm(state, f"{bn}.{j}", x))
    return x


def pointnet2(state, config, xyz):
    features = None
    for at, level in enumerate(config["levels"], 1):
        centres = pick(xyz, farthest(xyz, level["centres"]))
        parts = []
        for s, scale in enumerate(level["scales"]):
            many = config["multi_scale"]
            conv = f"sa{at}.conv_blocks.{s}" if many else f"sa{at}.mlp_convs"
            bn = f"sa{at}.bn_blocks.{s}" if many else f"sa{at}.mlp_bns"
            group = ball(scale["radius"], scale["samples"], xyz, centres)
            x = pick(xyz, group) - centres[:, :, None]
            if features is not None:
                own = pick(features, group)
                x = torch.cat([own, x] if many else [x, own], -1)
            x = stack(state, conv, bn, len(scale["mlp"]), x.permute(0, 3, 2, 1))
            parts.append(x.max(2).values)
        xyz, features = centres, torch.cat(parts, 1).transpose(1, 2)
    last = f"sa{len(config['levels']) + 1}"
    x = torch.cat([xyz, features], -1).transpose(1, 2)[..., None]
    x = stack(state, f"{last}.mlp_convs", f"{last}.mlp_bns", len(config["global_mlp"]), x)
    return x.flatten(2).max(2).values


def dgcnn(state, config, xyz):
    x, levels = xyz, []
    for at in range(1, len(config["widths"]) + 1):
        group = square_distances(x, x).topk(config["k"], largest=False).indices
        middle = x[:, :, None].expand(-1, -1, config["k"], -1)
        edges = torch.cat([pick(x, group) - middle, middle], -1).permute(0, 3, 1, 2)
        y = norm(state, f"conv{at}.1", F.conv2d(edges, state[f"conv{at}.0.weight"]))
        x = F.leaky_relu(y, 0.2).max(-1).values.transpose(1, 2)
        levels.append(x)
    last = f"conv{len(levels) + 1}"
    y = F.conv1d(torch.cat(levels, -1).transpose(1, 2), state[f"{last}.0.weight"])
    y = F.leaky_relu(norm(state, f"{last}.1", y), 0.2)
    return torch.cat([y.max(-1).values, y.mean(-1)], -1)


def point_mae(state, config, xyz):
    linear = lambda name, x: F.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))
    layer = lambda name, x: F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])
    conv = lambda name, x: F.conv1d(x, state[f"{name}.weight"], state[f"{name}.bias"])
    centres = pick(xyz, farthest(xyz, config["num_group"]))
    group = square_distances(centres, xyz).topk(config["group_size"], largest=False).indices
    x = (pick(xyz, group) - centres[:, :, None]).flatten(0, 1).transpose(1, 2)
    x = F.relu(norm(state, "encoder.first_conv.1", conv("encoder.first_conv.0", x)))
    x = conv("encoder.first_conv.3", x)
    x = torch.cat([x.max(2, keepdim=True).values.expand_as(x), x], 1)
    x = F.relu(norm(state, "encoder.second_conv.1", conv("encoder.second_conv.0", x)))
    x = conv("encoder.second_conv.3", x).max(2).values.unflatten(0, centres.shape[:2])
    pos = linear("pos_embed.2", F.gelu(linear("pos_embed.0", centres)))
    if config["class_token"]:
        x = torch.cat([state["cls_token"].expand(len(x), -1, -1), x], 1)
        pos = torch.cat([state["cls_pos"].expand(len(x), -1, -1), pos], 1)
    for at in range(config["depth"]):
        name, x = f"blocks.blocks.{at}", x + pos
        qkv = linear(f"{name}.attn.qkv", layer(f"{name}.norm1", x))
        q, k, v = qkv.unflatten(-1, (3, config["num_heads"], -1)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + linear(f"{name}.attn.proj", y)
        y = F.gelu(linear(f"{name}.mlp.fc1", layer(f"{name}.norm2", x)))
        x = x + linear(f"{name}.mlp.fc2", y)
    x = layer("norm", x)
    return torch.cat([x[:, 0], x[:, 1:].max(1).values], -1)


MODELS = {"pointnet2": pointnet2, "dgcnn": dgcnn, "point-mae": point_mae}


def main(folder, count=64):
    torch.set_num_threads(2)
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    state = load_file(str(folder / "model.safetensors"))
    if config.get("normals"):
        sys.exit("clouds without normals only")
    torch.manual_seed(1)
    points = torch.randn(count, config["points"], 3)
    # Points on a sphere, so that balls hold about as many as on a surface.
    points = points / points.norm(dim=-1, keepdim=True)
    model = MODELS[config["model_type"]]
    for size in (1, 4, 16):
        best, work = float("inf"), float("inf")
        with torch.inference_mode():
            model(state, config, points[:size])
            for _ in range(2):
                clock, busy = time.perf_counter(), time.process_time()
                for batch in points.split(size):
                    model(state, config, batch)
                best = min(best, time.perf_counter() - clock)
                work = min(work, time.process_time() - busy)
        each = 1000 * work / count
        print(f"batches of {size}: {count / best:.1f} clouds/s, {each:.0f} ms of processor each", flush=True)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    main(sys.argv[1], *map(int, sys.argv[2:]))
