//! Snapshots as Zarr trees and as rows.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{Server, problem};

async fn snapshot(server: &Server) -> Value {
    let request = json!({"name": "pinned", "table": "proteins", "columns": ["sequence", "length", "protein_kmer_v1"]});
    server.work("/v1/snapshots", &request).await
}

async fn with(server: &Server, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = server.request(Method::GET, path);
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_made_once_and_found_by_name_and_digest() {
    let server = Server::with_proteins().await;
    let made = snapshot(&server).await;
    assert_eq!(made["rows"], 3);
    let again = snapshot(&server).await;
    assert_eq!(made, again);
    let digest = made["digest"].as_str().unwrap();
    assert_eq!(server.json("/v1/snapshots/pinned").await["digest"], digest);
    assert_eq!(server.json("/v1/snapshots/latest").await["digest"], digest);
    assert_eq!(
        server.json(&format!("/v1/snapshots/{digest}")).await["digest"],
        digest
    );
    assert_eq!(
        server.json("/v1/snapshots").await["snapshots"][0]["name"],
        "pinned"
    );

    let manifest = server
        .get(&format!("/v1/snapshots/{digest}/manifest.json"))
        .await;
    assert_eq!(header(&manifest, "etag"), format!("\"{digest}\""));
    assert!(header(&manifest, "repr-digest").starts_with("sha-256=:"));
    let bytes = manifest.bytes().await.unwrap();
    assert_eq!(penstock_types::Sha256Digest::of(&bytes).to_string(), digest);

    // Another content under the same name is refused.
    let other = json!({"name": "pinned", "table": "proteins", "columns": ["length"]});
    let request = server
        .request(Method::POST, "/v1/snapshots")
        .header("prefer", "wait=60");
    problem(
        request.json(&other).send().await.unwrap(),
        409,
        "already-exists",
    )
    .await;

    // Bytes are served under the digest only, and a name is told what it stands for.
    let alias = server.get("/v1/snapshots/pinned/zarr/raw/zarr.json").await;
    let told = problem(alias, 400, "invalid-argument").await;
    assert!(told["detail"].as_str().unwrap().contains(digest), "{told}");
    problem(server.get("/v1/snapshots/nothing").await, 404, "not-found").await;
    let unknown = format!("/v1/snapshots/{}", "0".repeat(64));
    problem(server.get(&unknown).await, 404, "not-found").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zarr_chunks() {
    let server = Server::with_proteins().await;
    let digest = snapshot(&server).await["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let base = format!("/v1/snapshots/{digest}/zarr/raw");

    let root = server.get(&format!("{base}/zarr.json")).await;
    assert_eq!(header(&root, "content-type"), "application/json");
    let root: Value = root.json().await.unwrap();
    assert_eq!(root["zarr_format"], 3);
    assert_eq!(root["consolidated_metadata"]["kind"], "inline");

    let path = format!("{base}/protein_kmer_v1/c/0/0");
    let whole = server.get(&path).await;
    assert_eq!(whole.status(), 200);
    assert_eq!(
        header(&whole, "cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    assert_eq!(header(&whole, "content-encoding"), "");
    let etag = header(&whole, "etag").to_owned();
    assert!(etag.starts_with('"'), "{etag}");
    let length: usize = header(&whole, "content-length").parse().unwrap();
    let bytes = whole.bytes().await.unwrap();
    assert_eq!((bytes.len(), length), (3 * 256 * 4 + 4, 3 * 256 * 4 + 4));

    let head = server.request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(header(&head, "content-length"), length.to_string());
    assert_eq!(header(&head, "etag"), etag);
    assert!(head.bytes().await.unwrap().is_empty());

    for (range, first, last) in [
        ("bytes=0-3", 0, 3),
        ("bytes=3000-", 3000, 3075),
        ("bytes=-4", 3072, 3075),
    ] {
        let part = with(&server, &path, &[("range", range)]).await;
        assert_eq!(part.status(), 206, "{range}");
        assert_eq!(
            header(&part, "content-range"),
            format!("bytes {first}-{last}/{length}")
        );
        assert_eq!(part.bytes().await.unwrap(), bytes.slice(first..=last));
    }
    let past = with(&server, &path, &[("range", "bytes=3076-")]).await;
    assert_eq!(header(&past, "content-range"), "bytes */3076");
    problem(past, 416, "invalid-argument").await;

    let same = with(&server, &path, &[("if-none-match", &etag)]).await;
    assert_eq!(same.status(), 304);
    assert_eq!(header(&same, "etag"), etag);
    assert!(same.bytes().await.unwrap().is_empty());
    let other = with(&server, &path, &[("if-match", "\"other\"")]).await;
    problem(other, 412, "conflict").await;
    let range = ("range", "bytes=0-3");
    assert_eq!(
        with(&server, &path, &[range, ("if-range", &etag)])
            .await
            .status(),
        206
    );
    assert_eq!(
        with(&server, &path, &[range, ("if-range", "\"other\"")])
            .await
            .status(),
        200
    );

    for missing in ["c/1/0", "c/0", ".zarray"] {
        let path = format!("{base}/protein_kmer_v1/{missing}");
        problem(server.get(&path).await, 404, "not-found").await;
    }
    for missing in [".zgroup", ".zattrs", ".zmetadata", "nothing/zarr.json"] {
        problem(
            server.get(&format!("{base}/{missing}")).await,
            404,
            "not-found",
        )
        .await;
    }
    let ragged = server.get(&format!("{base}/sequence/values/c/0")).await;
    assert_eq!(ragged.bytes().await.unwrap().len(), 3 * 53 + 4);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_by_rank_and_range() {
    let server = Server::with_proteins().await;
    let digest = snapshot(&server).await["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let rows =
        |array: &str, query: &str| format!("/v1/snapshots/{digest}/arrays/{array}/rows?{query}");

    let whole = server.get(&rows("protein_kmer_v1", "")).await;
    assert_eq!(whole.status(), 200);
    for (name, value) in [
        ("penstock-first-row", "0"),
        ("penstock-rows", "3"),
        ("penstock-total-rows", "3"),
        ("penstock-shape", "3,256"),
        ("penstock-dtype", "float32"),
        ("penstock-order", "C"),
        ("content-length", "3072"),
    ] {
        assert_eq!(header(&whole, name), value, "{name}");
    }
    let crc = u32::from_str_radix(header(&whole, "penstock-crc32c"), 16).unwrap();
    let whole = whole.bytes().await.unwrap();
    assert_eq!(crc, crc32c::crc32c(&whole));

    // PETSc: rank 0 of 2 has two of three rows.
    let mut joined = Vec::new();
    for (rank, count) in [(0, "2"), (1, "1")] {
        let part = server
            .get(&rows("protein_kmer_v1", &format!("rank={rank}&of=2")))
            .await;
        assert_eq!(header(&part, "penstock-rows"), count);
        joined.extend_from_slice(&part.bytes().await.unwrap());
    }
    assert_eq!(joined, whole);

    let one = server
        .get(&rows("protein_kmer_v1", "start=1&count=1"))
        .await;
    assert_eq!(header(&one, "penstock-first-row"), "1");
    assert_eq!(one.bytes().await.unwrap(), whole.slice(1024..2048));

    // A broken transfer goes on where it was.
    let path = rows("protein_kmer_v1", "rank=0&of=2");
    let rest = with(&server, &path, &[("range", "bytes=1000-")]).await;
    assert_eq!(rest.status(), 206);
    assert_eq!(header(&rest, "content-range"), "bytes 1000-2047/2048");
    assert_eq!(rest.bytes().await.unwrap(), whole.slice(1000..2048));

    let wide = server
        .get(&rows("protein_kmer_v1", "dtype=float64&order=F"))
        .await;
    assert_eq!(header(&wide, "penstock-dtype"), "float64");
    assert_eq!(header(&wide, "penstock-order"), "F");
    let wide = wide.bytes().await.unwrap();
    let narrow = |row: usize, column: usize| {
        let at = (row * 256 + column) * 4;
        f64::from(f32::from_le_bytes(whole[at..at + 4].try_into().unwrap()))
    };
    let turned = |row: usize, column: usize| {
        let at = (column * 3 + row) * 8;
        f64::from_le_bytes(wide[at..at + 8].try_into().unwrap())
    };
    assert!(
        (0..3).all(|row| (0..256).all(|c| narrow(row, c).to_bits() == turned(row, c).to_bits()))
    );

    // The values of a ragged column go with the rows of the rank; an array's name has slashes.
    let ragged = server.get(&rows("sequence/values", "rank=1&of=2")).await;
    assert_eq!(header(&ragged, "penstock-first-row"), "106");
    assert_eq!(
        ragged.bytes().await.unwrap(),
        super::PROTEINS.lines().nth(5).unwrap().as_bytes()
    );

    for (query, status, code) in [
        ("rank=2&of=2", 400, "invalid-argument"),
        ("rank=0", 400, "invalid-argument"),
        ("start=2&count=5", 400, "invalid-argument"),
        ("order=X", 400, "invalid-argument"),
        ("dtype=int8", 422, "unsupported"),
        ("nonsense=1", 400, "invalid-argument"),
    ] {
        problem(
            server.get(&rows("protein_kmer_v1", query)).await,
            status,
            code,
        )
        .await;
    }
    problem(server.get(&rows("nothing", "")).await, 404, "not-found").await;
    server.stop().await;
}
