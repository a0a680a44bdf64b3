"""rustworkx on queries in the t/v/e format: a line per query, seconds and matches.

    matching.py HOST.graph SECONDS QUERY.graph ...

All label-preserving injective mappings, not induced, in the order of its own heuristic. Each query
has SECONDS; one that takes longer is ended and its count is `late`. Loading is not timed.
"""

import multiprocessing
import sys
import time

import rustworkx


def read(path):
    graph = rustworkx.PyGraph()
    for line in open(path):
        kind, *fields = line.split()
        if kind == "v":
            graph.add_node(int(fields[1]))
        elif kind == "e":
            graph.add_edge(int(fields[0]), int(fields[1]), None)
    return graph


def search(host, query, pipe):
    clock = time.perf_counter()
    found = rustworkx.vf2_mapping(
        host, query, node_matcher=lambda a, b: a == b, id_order=False, subgraph=True, induced=False
    )
    count = sum(1 for _ in found)
    pipe.send((time.perf_counter() - clock, count))


def main(host, limit, *queries):
    host, limit = read(host), float(limit)
    # A call into rustworkx cannot be interrupted, so each has a process that can.
    start = multiprocessing.get_context("fork")
    for path in queries:
        query = read(path)
        here, there = start.Pipe(False)
        process = start.Process(target=search, args=(host, query, there))
        process.start()
        if here.poll(limit):
            print(*here.recv(), flush=True)
        else:
            process.kill()
            print(limit, "late", flush=True)
        process.join()


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
