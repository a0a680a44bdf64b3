//! The Python readers: zarr-python, tensorstore, pyarrow, ADBC, Lance. They are installed by
//! `.ci/run`, which names their interpreter in `PENSTOCK_PYTHON`.

use std::process::Command;

#[test]
fn python_readers() {
    let Ok(python) = std::env::var("PENSTOCK_PYTHON") else {
        println!("PENSTOCK_PYTHON is not set: the tests of the Python readers are skipped");
        return;
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");
    let output = Command::new(python)
        .args(["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", folder])
        .env("PENSTOCK_BIN", env!("CARGO_BIN_EXE_penstock"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("PENSTOCK_PYTHON names an interpreter");
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success(),
        "pytest failed; its report is above"
    );
}
