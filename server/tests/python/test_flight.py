"""Arrow Flight, Flight SQL and ADBC."""

import json
import multiprocessing
import random

import adbc_driver_flightsql.dbapi as flightsql
import numpy as np
import pyarrow as pa
import pyarrow.flight as flight
import pytest


@pytest.fixture(scope="module")
def client(server):
    with flight.connect(server["flight"].replace("grpc://", "grpc+tcp://")) as client:
        yield client


def descriptor(**command):
    return flight.FlightDescriptor.for_command(json.dumps(command))


def test_ranks(client, snapshot, proteins):
    info = client.get_flight_info(descriptor(snapshot="frozen", ranks=3))
    assert info.total_records == len(proteins) and info.ordered
    ranges = [json.loads(endpoint.app_metadata) for endpoint in info.endpoints]
    assert [r["row1"] - r["row0"] for r in ranges] == [667, 667, 666]
    parts = [client.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    table = pa.concat_tables(parts)
    assert table.schema.equals(info.schema)
    ids, sequences = table["id"].to_pylist(), table["sequence"].to_pylist()
    assert dict(zip(ids, sequences)) == proteins


def test_resume_in_the_middle(client, snapshot):
    endpoint = client.get_flight_info(descriptor(snapshot="frozen", columns=["length"])).endpoints[0]
    whole = client.do_get(endpoint.ticket).read_all()
    ticket = json.loads(endpoint.ticket.ticket)
    ticket["row0"] = 1_500
    rest = client.do_get(flight.Ticket(json.dumps(ticket))).read_all()
    assert rest.equals(whole.slice(1_500).combine_chunks())


def test_every_snapshot_is_listed(client, snapshot):
    assert any(json.loads(info.descriptor.command)["snapshot"] == "frozen" for info in client.list_flights())


def test_unknown_snapshot(client):
    with pytest.raises(pa.ArrowKeyError, match="there is no snapshot `nowhere`"):
        client.get_flight_info(descriptor(snapshot="nowhere"))


def put(client, path, table, **headers):
    options = flight.FlightCallOptions(headers=[(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()])
    writer, reader = client.do_put(flight.FlightDescriptor.for_path(*path), table.schema, options)
    with writer:
        writer.write_table(table)
        writer.done_writing()
        return json.loads(reader.read().to_pybytes())


def test_put(client, penstock):
    source = random.Random(1)
    sequences = ["".join(source.choices("ACGT", k=200)) for _ in range(500)]
    table = pa.table({"id": [f"read{i}" for i in range(500)], "sequence": sequences})
    first = put(client, ["reads", "dna"], table, idempotency_key="one")
    again = put(client, ["reads", "dna"], table, idempotency_key="one")
    assert first["added"] == again["added"] == 500 and first["version"] == again["version"]
    unchanged = put(client, ["reads"], table)
    assert (unchanged["added"], unchanged["unchanged"]) == (0, 500)
    rows = penstock("sql", "SELECT count(*) AS n, min(length) AS length FROM reads")
    assert rows == [{"n": 500, "length": 200}]
    hits = penstock("search", "reads", "--text", sequences[7], "-k", 1)["hits"]
    assert hits[0]["id"] == "read7" and hits[0]["distance"] < 1e-6


def test_put_refuses_compressed_bodies_and_nonsense(client):
    table = pa.table({"id": ["a"], "sequence": ["ACGT" * 1000]})
    with pytest.raises(pa.ArrowInvalid, match="compressed"):
        options = flight.FlightCallOptions(write_options=pa.ipc.IpcWriteOptions(compression="zstd"))
        writer, reader = client.do_put(flight.FlightDescriptor.for_path("x", "dna"), table.schema, options)
        with writer:
            writer.write_table(table)
            writer.done_writing()
            reader.read()
    with pytest.raises(pa.ArrowInvalid, match="sequence"):
        put(client, ["x", "dna"], pa.table({"id": ["a"]}))


def test_adbc(server, penstock, proteins):
    with flightsql.connect(server["flight"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, length FROM at('proteins', 'first') ORDER BY length DESC, id LIMIT 5")
        table = cursor.fetch_arrow_table()
        longest = sorted(proteins.items(), key=lambda r: (-len(r[1]), r[0]))[:5]
        assert table["id"].to_pylist() == [name for name, _ in longest]
        cursor.execute("SELECT protein_kmer_v1 FROM at('proteins', 'first') LIMIT 1")
        vector = np.array(cursor.fetch_arrow_table()["protein_kmer_v1"].to_pylist()[0])
        assert abs(np.linalg.norm(vector) - 1) < 1e-5
        with pytest.raises(Exception):
            cursor.execute("DROP TABLE proteins")
            cursor.fetchall()
        objects = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
        tables = {t["table_name"] for o in objects for s in o["catalog_db_schemas"] for t in s["db_schema_tables"]}
        assert "proteins" in tables


def read_partition(address, partition):
    with flightsql.connect(address) as connection, connection.cursor() as cursor:
        cursor.adbc_read_partition(partition)
        return cursor.fetch_arrow_table()["id"].to_pylist()


def test_adbc_partitions_from_another_process(server, penstock, proteins):
    with flightsql.connect(server["flight"]) as connection, connection.cursor() as cursor:
        partitions, _ = cursor.adbc_execute_partitions("SELECT id FROM at('proteins', 'first')")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        ids = pool.starmap(read_partition, [(server["flight"], p) for p in partitions])
    assert sorted(sum(ids, [])) == sorted(proteins)


def test_exchange_embeds(client, penstock, proteins):
    ids = list(proteins)[:300]
    table = pa.table({"id": ids, "sequence": [proteins[i] for i in ids]})
    writer, reader = client.do_exchange(descriptor(embed="protein-kmer-v1"))
    with writer:
        writer.begin(table.schema)
        for batch in table.to_batches(max_chunksize=128):
            writer.write_batch(batch)
        writer.done_writing()
        answer = reader.read_all()
    assert answer["id"].to_pylist() == ids
    field = answer.schema.field("vector")
    assert field.metadata[b"penstock:encoder"] == b"protein-kmer-v1"
    rows = penstock("sql", f"SELECT protein_kmer_v1 AS v FROM proteins WHERE id = '{ids[200]}'")
    assert answer["vector"][200].as_py() == pytest.approx(rows[0]["v"], abs=1e-7)


def test_exchange_refuses_what_it_does_not_know(client):
    schema = pa.schema([("sequence", pa.string())])
    for command, error in [({"embed": "nobody"}, "nobody"), ({"fold": "x"}, "embed")]:
        writer, reader = client.do_exchange(descriptor(**command))
        with pytest.raises(pa.ArrowException, match=error):
            with writer:
                writer.begin(schema)
                writer.done_writing()
                reader.read_all()


def test_match(client, penstock, folder):
    rim = 300
    with open(folder / "wheel.tve", "w") as out:
        out.write(f"t {rim + 1} {2 * rim}\nv 0 1 {rim}\n")
        out.writelines(f"v {v} 0 3\n" for v in range(1, rim + 1))
        out.writelines(f"e 0 {v}\ne {v} {v % rim + 1}\n" for v in range(1, rim + 1))
    penstock("ingest", "wheels", folder / "wheel.tve")
    pattern = {
        "vertices": [{"label": "1"}, {}, {}],
        "edges": [{"from": 0, "to": 1}, {"from": 1, "to": 2}, {"from": 0, "to": 2}],
    }
    info = client.get_flight_info(descriptor(match={"table": "wheels", "pattern": pattern}))
    [endpoint] = info.endpoints
    table = client.do_get(endpoint.ticket).read_all()
    assert table.schema.equals(info.schema)
    said = table.schema.metadata
    assert (json.loads(said[b"penstock:count"]), said[b"penstock:complete"]) == (2 * rim, b"true")
    rows = penstock("sql", f"SELECT * FROM match_pattern('wheels', '{json.dumps(pattern)}')")
    assert table.to_pylist() == rows
    with pytest.raises(pa.ArrowInvalid, match="table"):
        client.get_flight_info(descriptor(match={"pattern": pattern}))
