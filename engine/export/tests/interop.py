#!/usr/bin/env python3
"""Compares the exports of one snapshot with each other.

usage: interop.py FOLDER...

FOLDER/whole/{zarr,npy,parquet} and FOLDER/ranks/{zarr,npy,parquet} are exports of one snapshot,
whole and rank by rank. Each array is read with zarr-python (with and without consolidated
metadata), tensorstore and NumPy, each column with pyarrow; all must agree. What is missing below
`ranks` is skipped, and said. Needs zarr 3, tensorstore, numpy, pyarrow.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorstore as ts
import zarr


def same(a, b, what):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape, f"{what}: shapes {a.shape} and {b.shape}"
    assert a.dtype == b.dtype, f"{what}: types {a.dtype} and {b.dtype}"
    equal = np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    assert equal, f"{what}: values differ"


def zarr_arrays(folder):
    """Every array of a Zarr folder, read three ways."""
    root = json.loads((folder / "zarr.json").read_text())
    nodes = root["consolidated_metadata"]["metadata"]
    names = [name for name, node in nodes.items() if node["node_type"] == "array"]
    consolidated = zarr.open_group(str(folder), mode="r", use_consolidated=True)
    walked = zarr.open_group(str(folder), mode="r", use_consolidated=False)
    found = dict(walked.members(max_depth=None))
    assert {n for n, m in found.items() if isinstance(m, zarr.Array)} == set(names), folder
    arrays = {}
    for name in names:
        array = consolidated[name][...]
        same(array, found[name][...], f"{name}: consolidated metadata")
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{folder / name}/"}}
        store = ts.open(spec, open=True, read=True).result()
        same(array, store.read().result(), f"{name}: tensorstore")
        last = array.shape[0] - 1
        if last > 1:
            same(array[1:last], store[1:last].read().result(), f"{name}: tensorstore slice")
        arrays[name] = array
    return arrays, nodes


def npy_arrays(folder, names):
    arrays = {}
    for name in names:
        path = folder / (name.replace("/", ".") + ".npy")
        arrays[name] = np.load(path, allow_pickle=False)
        same(arrays[name], np.load(path, mmap_mode="r"), f"{name}: mapped")
    count = len(list(folder.glob("*.npy")))
    assert count == len(names), f"{folder}: {count} files for {len(names)} arrays"
    return arrays


def check_valid(column, arrays, name):
    """Nulls are where the validity array, if there is one, says so."""
    valid = np.asarray(column.is_valid())
    if name in arrays:
        same(arrays[name].astype(bool), valid, name)
    else:
        assert valid.all(), f"{name} is missing"
    return valid


def plain(values):
    """Numbers of an Arrow array without nulls, as stored."""
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    return values.to_numpy(zero_copy_only=False)


def check_column(column, arrays, name, prefix=""):
    """Compares an Arrow column (one chunk) with its arrays. `prefix` is that of nested lists."""
    kind = column.type
    group = f"{name}/{prefix}"
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if text or binary or listed:
        valid = check_valid(column, arrays, f"{group}valid")
        offsets = arrays[f"{group}offsets"]
        assert offsets.dtype == np.int64 and offsets[0] == 0 and (np.diff(offsets) >= 0).all()
        if listed:
            lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
            same(np.diff(offsets), lengths.astype(np.int64), f"{group}offsets")
            check_column(column.flatten(), arrays, name, prefix + "item_")
        else:
            values = arrays[f"{name}/values"].tobytes()
            for i, value in enumerate(column.to_pylist()):
                stored = values[offsets[i] : offsets[i + 1]]
                assert stored == (b"" if value is None else value.encode() if text else value)
                assert valid[i] or stored == b""
            assert offsets[-1] == len(values)
        return
    path = f"{name}/values" if prefix else name
    valid = check_valid(column, arrays, f"{group}valid" if prefix else f"{name}.valid")
    array = arrays[path]
    if pa.types.is_fixed_size_list(kind):
        flat = plain(column.drop_null().flatten())
        expected = flat.reshape(-1, kind.list_size)
    elif pa.types.is_fixed_size_binary(kind):
        joined = b"".join(value for value in column.to_pylist() if value is not None)
        expected = np.frombuffer(joined, np.uint8).reshape(-1, kind.byte_width)
    else:
        expected = plain(column.drop_null())
    if len(expected) == 0:
        expected = expected.astype(array.dtype)
    same(array[valid], expected, path)
    hidden = array[~valid]
    filled = np.isnan(hidden) if array.dtype.kind == "f" else hidden == 0
    assert filled.all(), f"{path}: nulls are not filled"


def check_table(table, arrays):
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
        check_column(column, arrays, name)


def joined(parts, whole, nodes, what):
    """The arrays of all ranks, one after another, are those of the snapshot."""
    for name, array in whole.items():
        offsets = nodes[name]["attributes"]["role"] == "offsets"
        if not offsets:
            same(np.concatenate([part[name] for part in parts]), array, f"{what} {name}")
            continue
        base, pieces = 0, [np.zeros(1, np.int64)]
        for part in parts:
            assert part[name][0] == 0, f"{what} {name}: a rank's offsets begin with 0"
            pieces.append(part[name][1:] + base)
            base += part[name][-1]
        same(np.concatenate(pieces), array, f"{what} {name}")


def main(folder):
    whole, ranks = folder / "whole", folder / "ranks"
    arrays, nodes = zarr_arrays(whole / "zarr")
    for name, array in npy_arrays(whole / "npy", arrays).items():
        same(array, arrays[name], f"{name}: zarr and npy")
    (path,) = (whole / "parquet").glob("*.parquet")
    table = pq.read_table(path)
    check_table(table, arrays)
    done = [f"{len(arrays)} arrays, {table.num_columns} columns, {table.num_rows} rows"]
    if (ranks / "zarr").exists():
        parts = sorted((ranks / "zarr").glob("rank-*"))
        joined([zarr_arrays(part)[0] for part in parts], arrays, nodes, "zarr")
        done.append(f"{len(parts)} zarr ranks")
    if (ranks / "npy").exists():
        parts = sorted((ranks / "npy").glob("rank-*"))
        joined([npy_arrays(part, arrays) for part in parts], arrays, nodes, "npy")
        done.append(f"{len(parts)} npy ranks")
    if (ranks / "parquet").exists():
        parts = sorted((ranks / "parquet").glob("*.parquet"))
        assert pa.concat_tables([pq.read_table(part) for part in parts]).equals(table)
        done.append(f"{len(parts)} parquet ranks")
    print(f"{folder}: same in every format:", ", ".join(done))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for folder in sys.argv[1:]:
        main(Path(folder))
