//! What zarr-python, tensorstore, NumPy and pyarrow make of the files.

use std::path::PathBuf;
use std::process::Command;

use penstock_export::Format;
use penstock_types::Kind;

use crate::exports::export;
use crate::{create, load, request, store};

/// Exports every kind, whole and by rank, with rows and without, and lets `tests/interop.py`
/// compare the files with each other. `PENSTOCK_PYTHON` names an interpreter that has zarr,
/// tensorstore, numpy and pyarrow.
#[tokio::test]
async fn python_reads_the_same_in_every_format() {
    let Some(python) = std::env::var_os("PENSTOCK_PYTHON") else {
        println!("skipped: PENSTOCK_PYTHON is not set");
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let mut folders = Vec::new();
    for kind in Kind::ALL {
        let (store, _folder) = store().await;
        // 4,200 vectors of 1 KiB are two chunks.
        load(&store, kind, 0, 4_200).await;
        for (name, filter) in [("all", None), ("none", Some("id = 'nobody'".to_owned()))] {
            let mut request = request(name);
            request.filter = filter;
            let snapshot = create(&store, &request).await.snapshot;
            let folder = out.path().join(format!("{kind}-{name}"));
            for format in Format::ALL {
                let whole = folder.join("whole").join(format.as_str());
                export(&snapshot, format, &whole, None).await.unwrap();
                let ranks = folder.join("ranks").join(format.as_str());
                for rank in 0..3 {
                    export(&snapshot, format, &ranks, Some((rank, 3)))
                        .await
                        .unwrap();
                }
            }
            folders.push(folder);
        }
    }
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/interop.py");
    let status = Command::new(&python)
        .arg(script)
        .args(folders)
        .status()
        .unwrap();
    assert!(status.success());
}
