//! `penstock encode` that is killed, and what the next one makes of it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, FixedSizeListArray, Float32Array, RecordBatch,
};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::Place;

const ROWS: usize = 2_000;

/// What is kept of an unfinished run.
fn kept(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "arrow"))
        .collect()
}

/// Puts sevens where the vectors were, so that they are known again; the number of rows.
fn mark(path: &Path) -> usize {
    let bytes = std::fs::read(path).unwrap();
    let batch = StreamReader::try_new(&bytes[..], None)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let column = batch.column(0).as_fixed_size_list();
    let (field, size) = match column.data_type() {
        arrow::datatypes::DataType::FixedSizeList(field, size) => (Arc::clone(field), *size),
        other => panic!("{other}"),
    };
    let sevens: ArrayRef = Arc::new(Float32Array::from(vec![7.0; column.values().len()]));
    let sevens: ArrayRef = Arc::new(FixedSizeListArray::new(field, size, sevens, None));
    let marked = RecordBatch::try_new(batch.schema(), vec![sevens]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&marked).unwrap();
    writer.finish().unwrap();
    drop(writer);
    std::fs::write(path, bytes).unwrap();
    batch.num_rows()
}

#[test]
fn encoding_goes_on_where_it_was_killed() {
    let place = Place::new();
    let mut state = 7_u64;
    let mut letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b"ACDEFGHIKLMNPQRSTVWY"[(state >> 33) as usize % 20])
    };
    let text: String = (0..ROWS)
        .map(|row| {
            format!(
                ">p{row}\n{}\n",
                (0..200).map(|_| letter()).collect::<String>()
            )
        })
        .collect();
    place.file("t.fasta", text);
    place.json(&["ingest", "t", "t.fasta"]);
    let esm2 = super::embed::golden("esm2");
    let encode = ["--json", "encode", "t", "--encoder", &esm2];
    let mut child = place
        .command(&encode)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let folder = place.path().join("penstock-data/_penstock/partial/t/esm2");
    let deadline = Instant::now() + Duration::from_secs(120);
    while kept(&folder).len() < 2 {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it could be killed"
        );
        assert!(Instant::now() < deadline, "nothing was kept");
        std::thread::yield_now();
    }
    // SIGKILL: the program is told nothing.
    child.kill().unwrap();
    child.wait().unwrap();
    let before = place.json(&["describe", "t"]);
    assert_eq!(before["version"], 1, "nothing was committed");
    let marked = mark(&kept(&folder)[0]);
    assert!(marked > 0);

    let done = place.json(&encode[1..]);
    assert_eq!(done["rows_encoded"], ROWS);
    let count = |what: &str| {
        let answer = place.json(&["sql", &format!("select count(*) as n from t where {what}")]);
        answer[0]["n"].as_u64().unwrap() as usize
    };
    // What was kept was taken as it was, and the rest computed.
    assert_eq!(count("esm2[1] = 7 and esm2[48] = 7"), marked);
    assert_eq!(count("esm2 is null"), 0);
    assert!(
        kept(&folder).is_empty(),
        "what was kept goes with the commit"
    );
}
