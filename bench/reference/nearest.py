"""Recall and queries/s of hnswlib, faiss and usearch on given vectors, one JSON object a line.

Arguments: dimension, rows (raw f32), queries (raw f32), true rows (raw u32, ten a query), pools to
try in order, recalls to reach, libraries to run. For each library and recall the first pool that reaches it counts.
A library that is not installed is left out.
"""

import importlib.metadata
import importlib.util
import json
import sys
import time

import numpy as np

dim = int(sys.argv[1])
rows = np.fromfile(sys.argv[2], "<f4").reshape(-1, dim)
queries = np.fromfile(sys.argv[3], "<f4").reshape(-1, dim)
truth = np.fromfile(sys.argv[4], "<u4").reshape(len(queries), -1)
pools = [int(pool) for pool in sys.argv[5].split(",")]
goals = [float(goal) for goal in sys.argv[6].split(",")]
libraries = sys.argv[7].split(",")
k = truth.shape[1]
RUNS = 5
# Packages that are not named as their modules are.
NAMES = {"faiss": "faiss-cpu"}


def hnswlib():
    import hnswlib as library

    index = library.Index("l2", dim)
    index.init_index(len(rows), ef_construction=200, M=16)
    index.set_num_threads(2)
    index.add_items(rows)

    def search(ef, threads):
        index.set_ef(ef)
        return index.knn_query(queries, k, num_threads=threads)[0]

    return search


def faiss():
    import faiss as library

    library.omp_set_num_threads(2)
    index = library.IndexHNSWFlat(dim, 16)
    index.hnsw.efConstruction = 200
    index.add(rows)

    def search(ef, threads):
        library.omp_set_num_threads(threads)
        index.hnsw.efSearch = ef
        return index.search(queries, k)[1]

    return search


def usearch():
    from usearch.index import Index

    index = Index(ndim=dim, metric="l2sq", dtype="f32", connectivity=16, expansion_add=200)
    index.add(np.arange(len(rows)), rows, threads=2)

    def search(ef, threads):
        index.expansion_search = ef
        return index.search(queries, k, threads=threads).keys

    return search


def rate(search, ef, threads):
    best = float("inf")
    for _ in range(RUNS):
        start = time.perf_counter()
        found = search(ef, threads)
        best = min(best, time.perf_counter() - start)
    return len(queries) / best, found


for make in (hnswlib, faiss, usearch):
    if make.__name__ not in libraries or importlib.util.find_spec(make.__name__) is None:
        continue
    start = time.perf_counter()
    search = make()
    build = time.perf_counter() - start
    wanted = list(goals)
    for ef in pools:
        if not wanted:
            break
        one, found = rate(search, ef, 1)
        pairs = zip(found.astype(np.int64), truth.astype(np.int64))
        recall = sum(len(set(a) & set(b)) for a, b in pairs) / truth.size
        if recall < wanted[0]:
            continue
        two, _ = rate(search, ef, 2)
        by = f"{make.__name__} {importlib.metadata.version(NAMES.get(make.__name__, make.__name__))}"
        answer = dict(by=by, build=build, ef=ef, recall=recall, one=one, two=two)
        print(json.dumps(answer), flush=True)
        wanted = [goal for goal in wanted if goal > recall]
