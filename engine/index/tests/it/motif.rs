use std::collections::BTreeSet;
use std::time::Instant;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use penstock_index::{MotifAnswer, MotifRequest, build_motif_index, motif};
use penstock_store::DeleteOptions;
use penstock_types::{ErrorCode, Kind};

use crate::data::Random;
use crate::sequences::{Record, Sequences};

/// Hits as `id start-end strand text`.
fn hits(answer: &MotifAnswer) -> Vec<String> {
    let batch = &answer.hits;
    let text = |i: usize| batch.column(i).as_string::<i32>();
    let number = |i: usize| batch.column(i).as_primitive::<Int64Type>();
    (0..batch.num_rows())
        .map(|row| {
            format!(
                "{} {}-{} {} {}",
                text(0).value(row),
                number(1).value(row),
                number(2).value(row),
                text(3).value(row),
                text(4).value(row)
            )
        })
        .collect()
}

fn ids(answer: &MotifAnswer) -> Vec<String> {
    let ids = answer.rows.column_by_name("id").unwrap().as_string::<i32>();
    ids.iter().flatten().map(str::to_owned).collect()
}

fn random(letters: &[u8], len: usize, random: &mut Random) -> String {
    (0..len)
        .map(|_| char::from(letters[random.next() as usize % letters.len()]))
        .collect()
}

