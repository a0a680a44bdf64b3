"""Lance's own package opens what Penstock wrote."""

import pathlib

import lance

from conftest import fasta


def test_every_table_version_and_tag(penstock, folder):
    fasta(folder / "more.fasta", 50, seed=8, prefix="q")
    penstock("ingest", "history", folder / "proteins.fasta", "--no-encode")
    penstock("ingest", "history", folder / "more.fasta", "--no-encode")
    penstock("tag", "history", "both")
    penstock("delete", "history", "--where", "id LIKE 'q%'")
    penstock("encode", "history", "--encoder", "protein-kmer-v1")

    for table in penstock("tables")["tables"]:
        name = table["name"]
        path = pathlib.Path(penstock.store) / f"{name}.lance"
        assert lance.dataset(path).count_rows() == table["rows"]
        for version in penstock("versions", name)["versions"]:
            number = version["version"]
            rows = penstock("sql", f"SELECT count(*) AS n FROM at('{name}', {number})")[0]["n"]
            assert lance.dataset(path, version=number).count_rows() == rows
            for tag in version["tags"]:
                assert lance.dataset(path, version=tag).version == number


def test_values(penstock, proteins):
    table = lance.dataset(pathlib.Path(penstock.store) / "proteins.lance", version="first")
    rows = table.to_table(columns=["id", "sequence", "length"]).to_pydict()
    assert dict(zip(rows["id"], rows["sequence"])) == proteins
    assert rows["length"] == [len(sequence) for sequence in rows["sequence"]]
