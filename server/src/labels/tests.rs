use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use penstock::GivenLabels;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn find(labels: &HeadLabels, id: &str) -> Option<GivenLabels> {
    match labels {
        HeadLabels::Given { find, .. } => find(id).unwrap(),
        HeadLabels::Structure => None,
    }
}

fn has_groups(labels: &HeadLabels) -> bool {
    matches!(
        labels,
        HeadLabels::Given {
            has_groups: true,
            ..
        }
    )
}

#[test]
fn headers_and_lines() {
    let folder = Folder::new();
    let path = folder.file(
        "a.ss",
        ">one first protein\r\nMKV\r\nHEC\r\n>two\n  HH \n\n>three\nH",
    );
    let labels = read(&path, &LabelOptions::default()).unwrap();
    assert_eq!(find(&labels, "one").unwrap().lines, ["MKV", "HEC"]);
    // A blank is coil, at both ends too.
    assert_eq!(find(&labels, "two").unwrap().lines, ["  HH "]);
    assert_eq!(find(&labels, "three").unwrap().lines, ["H"]);
    assert_eq!(find(&labels, "four"), None);
    let HeadLabels::Given { name, digest, .. } = &labels else {
        panic!();
    };
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(
        (name.as_str(), digest),
        ("a.ss", &blake3::hash(&bytes).to_hex().to_string())
    );
}

#[test]
fn the_pdbs_lists() {
    let folder = Folder::new();
    let text = ">101M:A:sequence\nMVLS\n>101M:A:secstr\n  HH\n>101M:A:disorder\nX---\n\
                >9XYZ:B:sequence\nGG\n";
    let labels = read(&folder.file("ss_dis.txt", text), &LabelOptions::default()).unwrap();
    let found = find(&labels, "101M:A").unwrap();
    assert_eq!(
        (found.lines, found.mask.as_deref()),
        (vec!["  HH".to_owned()], Some("X---"))
    );
    assert_eq!(find(&labels, "9XYZ:B"), None);
}

#[test]
fn columns_of_text_and_of_parquet() {
    let folder = Folder::new();
    let options = LabelOptions {
        labels: Some("q8".to_owned()),
        mask: Some("resolved".to_owned()),
        group: Some("family".to_owned()),
        ..LabelOptions::default()
    };
    let tabs = "id\tfamily\tq8\tresolved\na\tf.1\tHGE\t110\nb\tf.2\tCC\t\n";
    let commas = "q8,id,resolved,family\nHGE,a,110,f.1\n\"CC\",b,,f.2\n";
    let column =
        |values: [Option<&str>; 2]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let batch = RecordBatch::try_from_iter([
        ("other", column([None, None])),
        ("id", column([Some("a"), Some("b")])),
        ("q8", column([Some("HGE"), Some("CC")])),
        ("family", column([Some("f.1"), Some("f.2")])),
        ("resolved", column([Some("110"), None])),
    ])
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    for path in [
        folder.file("t.tsv", tabs),
        folder.file("t.csv", commas),
        folder.file("t.parquet", &bytes),
    ] {
        let labels = read(&path, &options).unwrap();
        assert!(has_groups(&labels));
        let expected = GivenLabels {
            lines: vec!["HGE".to_owned()],
            mask: Some("110".to_owned()),
            group: Some("f.1".to_owned()),
        };
        assert_eq!(find(&labels, "a"), Some(expected), "{}", path.display());
        assert_eq!(find(&labels, "b").unwrap().mask, None);
        // A group that the file does not know is looked for elsewhere.
        let other = LabelOptions {
            group: Some("structure".to_owned()),
            ..options.clone()
        };
        assert!(!has_groups(&read(&path, &other).unwrap()));
        let error = read(&path, &LabelOptions::default()).unwrap_err();
        assert!(error.to_string().contains("no column `labels`"), "{error}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let folder = Folder::new();
    let fails = |text: &str| {
        let error = read(&folder.file("x", text), &LabelOptions::default()).unwrap_err();
        (error.code(), error.to_string())
    };
    let (code, text) = fails(">a\nHH\n>b\nH\n>a\nHH\n");
    assert_eq!(code, ErrorCode::InvalidData);
    assert!(text.contains("`a` has labels twice"), "{text}");
    assert!(fails(">a:sequence\nMK\n").1.contains("no labels"));
    assert!(fails("id\tlabels\na\tHH\tmore\n").1.contains("line: 2"));
    assert!(fails("").1.contains("no column"));
    let columns = LabelOptions {
        mask: Some("m".to_owned()),
        ..LabelOptions::default()
    };
    let error = read(&folder.file("x", ">a\nH\n"), &columns).unwrap_err();
    assert!(matches!(error, LabelError::NoColumns { .. }));
    let error = read(&folder.0.path().join("none"), &columns).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
}
