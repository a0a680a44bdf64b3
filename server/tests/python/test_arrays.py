"""The chunked arrays of a snapshot, as zarr-python, tensorstore and plain HTTP read them."""

import json
import subprocess
import sys
import urllib.error
import urllib.request

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorstore as ts
import zarr

from conftest import fasta

DIM = 256


def fetch(url):
    with urllib.request.urlopen(url) as answer:
        return answer.headers, answer.read()


def vectors(server, snapshot, query):
    url = f"{server['http']}/v1/snapshots/{snapshot['digest']}/arrays/protein_kmer_v1/rows?{query}"
    headers, body = fetch(url)
    return headers, np.frombuffer(body, "<f4").reshape(-1, DIM)


@pytest.fixture(scope="module")
def all_vectors(server, snapshot):
    return vectors(server, snapshot, "rank=0&of=1")[1]


@pytest.fixture(scope="module")
def zarr_url(server, snapshot):
    return f"{server['http']}/v1/snapshots/{snapshot['digest']}/zarr/raw"


def test_zarr_python(zarr_url, all_vectors, proteins):
    store = zarr.storage.FsspecStore.from_url(zarr_url, read_only=True)
    group = zarr.open_group(store, mode="r")
    np.testing.assert_array_equal(group["protein_kmer_v1"][:], all_vectors)
    lengths = group["length"][:]
    assert sorted(lengths) == sorted(map(len, proteins.values()))
    offsets = group["sequence/offsets"][:]
    np.testing.assert_array_equal(np.diff(offsets), lengths)
    text = group["sequence/values"][:].tobytes().decode()
    assert text[offsets[3]:offsets[4]] in proteins.values()
    # No record has coordinates: an array without rows is still an array.
    assert group["ca_xyz/values"].shape == (0, 3)


def test_tensorstore(zarr_url, all_vectors):
    array = ts.open({"driver": "zarr3", "kvstore": f"{zarr_url}/protein_kmer_v1/"}).result()
    np.testing.assert_array_equal(array.read().result(), all_vectors)
    np.testing.assert_array_equal(array[10:1000, 3:9].read().result(), all_vectors[10:1000, 3:9])


def test_missing_keys_are_missing(zarr_url):
    for key in (".zarray", ".zgroup", ".zattrs", ".zmetadata", "protein_kmer_v1/c/99999/0"):
        with pytest.raises(urllib.error.HTTPError) as error:
            fetch(f"{zarr_url}/{key}")
        assert error.value.code == 404


PULL = """
import sys, urllib.request
url, rank, out = sys.argv[1:]
with urllib.request.urlopen(f"{url}?rank={rank}&of=2") as answer, open(out, "wb") as file:
    while block := answer.read(1 << 16):
        file.write(block)
"""


def test_two_ranks_while_a_writer_commits(server, snapshot, penstock, all_vectors, folder):
    url = f"{server['http']}/v1/snapshots/{snapshot['digest']}/arrays/protein_kmer_v1/rows"
    before = penstock("tables")
    parts = [folder / f"rank{rank}" for rank in range(2)]
    for round_number in range(3):
        ranks = [
            subprocess.Popen([sys.executable, "-c", PULL, url, str(rank), str(part)])
            for rank, part in enumerate(parts)
        ]
        fasta(folder / "new.fasta", 100, seed=100 + round_number, prefix=f"new{round_number}_")
        penstock("ingest", "proteins", folder / "new.fasta")
        assert [rank.wait(timeout=60) for rank in ranks] == [0, 0]
        pulled = [np.fromfile(part, "<f4").reshape(-1, DIM) for part in parts]
        assert [len(part) for part in pulled] == [
            (len(all_vectors) + 1) // 2, len(all_vectors) // 2,
        ]
        np.testing.assert_array_equal(np.concatenate(pulled), all_vectors)
    after = penstock("tables")
    assert rows_of(after) == rows_of(before) + 300


def rows_of(tables):
    return next(table["rows"] for table in tables["tables"] if table["name"] == "proteins")


def test_files(penstock, folder, all_vectors):
    for kind in ("zarr", "parquet", "npy"):
        penstock("export", "frozen", "--format", kind, "--out", folder / kind)
    np.testing.assert_array_equal(
        zarr.open_group(folder / "zarr", mode="r")["protein_kmer_v1"][:], all_vectors
    )
    np.testing.assert_array_equal(np.load(folder / "npy" / "protein_kmer_v1.npy"), all_vectors)
    table = pq.read_table(folder / "parquet" / "part-00000-of-00001.parquet")
    column = table["protein_kmer_v1"].combine_chunks()
    np.testing.assert_array_equal(
        column.flatten().to_numpy().reshape(-1, DIM), all_vectors
    )


def test_exported_ranks(penstock, folder, all_vectors):
    parts = []
    for rank in range(3):
        out = folder / "npy-ranks"
        penstock("export", "frozen", "--format", "npy", "--out", out, "--rank", rank, "--of", 3)
        parts.append(np.load(out / f"rank-{rank:05}-of-00003" / "protein_kmer_v1.npy"))
    np.testing.assert_array_equal(np.concatenate(parts), all_vectors)


def test_manifest_digest(server, snapshot):
    import hashlib

    _, body = fetch(f"{server['http']}/v1/snapshots/{snapshot['digest']}/manifest.json")
    assert hashlib.sha256(body).hexdigest() == snapshot["digest"].removeprefix("sha256-")
    assert json.loads(body)["rows"] == 2_000
