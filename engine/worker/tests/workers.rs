//! Real worker processes, on the CPU.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, LargeStringArray, RecordBatch};
use penstock_embed::{Encoder, Registry, RegistryOptions, WorkerOptions};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/reference/golden/esm2")
}

fn registry(workers: Option<usize>) -> Registry {
    Registry::new(RegistryOptions {
        paths: true,
        workers: workers.map(|count| WorkerOptions {
            program: env!("CARGO_BIN_EXE_penstock-worker").into(),
            devices: (0..count).map(|device| device.to_string()).collect(),
        }),
        ..RegistryOptions::default()
    })
}

fn encoder(registry: &Registry, form: &str) -> Arc<dyn Encoder> {
    let name = format!("{}{form}", golden().display());
    registry.get(&name).unwrap()
}

fn batch(sequences: &[&str]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(LargeStringArray::from_iter_values(
        (0..sequences.len()).map(|i| i.to_string()),
    ));
    let sequences: ArrayRef = Arc::new(LargeStringArray::from(sequences.to_vec()));
    RecordBatch::try_from_iter([("id", ids), ("sequence", sequences)]).unwrap()
}

#[test]
fn vectors_are_those_of_one_process() {
    let sequences = [
        "MKTAYIAKQR",
        "",
        "ACDEFGHIKLMNPQRSTVWY",
        "MKV",
        "GGGGGGGG",
        "MKTAYIAKQR",
        "W",
    ];
    let batch = batch(&sequences);
    let (alone, shared) = (registry(None), registry(Some(2)));
    for form in ["", ":max", ":none:f16"] {
        let (one, two) = (encoder(&alone, form), encoder(&shared, form));
        assert_eq!(one.spec(), two.spec());
        assert_eq!(one.kind(), two.kind());
        assert_eq!(one.columns(), two.columns());
        // Asked again and again, of more rows and of fewer than there are workers.
        for _ in 0..3 {
            assert_eq!(
                &one.encode(&batch).unwrap(),
                &two.encode(&batch).unwrap(),
                "{form}"
            );
            let first = batch.slice(0, 1);
            assert_eq!(
                &one.encode(&first).unwrap(),
                &two.encode(&first).unwrap(),
                "{form}"
            );
        }
        assert_eq!(two.encode(&batch.slice(0, 0)).unwrap().len(), 0);
    }
}

#[test]
fn a_worker_that_cannot_load_says_why() {
    let folder = std::env::temp_dir().join(format!("penstock-no-weights-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(golden().join("config.json"), folder.join("config.json")).unwrap();
    let Err(error) = registry(Some(1)).get(&folder.display().to_string()) else {
        panic!("there are no weights");
    };
    std::fs::remove_dir_all(&folder).unwrap();
    let text = error.to_string();
    assert!(text.contains("no *.safetensors file"), "{text}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let registry = Registry::new(RegistryOptions {
        paths: true,
        workers: Some(WorkerOptions {
            program: "no-such-worker".into(),
            devices: vec!["0".into()],
        }),
        ..RegistryOptions::default()
    });
    let Err(error) = registry.get(&golden().display().to_string()) else {
        panic!("there is no program");
    };
    assert!(
        error
            .to_string()
            .contains("`no-such-worker` does not start"),
        "{error}"
    );
}

#[test]
fn a_bad_request_is_refused_and_the_next_answered() {
    let registry = registry(Some(1));
    let encoder = encoder(&registry, "");
    let numbers: ArrayRef = Arc::new(arrow::array::Int32Array::from(vec![1]));
    let wrong = RecordBatch::try_from_iter([("sequence", numbers)]).unwrap();
    let error = encoder.encode(&wrong).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot read the column `sequence`"),
        "{error}"
    );
    assert_eq!(error.code().as_str(), "invalid-argument");
    assert_eq!(encoder.encode(&batch(&["MKV"])).unwrap().len(), 1);
}

/// A worker that is killed costs one request.
#[test]
#[cfg(target_os = "linux")]
fn a_worker_that_was_killed_is_started_again() {
    // A folder of its own tells this test's worker from the others.
    let folder = std::env::temp_dir().join(format!("penstock-killed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["config.json", "model.safetensors", "vocab.txt"] {
        std::fs::copy(golden().join(file), folder.join(file)).unwrap();
    }
    let registry = registry(Some(1));
    let encoder = registry.get(&folder.display().to_string()).unwrap();
    let before = encoder.encode(&batch(&["MKV"])).unwrap();
    let folder_name = folder.canonicalize().unwrap().display().to_string();
    let workers: Vec<String> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&folder_name)
        })
        .collect();
    assert_eq!(workers.len(), 1);
    let killed = std::process::Command::new("kill")
        .args(["-9", &workers[0]])
        .status();
    assert!(killed.unwrap().success());
    let error = encoder.encode(&batch(&["MKV"])).unwrap_err();
    assert!(error.to_string().contains("it ended"), "{error}");
    assert_eq!(&before, &encoder.encode(&batch(&["MKV"])).unwrap());
    std::fs::remove_dir_all(&folder).unwrap();
}
