"""Seconds and peak memory of PyTorch on a large mesh, and the checkpoints to run Penstock on.

    mesh_speed.py checkpoint transolver|meshgraphnet FOLDER    a published size, random weights
    mesh_speed.py run FOLDER [THREADS [RUNS]]                   torch on a torus of 132,860 vertices

Speed does not depend on the weights. `run` counts the layers alone: features and edges of the mesh
are made before the clock starts. `engine/embed/examples/meshes.rs` counts them too.
"""

import json
import pathlib
import resource
import sys
import time

import torch
from safetensors.torch import load_file, save_file

from common import randomise
from meshes import MeshGraphNet, Transolver, graph_inputs, torus, transolver_inputs

CONFIGS = {
    "transolver": {
        "model_type": "transolver", "n_layers": 8, "n_hidden": 256, "n_head": 8, "slice_num": 32,
        "mlp_ratio": 2, "act": "gelu", "inputs": ["position", "sdf", "normal"], "frame": "unit",
    },
    "meshgraphnet": {
        "model_type": "meshgraphnet", "processor_size": 15, "hidden_dim_processor": 128,
        "hidden_dim_node_encoder": 128, "hidden_dim_edge_encoder": 128,
        "num_layers_node_encoder": 2, "num_layers_edge_encoder": 2,
        "num_layers_node_processor": 2, "num_layers_edge_processor": 2,
        "mlp_activation_fn": "relu", "aggregation": "sum", "do_concat_trick": False,
        "frame": "unit", "inputs": ["normal", "area", "boundary"],
    },
}


def model_of(config):
    if config["model_type"] == "transolver":
        return Transolver(config, 7)
    return MeshGraphNet(config, 5)


def checkpoint(name, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = randomise(model_of(CONFIGS[name]), 1)
    save_file(model.state_dict(), str(folder / "model.safetensors"))
    (folder / "config.json").write_text(json.dumps(CONFIGS[name]) + "\n")


def run(folder, threads=2, runs=3):
    torch.set_num_threads(int(threads))
    runs = int(runs)
    config = json.loads(pathlib.Path(folder, "config.json").read_text())
    model = model_of(config)
    model.load_state_dict(load_file(str(pathlib.Path(folder, "model.safetensors"))))
    xyz, faces = torus(364, 365, 1, noise=0.0)
    make = transolver_inputs if config["model_type"] == "transolver" else graph_inputs
    arguments = make(config, xyz, faces)
    arguments = arguments if isinstance(arguments, tuple) else (arguments,)
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    before = peak()
    for _ in range(runs):
        clock, work = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            mean = model(*arguments, keep=False)[-1].mean(0)
        print(f"{config['model_type']}: {time.perf_counter() - clock:.2f} s, "
              f"{time.process_time() - work:.2f} s of processor time, peak {peak():.2f} GB "
              f"(before: {before:.2f}), mean {mean[:3].tolist()}", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["checkpoint", name, folder]:
            checkpoint(name, folder)
        case ["run", folder, *rest]:
            run(folder, *rest)
        case _:
            sys.exit(__doc__)
