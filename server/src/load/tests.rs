use std::fs;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn batches(folder: &tempfile::TempDir) -> Result<files::Batches, penstock::Error> {
    let inputs = expand(&[folder.path().to_owned()]).unwrap();
    files::Batches::open(inputs, ReadOptions::default(), Arc::default())
}

#[test]
fn a_folder_is_walked_in_the_order_of_names() {
    let folder = folder(&[
        ("b.fasta", ">b\nMKTAYIAK\n"),
        ("a/z.fasta", ">z\nMKTAYIAK\n"),
        (".hidden", "x"),
        ("a/c.txt", "notes"),
    ]);
    let names: Vec<String> = expand(&[folder.path().to_owned()])
        .unwrap()
        .iter()
        .map(|input| {
            let name = input.name();
            let root = folder.path().display().to_string();
            name.strip_prefix(&root).unwrap().to_owned()
        })
        .collect();
    assert_eq!(names, ["/a/c.txt", "/a/z.fasta", "/b.fasta"]);
}

#[test]
fn what_is_no_data_in_a_folder_is_left_out_with_a_warning() {
    let folder = folder(&[
        ("0-readme.txt", "These are notes about the files.\n"),
        ("a.fasta", ">a\nMKTAYIAKQRQISFVK\n"),
        ("b.fasta", ">b\nMKTAYIAKQRQISFVKL\n"),
    ]);
    let mut batches = batches(&folder).unwrap();
    let rows: usize = batches
        .by_ref()
        .map(|batch| batch.unwrap().num_rows())
        .sum();
    assert_eq!(rows, 2);
    let report = batches.account().lock().unwrap().clone();
    assert_eq!((report.records, report.warning_count), (2, 1));
    assert!(report.warnings[0].source.ends_with("0-readme.txt"));
}

#[test]
fn one_load_holds_one_kind() {
    let folder = folder(&[
        ("a.fasta", ">a\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEV\n"),
        ("b.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"),
    ]);
    let error = batches(&folder).unwrap().find_map(Result::err).unwrap();
    let text = error.to_string();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    assert!(text.contains("a.fasta") && text.contains("b.off"), "{text}");
}

#[test]
fn a_folder_without_data_and_a_path_to_nowhere_are_errors() {
    let folder = folder(&[("notes.txt", "These are notes.\n")]);
    assert_eq!(
        batches(&folder).err().unwrap().code(),
        ErrorCode::InvalidArgument
    );
    let nowhere = folder.path().join("nowhere");
    assert_eq!(expand(&[nowhere]).unwrap_err().code(), ErrorCode::NotFound);
}

#[test]
fn bytes_are_counted() {
    let folder = folder(&[("a.fasta", ">a\nMKTAYIAKQRQISFVK\n")]);
    let progress: Arc<penstock::Progress> = Arc::default();
    let inputs = expand(&[folder.path().to_owned()]).unwrap();
    let batches = files::Batches::open(inputs, ReadOptions::default(), Arc::clone(&progress));
    assert_eq!(batches.unwrap().count(), 1);
    let now = progress.snapshot();
    assert_eq!((now.bytes, now.total_bytes), (20, 20));
}
