"""One store, one running server, shared by all tests of the session."""

import json
import os
import pathlib
import random
import subprocess

import pytest

BINARY = os.environ["PENSTOCK_BIN"]
LETTERS = "ACDEFGHIKLMNPQRSTVWY"
PROTEINS = 2_000


def fasta(path, count, seed, prefix="p"):
    """Writes `count` random proteins of 1 to 400 residues; answers {id: sequence}."""
    source = random.Random(seed)
    records = {
        f"{prefix}{i}": "".join(source.choices(LETTERS, k=source.randint(1, 400)))
        for i in range(count)
    }
    with open(path, "w") as out:
        for name, sequence in records.items():
            out.write(f">{name} protein number {name}\n{sequence}\n")
    return records


class Penstock:
    """The program, as a user calls it."""

    def __init__(self, store):
        self.store = str(store)

    def __call__(self, *arguments):
        command = [BINARY, "--store", self.store, "--json", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("penstock")


@pytest.fixture(scope="session")
def proteins(folder):
    return fasta(folder / "proteins.fasta", PROTEINS, seed=7)


@pytest.fixture(scope="session")
def penstock(folder, proteins):
    penstock = Penstock(folder / "store")
    report = penstock("ingest", "proteins", folder / "proteins.fasta")
    assert report["rows_added"] == PROTEINS
    penstock("tag", "proteins", "first")
    return penstock


@pytest.fixture(scope="session")
def snapshot(penstock):
    return penstock(
        "snapshot", "create", "frozen", "--table", "proteins",
        "--columns", "protein_kmer_v1,length,sequence,ca_xyz",
    )


@pytest.fixture(scope="session")
def server(penstock, snapshot):
    command = [
        BINARY, "--store", penstock.store, "--json", "serve",
        "--listen", "127.0.0.1:0", "--flight", "127.0.0.1:0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


@pytest.fixture(scope="session")
def corpus():
    path = pathlib.Path(os.environ.get("PENSTOCK_CORPUS", "../shared/corpus"))
    if not path.is_dir():
        pytest.skip(f"no corpus at {path}")
    return path
