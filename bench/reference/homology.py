"""How well MMseqs2 finds relatives, beside `scope40` of penstock-embed on the same queries.

    homology.py SEQUENCES.fasta LABELS.txt [SENSITIVITY]

Every sequence against all others. A hit is another domain; families and superfamilies with at
least two members. Recall at 10: hits among the first ten, over the smaller of ten and the members.
"""

import collections
import subprocess
import sys
import tempfile
import time


def main(fasta, labels, sensitivity="7.5"):
    present = {line[1:].split()[0] for line in open(fasta) if line.startswith(">")}
    family = {i: l for i, l in (line.split() for line in open(labels)) if i in present}
    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter()
        subprocess.run(
            ["mmseqs", "easy-search", fasta, fasta, f"{folder}/hits", f"{folder}/tmp",
             "-s", sensitivity, "-e", "10", "--max-seqs", "300", "--threads", "2", "-v", "1",
             "--format-output", "query,target,bits"],
            check=True,
        )
        seconds = time.perf_counter() - clock
        hits = collections.defaultdict(list)
        for line in open(f"{folder}/hits"):
            query, target, _ = line.split()
            if query != target and len(hits[query]) < 10 and target not in hits[query]:
                hits[query].append(target)
    print(f"mmseqs -s {sensitivity}: {seconds:.1f} s")
    for name, group in [("family", lambda l: l), ("superfamily", lambda l: l.rsplit(".", 1)[0])]:
        of = {i: group(l) for i, l in family.items()}
        sizes = collections.Counter(of.values())
        queries = [i for i in of if sizes[of[i]] > 1]
        top = sum(bool(hits[i]) and of.get(hits[i][0]) == of[i] for i in queries)
        recall = sum(sum(of.get(t) == of[i] for t in hits[i]) / min(10, sizes[of[i]] - 1) for i in queries)
        print(f"{name}: top 1 {top / len(queries):.4f}, recall at 10 {recall / len(queries):.4f} ({len(queries)} queries)")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
