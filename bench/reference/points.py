"""Golden files of the encoders of point clouds: PointNet++, DGCNN and Point-MAE.

Their published code wants a GPU and old libraries, so the layers are written out here from their
description, plainly: every group is gathered, every batch normalisation is computed as such. Where
the published code leaves a choice to chance or to a library, it is made as Penstock makes it: the
first point of farthest-point sampling is the one farthest from the mean, and the lower index wins
a tie.

A golden folder holds a checkpoint with random weights and `golden.safetensors`: for each case
`<n>.points` `[points, 3 or 6]` and what each stage computes from it.

    points.py                       writes the golden files
    points.py checkpoint NAME DIR   writes a checkpoint of the published size with random weights
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import gelu, leaky_relu, relu

from common import GOLDEN

SLOPE = 0.2


def first_point(xyz):
    return ((xyz - xyz.mean(0)) ** 2).sum(-1).max(0).indices


def farthest(xyz, count):
    """Indices of `count` of the points `[n, 3]`."""
    at = first_point(xyz)
    distance = torch.full((len(xyz),), 1e10)
    chosen = []
    for _ in range(count):
        chosen.append(int(at))
        distance = torch.minimum(distance, ((xyz - xyz[at]) ** 2).sum(-1))
        at = (distance == distance.max()).nonzero()[0, 0]
    return torch.tensor(chosen)


def square_distances(a, b):
    return ((a[:, None, :].double() - b[None, :, :].double()) ** 2).sum(-1)


def ball(centres, xyz, radius, samples):
    """The first `samples` points within the radius, by index; the first again where they lack."""
    n = len(xyz)
    index = torch.arange(n).repeat(len(centres), 1)
    index[square_distances(centres, xyz) > radius**2] = n
    index = index.sort(-1).values[:, :samples]
    return torch.where(index == n, index[:, :1], index)


def nearest(queries, points, k):
    return square_distances(queries, points).sort(dim=-1, stable=True).indices[:, :k]


class Stack(nn.Module):
    """Maps of kernel size one with batch normalisation, over `[rows, width]`."""

    def rows(self, convs, norms, x):
        for conv, norm in zip(convs, norms):
            y = x @ conv.weight.flatten(1).T
            if conv.bias is not None:
                y = y + conv.bias
            shift = (y - norm.running_mean) / torch.sqrt(norm.running_var + 1e-5)
            x = relu(shift * norm.weight + norm.bias)
        return x


class Abstraction(Stack):
    def __init__(self, inputs, scale):
        super().__init__()
        widths = [inputs, *scale["mlp"]]
        self.mlp_convs = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(widths, widths[1:]))
        self.mlp_bns = nn.ModuleList(nn.BatchNorm2d(b) for b in widths[1:])

    def blocks(self):
        return [(self.mlp_convs, self.mlp_bns)]


class MultiScale(Stack):
    def __init__(self, inputs, scales):
        super().__init__()
        self.conv_blocks, self.bn_blocks = nn.ModuleList(), nn.ModuleList()
        for scale in scales:
            widths = [inputs, *scale["mlp"]]
            pairs = list(zip(widths, widths[1:]))
            self.conv_blocks.append(nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairs))
            self.bn_blocks.append(nn.ModuleList(nn.BatchNorm2d(b) for b in widths[1:]))

    def blocks(self):
        return list(zip(self.conv_blocks, self.bn_blocks))


class PointNet2(Stack):
    def __init__(self, config):
        super().__init__()
        self.config = config
        inputs = 3 if config["normals"] else 0
        for index, level in enumerate(config["levels"]):
            scales = level["scales"]
            if config["multi_scale"]:
                stage = MultiScale(inputs + 3, scales)
            else:
                stage = Abstraction(inputs + 3, scales[0])
            setattr(self, f"sa{index + 1}", stage)
            inputs = sum(scale["mlp"][-1] for scale in scales)
        last = Abstraction(inputs + 3, {"mlp": config["global_mlp"]})
        setattr(self, f"sa{len(config['levels']) + 1}", last)
        width = config["global_mlp"][-1]
        self.fc1, self.bn1 = nn.Linear(width, 8), nn.BatchNorm1d(8)

    def stages(self, points):
        xyz, features = points[:, :3], points[:, 3:]
        out = {}
        for index, level in enumerate(self.config["levels"]):
            stage = getattr(self, f"sa{index + 1}")
            centres = xyz[farthest(xyz, level["centres"])]
            parts = []
            for scale, (convs, norms) in zip(level["scales"], stage.blocks()):
                group = ball(centres, xyz, scale["radius"], scale["samples"])
                near = xyz[group] - centres[:, None]
                # The multi-scale code puts the features first.
                order = [features[group], near] if self.config["multi_scale"] else [near, features[group]]
                rows = torch.cat(order, -1)
                rows = self.rows(convs, norms, rows.flatten(0, 1)).unflatten(0, group.shape)
                parts.append(rows.max(1).values)
            xyz, features = centres, torch.cat(parts, -1)
            out[f"centres.{index}"], out[f"level.{index}"] = xyz, features
        last = getattr(self, f"sa{len(self.config['levels']) + 1}")
        items = self.rows(last.mlp_convs, last.mlp_bns, torch.cat([xyz, features], -1))
        return out | {"items": items, "whole": items.max(0).values}


class Dgcnn(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        inputs = 3
        widths = config["widths"]
        for index, width in enumerate(widths):
            norm = nn.BatchNorm2d(width)
            setattr(self, f"bn{index + 1}", norm)
            conv = nn.Conv2d(2 * inputs, width, 1, bias=False)
            setattr(self, f"conv{index + 1}", nn.Sequential(conv, norm))
            inputs = width
        last, norm = len(widths) + 1, nn.BatchNorm1d(config["emb_dims"])
        setattr(self, f"bn{last}", norm)
        conv = nn.Conv1d(sum(widths), config["emb_dims"], 1, bias=False)
        setattr(self, f"conv{last}", nn.Sequential(conv, norm))
        self.linear1 = nn.Linear(2 * config["emb_dims"], 8, bias=False)

    def layer(self, index, x):
        conv, norm = getattr(self, f"conv{index + 1}")
        y = x @ conv.weight.flatten(1).T
        y = (y - norm.running_mean) / torch.sqrt(norm.running_var + 1e-5) * norm.weight + norm.bias
        return leaky_relu(y, SLOPE)

    def stages(self, points):
        x, out, all_ = points, {}, []
        for index in range(len(self.config["widths"])):
            group = nearest(x, x, min(self.config["k"], len(x)))
            middle = x[:, None].expand(-1, group.shape[1], -1)
            edges = torch.cat([x[group] - middle, middle], -1)
            x = self.layer(index, edges).max(1).values
            all_.append(x)
            out[f"level.{index}"] = x
        items = self.layer(len(all_), torch.cat(all_, -1))
        return out | {"items": items, "whole": torch.cat([items.max(0).values, items.mean(0)])}


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = nn.Module(), nn.Module()
        self.attn.qkv = nn.Linear(width, 3 * width, bias=False)
        self.attn.proj = nn.Linear(width, width)
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        q, k, v = self.attn.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(1, 2, 0, 3)
        scores = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
        x = x + self.attn.proj((scores @ v).transpose(0, 1).flatten(1))
        return x + self.mlp.fc2(gelu(self.mlp.fc1(self.norm2(x))))


class PointMae(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        width, inner = config["trans_dim"], config["encoder_dims"]
        self.encoder, self.blocks = nn.Module(), nn.Module()
        a, b, c = config["encoder_widths"]
        self.encoder.first_conv = nn.Sequential(
            nn.Conv1d(3, a, 1), nn.BatchNorm1d(a), nn.ReLU(), nn.Conv1d(a, b, 1))
        self.encoder.second_conv = nn.Sequential(
            nn.Conv1d(2 * b, c, 1), nn.BatchNorm1d(c), nn.ReLU(), nn.Conv1d(c, inner, 1))
        self.pos_embed = nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, width))
        self.blocks.blocks = nn.ModuleList(
            Block(width, config["num_heads"]) for _ in range(config["depth"]))
        self.norm = nn.LayerNorm(width)
        if config["class_token"]:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
            self.cls_pos = nn.Parameter(torch.zeros(1, 1, width))

    def stages(self, points):
        centres = points[farthest(points, self.config["num_group"])]
        group = nearest(centres, points, min(self.config["group_size"], len(points)))
        near = points[group] - centres[:, None]
        rows = self.encoder.first_conv(near.transpose(1, 2))
        top = rows.max(2, keepdim=True).values.expand_as(rows)
        x = self.encoder.second_conv(torch.cat([top, rows], 1)).max(2).values
        out = {"centres.0": centres, "level.0": x}
        pos = self.pos_embed(centres)
        if self.config["class_token"]:
            x = torch.cat([self.cls_token[0], x])
            pos = torch.cat([self.cls_pos[0], pos])
        for index, block in enumerate(self.blocks.blocks):
            x = block(x + pos)
            out[f"level.{index + 1}"] = x
        x = self.norm(x)
        if not self.config["class_token"]:
            return out | {"items": x, "whole": torch.cat([x.max(0).values, x.mean(0)])}
        items = x[1:]
        return out | {"items": items, "whole": torch.cat([x[0], items.max(0).values])}


def randomise(model, seed):
    """Weights and statistics of a size at which every part of a layer matters in the result."""
    generator = torch.Generator().manual_seed(seed)
    noise = lambda t: torch.randn(t.shape, generator=generator)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1 and name.endswith("weight"):
                parameter.copy_(0.8 + 0.3 * noise(parameter))
                parameter[0] *= -1  # a scale below zero turns the order of a maximum
            elif parameter.dim() == 1:
                parameter.copy_(0.2 * noise(parameter))
            elif parameter.dim() == 3 and "cls" in name:
                parameter.copy_(0.5 * noise(parameter))
            else:
                parameter.copy_(noise(parameter) * (1.5 / parameter[0].numel()) ** 0.5)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(0.3 * noise(buffer))
            elif name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    return model.eval()


def unit(points):
    points = points - points.mean(0)
    return points / points.norm(dim=-1).max().clamp_min(1e-9)


def clouds(normals, sizes, seed):
    """A noisy ellipsoid of each size; the last has points that come twice."""
    generator = torch.Generator().manual_seed(seed)
    for index, size in enumerate(sizes):
        direction = torch.randn((size, 3), generator=generator)
        direction = direction / direction.norm(dim=-1, keepdim=True)
        noise = 0.05 * torch.randn((size, 3), generator=generator)
        points = direction * torch.tensor([1.0, 0.7, 0.4]) + noise
        if index + 1 == len(sizes):
            half = (size + 1) // 2
            points[half:] = points[: size - half].clone()
            direction[half:] = direction[: size - half].clone()
        points = unit(points)
        yield torch.cat([points, direction], 1) if normals else points


def save(folder, model, config):
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.contiguous().clone() for k, v in model.state_dict().items()}
    save_file(state, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


MODELS = {"pointnet2": PointNet2, "dgcnn": Dgcnn, "point-mae": PointMae}


def make(name, seed, sizes, **config):
    model = randomise(MODELS[config["model_type"]](config), seed)
    tensors = {}
    with torch.no_grad():
        for case, points in enumerate(clouds(config.get("normals"), sizes, seed + 100)):
            tensors[f"{case}.points"] = points
            for stage, value in model.stages(points).items():
                tensors[f"{case}.{stage}"] = value.contiguous().clone()
    folder = GOLDEN / name
    save(folder, model, config)
    save_file(tensors, str(folder / "golden.safetensors"))


def scale(radius, samples, *mlp):
    return {"radius": radius, "samples": samples, "mlp": list(mlp)}


PUBLISHED = {
    "pointnet2": dict(
        model_type="pointnet2", points=1024, normals=False, multi_scale=False,
        levels=[{"centres": 512, "scales": [scale(0.2, 32, 64, 64, 128)]},
                {"centres": 128, "scales": [scale(0.4, 64, 128, 128, 256)]}],
        global_mlp=[256, 512, 1024]),
    "pointnet2-msg": dict(
        model_type="pointnet2", points=1024, normals=True, multi_scale=True,
        levels=[{"centres": 512, "scales": [scale(0.1, 16, 32, 32, 64), scale(0.2, 32, 64, 64, 128),
                                            scale(0.4, 128, 64, 96, 128)]},
                {"centres": 128, "scales": [scale(0.2, 32, 64, 64, 128), scale(0.4, 64, 128, 128, 256),
                                            scale(0.8, 128, 128, 128, 256)]}],
        global_mlp=[256, 512, 1024]),
    "dgcnn": dict(model_type="dgcnn", points=1024, k=20, widths=[64, 64, 128, 256], emb_dims=1024),
    "point-mae": dict(
        model_type="point-mae", points=1024, num_group=64, group_size=32, encoder_dims=384,
        encoder_widths=[128, 256, 512], trans_dim=384, depth=12, num_heads=6, class_token=True),
}


def goldens():
    make("pointnet2", 20, [96, 33, 60], model_type="pointnet2", points=96, normals=False,
         multi_scale=False, global_mlp=[24, 40],
         levels=[{"centres": 24, "scales": [scale(0.4, 8, 8, 12, 20)]},
                 {"centres": 7, "scales": [scale(0.8, 10, 24, 33)]}])
    make("pointnet2-normals", 21, [50, 3, 10], model_type="pointnet2", points=50, normals=True,
         multi_scale=False, global_mlp=[17],
         levels=[{"centres": 9, "scales": [scale(0.5, 6, 13)]}])
    make("pointnet2-msg", 22, [80, 31, 40], model_type="pointnet2", points=80, normals=True,
         multi_scale=True, global_mlp=[20, 32],
         levels=[{"centres": 20, "scales": [scale(0.2, 4, 8, 10), scale(0.5, 12, 6, 9)]},
                 {"centres": 6, "scales": [scale(0.5, 5, 16), scale(1.0, 9, 12, 18)]}])
    make("dgcnn", 23, [70, 5, 40], model_type="dgcnn", points=70, k=6, widths=[12, 16, 17, 24],
         emb_dims=40)
    make("dgcnn-plain", 24, [20, 1, 9], model_type="dgcnn", points=20, k=3, widths=[5], emb_dims=7)
    make("point-mae", 25, [90, 10, 60], model_type="point-mae", points=90, num_group=8,
         group_size=6, encoder_dims=24, encoder_widths=[16, 20, 28], trans_dim=24, depth=2, num_heads=3, class_token=True)
    make("point-mae-encoder", 26, [40, 7, 30], model_type="point-mae", points=40, num_group=5,
         group_size=4, encoder_dims=16, encoder_widths=[8, 12, 9], trans_dim=16, depth=1, num_heads=1, class_token=False)


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            goldens()
        case ["checkpoint", name, folder]:
            config = PUBLISHED[name]
            save(pathlib.Path(folder), randomise(MODELS[config["model_type"]](config), 1), config)
        case _:
            sys.exit(__doc__)
