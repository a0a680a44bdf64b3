"""PyTorch's time and memory of three layers of message passing over a large random graph.

`engine/embed/examples/graph_speed.rs` writes the graph and the checkpoints, and calls this.
Arguments: the folder, threads, and which way: `scatter` adds gathered rows (as torch_geometric
does with edges as two lists), `sparse` multiplies with a sparse matrix in CSR.
"""

import json
import pathlib
import resource
import sys
import time

import numpy
import torch
from safetensors.torch import load_file
from torch_geometric.nn import GAT, GIN, GraphSAGE

MODELS = {"gin": GIN, "graphsage": GraphSAGE, "gat": GAT}


def main():
    folder, threads, way = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(threads)
    config = json.loads((folder / "config.json").read_text())
    model = MODELS[config.pop("model_type")](**config)
    model.load_state_dict(load_file(str(folder / "model.safetensors")))
    model.eval()
    read = lambda name, kind: torch.from_numpy(numpy.fromfile(folder.parent / name, kind))
    features = read("features.f32", numpy.float32).view(-1, config["in_channels"])
    offsets, senders = read("offsets.i64", numpy.int64), read("senders.i32", numpy.int32).long()
    count = len(features)
    if way == "sparse":
        ones = torch.ones(len(senders))
        edges = torch.sparse_csr_tensor(offsets, senders, ones, size=(count, count))
        del senders
    else:
        receivers = torch.repeat_interleave(torch.arange(count), offsets.diff())
        edges = torch.stack([senders, receivers])
        del senders, receivers
    with torch.inference_mode():
        begin = time.perf_counter()
        out = model(features, edges)
        seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{seconds:.2f} {peak:.2f} {out.double().sum().item():.6e}")


if __name__ == "__main__":
    main()