fn proteins(from: usize, count: usize, seed: u64) -> Vec<Record> {
    let mut source = Random(seed);
    (from..from + count)
        .map(|i| {
            let len = 50 + source.next() as usize % 400;
            Record::new(
                &format!("p{i:06}"),
                &random(b"ACDEFGHIKLMNPQRSTVWY", len, &mut source),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_strands_of_contigs_and_no_windows() {
    let fixture = Sequences::new(Kind::Dna).await;
    let window = Record {
        parent: Some("a".to_owned()),
        ..Record::new("a:0-6", "GAAACC")
    };
    let rows = [
        Record::new("a", "GAAACCTTTC"),
        window,
        Record::new("b", "GGGGGG"),
        Record::new("c", "GARGAAA"),
        Record::new("d", "AGARGCCGCCGGCCGA"),
    ];
    fixture.load(&rows).await;
    let table = fixture.table().await;
    let mut request = MotifRequest::new("GA(3)");
    request.columns = vec!["length".into(), "id".into()];
    let answer = motif(&table, &request).await.unwrap();
    assert_eq!(
        hits(&answer),
        ["a 0-4 + GAAA", "a 6-10 - GAAA", "c 3-7 + GAAA"]
    );
    assert_eq!(ids(&answer), ["a", "c"]);
    assert_eq!(answer.rows.schema().field(0).name(), "length");
    assert!(answer.complete && !answer.used_index);
    assert_eq!((answer.candidates, answer.scanned), (4, 39));
    assert_eq!(
        (answer.unindexed_rows, answer.version),
        (5, table.version())
    );

    request.both_strands = false;
    request.windows = true;
    let answer = motif(&table, &request).await.unwrap();
    assert_eq!(
        hits(&answer),
        ["a 0-4 + GAAA", "a:0-6 0-4 + GAAA", "c 3-7 + GAAA"]
    );

    request.filter = Some("id != 'a' OR length > 100".into());
    let answer = motif(&table, &request).await.unwrap();
    assert_eq!(ids(&answer), ["a:0-6", "c"]);

    // The stored codes that a literal must allow for are asked of the index too.
    build_motif_index(&fixture.store, &fixture.name, "sequence")
        .await
        .unwrap();
    let table = fixture.table().await;
    let answer = motif(&table, &MotifRequest::new("GRRGCCGCCGGCC"))
        .await
        .unwrap();
    assert!(answer.used_index);
    assert_eq!(hits(&answer), ["d 1-14 + GARGCCGCCGGCC"]);
    assert_eq!(answer.candidates, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_changes_nothing_but_the_time() {
    let fixture = Sequences::new(Kind::Protein).await;
    fixture.load(&proteins(0, 20_000, 1)).await;
    let started = Instant::now();
    let info = build_motif_index(&fixture.store, &fixture.name, "sequence")
        .await
        .unwrap();
    println!(
        "built in {:.2} s: {info:?}",
        started.elapsed().as_secs_f64()
    );
    assert_eq!((info.indexed_rows, info.unindexed_rows), (20_000, 0));

    compare(&fixture, 0).await;
    // Rows that came later, some in the place of older ones.
    fixture.load(&proteins(19_000, 2_000, 2)).await;
    compare(&fixture, 2_000).await;
    fixture
        .store
        .delete(&fixture.name, "id < 'p005000'", DeleteOptions::default())
        .await
        .unwrap();
    compare(&fixture, 2_000).await;
    let outcome = fixture.store.optimize(&fixture.name).await.unwrap();
    println!("{:?}", outcome.indexes);
    compare(&fixture, 0).await;
    let compacted = fixture.store.compact(&fixture.name).await.unwrap();
    println!("{compacted:?}");
    let unindexed = compare_any(&fixture).await;
    println!("after compaction {unindexed} rows without index");
    fixture.store.optimize(&fixture.name).await.unwrap();
    compare(&fixture, 0).await;
}

async fn compare(fixture: &Sequences, unindexed_rows: u64) {
    assert_eq!(compare_any(fixture).await, unindexed_rows);
}

/// With and without index the answers are one. Answers how many rows have none.
async fn compare_any(fixture: &Sequences) -> u64 {
    let table = fixture.table().await;
    let mut unindexed = 0;
    for (pattern, limit, indexed) in [
        ("[AG]-x(4)-G-K-[ST]", 10_000, false),
        ("W-W-[DE]-[KR]", 10_000, true),
        ("WW[DE][KR]", 3, true),
        ("R-G-D-S-C", 10_000, true),
        ("C-x(2,4)-C-H-H-[DE]", 10_000, true),
        ("W(6)", 10_000, true),
        ("A-x-A", 100, false),
    ] {
        let mut request = MotifRequest::new(pattern);
        request.limit = limit;
        let started = Instant::now();
        let by_index = motif(&table, &request).await.unwrap();
        let seconds = started.elapsed().as_secs_f64();
        assert_eq!(by_index.used_index, indexed, "{pattern}");
        request.scan = true;
        let started = Instant::now();
        let scanned = motif(&table, &request).await.unwrap();
        println!(
            "{pattern:22} {:7} hits, {:6} candidates: {:7.2} ms, scanned {:7.2} ms",
            scanned.hits.num_rows(),
            by_index.candidates,
            1e3 * seconds,
            1e3 * started.elapsed().as_secs_f64()
        );
        assert!(!scanned.used_index);
        assert_eq!(hits(&by_index), hits(&scanned), "{pattern}");
        assert_eq!(by_index.rows, scanned.rows);
        assert_eq!(by_index.complete, scanned.complete);
        assert_eq!(
            scanned.complete,
            scanned.hits.num_rows() < limit,
            "{pattern}"
        );
        unindexed = by_index.unindexed_rows;
    }
    unindexed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_cuts_in_order() {
    let fixture = Sequences::new(Kind::Protein).await;
    fixture.load(&proteins(0, 9_000, 3)).await;
    let table = fixture.table().await;
    let mut request = MotifRequest::new("K-[DE]-x-L");
    let all = motif(&table, &request).await.unwrap();
    assert!(all.complete);
    assert_eq!(all.candidates, 9_000);
    let all = hits(&all);
    for limit in [1, 2, 10, all.len() - 1, all.len(), all.len() + 1] {
        request.limit = limit;
        let some = motif(&table, &request).await.unwrap();
        assert_eq!(hits(&some), all[..limit.min(all.len())]);
        assert_eq!(some.complete, limit >= all.len());
        let of_hits: BTreeSet<_> = hits(&some)
            .iter()
            .map(|hit| hit.split(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(ids(&some).into_iter().collect::<BTreeSet<_>>(), of_hits);
        assert_eq!(some.rows.num_rows(), of_hits.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked() {
    let fixture = Sequences::new(Kind::Protein).await;
    fixture.load(&proteins(0, 3, 4)).await;
    let table = fixture.table().await;
    let request = MotifRequest::new("A");
    for (request, code, message) in [
        (
            MotifRequest::new("A-[C"),
            ErrorCode::InvalidArgument,
            "column 5 of the pattern: expected a letter or `]`, but it ends",
        ),
        (
            MotifRequest {
                limit: 0,
                ..request.clone()
            },
            ErrorCode::InvalidArgument,
            "option `limit` is 0; it must be from 1 to 100000",
        ),
        (
            MotifRequest {
                column: "length".into(),
                ..request.clone()
            },
            ErrorCode::Unsupported,
            "column `length` of table `sequences` holds no sequences, but Int64",
        ),
        (
            MotifRequest {
                filter: Some("length + 1".into()),
                ..request.clone()
            },
            ErrorCode::InvalidArgument,
            "the predicate is wrong",
        ),
    ] {
        let error = motif(&table, &request).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let request = MotifRequest {
        column: "nothing".into(),
        ..request
    };
    let error = motif(&table, &request).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    let error = build_motif_index(&fixture.store, &fixture.name, "length")
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unsupported);
}
