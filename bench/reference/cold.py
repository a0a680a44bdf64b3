"""Recall and queries/s of LanceDB's index on the disk, one JSON object a line for each recall.

Arguments: dimension, rows (raw f32), queries (raw f32), true rows (raw u32), and a JSON object: the
type of index, how it is built, the settings to try (partitions, candidates of a walk or 0, candidates
per hit read again), the recalls to reach, a predicate, and three files: rows that come after the index
was built, the true rows under the predicate, those with the new rows. Of the settings that reach a recall on the first queries the
fastest is timed with all. `one` is the better of the two interfaces, one query after the other; `many`
is the better of lists of vectors and of four queries at once. What was chosen is timed again under the
predicate, then with the new rows.
"""

import asyncio
import json
import sys
import tempfile
import time

import lancedb
import numpy as np
import pyarrow as pa

dim = int(sys.argv[1])
rows = np.fromfile(sys.argv[2], "<f4")
queries = np.fromfile(sys.argv[3], "<f4").reshape(-1, dim)
truth = np.fromfile(sys.argv[4], "<u4").reshape(len(queries), -1)
wanted = json.loads(sys.argv[5])
k = truth.shape[1]

folder = tempfile.TemporaryDirectory()
count = len(rows) // dim
vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows), dim)
ids = pa.array([f"r{row:08}" for row in range(count)])
table = lancedb.connect(folder.name).create_table(
    "vectors", pa.table({"id": ids, "length": pa.array(np.arange(count) % 10), "vector": vectors})
)
del rows, vectors
later, *truths = wanted["others"]
truths = [np.fromfile(name, "<u4").reshape(len(queries), -1) for name in truths]
predicate = None
options = dict(metric="l2", index_type=wanted["kind"].upper(), num_partitions=wanted["partitions"])
if "hnsw" in wanted["kind"]:
    options |= dict(m=wanted["edges"], ef_construction=wanted["ef_construction"])
if "pq" in wanted["kind"]:
    options |= dict(num_sub_vectors=wanted["sub_vectors"])
start = time.perf_counter()
table.create_index(**options)
build = time.perf_counter() - start


def recall(found):
    hits = 0
    for answer, true in zip(found, truth):
        rows = {int(name[1:]) for name in answer.column("id").to_pylist()}
        hits += len(rows & set(true.tolist()))
    return hits / (len(found) * k)


def set_up(query, effort):
    nprobes, ef, refine = effort
    query = query.distance_type("l2").limit(k).select(["id", "_distance"]).nprobes(nprobes)
    query = query.ef(max(ef, k * refine)) if ef else query
    query = query.where(predicate) if predicate else query
    return query.refine_factor(refine)


def one(effort, count):
    start = time.perf_counter()
    found = [set_up(table.search(query), effort).to_arrow() for query in queries[:count]]
    return count / (time.perf_counter() - start), recall(found)


async def others(effort):
    """Queries/s of the asynchronous interface: one by one, four at once, and lists of vectors."""
    connection = await lancedb.connect_async(folder.name)
    opened = await connection.open_table("vectors")
    first = set_up(opened.query().nearest_to(queries[0]), effort)
    await first.to_arrow()

    start = time.perf_counter()
    for query in queries:
        await set_up(opened.query().nearest_to(query), effort).to_arrow()
    single = len(queries) / (time.perf_counter() - start)

    async def some(part):
        for query in part:
            await set_up(opened.query().nearest_to(query), effort).to_arrow()

    start = time.perf_counter()
    await asyncio.gather(*(some(queries[at::4]) for at in range(4)))
    four = len(queries) / (time.perf_counter() - start)

    start = time.perf_counter()
    for at in range(0, len(queries), wanted["batch"]):
        part = list(queries[at : at + wanted["batch"]])
        await set_up(opened.query().nearest_to(part), effort).to_arrow()
    lists = len(queries) / (time.perf_counter() - start)
    return single, four, lists


def timed(task, goal, effort):
    single = many = 0.0
    one(effort, 10)
    for _ in range(wanted["runs"]):
        rate, found = one(effort, len(queries))
        alone, four, lists = asyncio.run(others(effort))
        single = max(single, rate, alone)
        many = max(many, four, lists)
    answer = dict(task=task, goal=goal, build=build, version=lancedb.__version__)
    answer |= dict(effort=effort, recall=found, one=single, many=many)
    print(json.dumps(answer), flush=True)


one(wanted["efforts"][-1], wanted["tried"])
points = [(effort, *one(effort, wanted["tried"])) for effort in wanted["efforts"]]
chosen = []
for goal in wanted["goals"]:
    reached = [(rate, effort) for effort, rate, found in points if found >= goal]
    if reached:
        chosen.append((goal, max(reached)[1]))
        timed("plain", *chosen[-1])
    else:
        print(json.dumps(dict(task="plain", goal=goal, effort=None)), flush=True)
predicate, truth = wanted["predicate"], truths[0]
for goal, effort in chosen:
    timed("predicate", goal, effort)
predicate, truth = None, truths[1]
new = np.fromfile(later, "<f4")
numbers = np.arange(count, count + len(new) // dim)
vectors = pa.FixedSizeListArray.from_arrays(pa.array(new), dim)
ids = pa.array([f"r{row:08}" for row in numbers])
table.add(pa.table({"id": ids, "length": pa.array(numbers % 10), "vector": vectors}))
for goal, effort in chosen:
    timed("new", goal, effort)
