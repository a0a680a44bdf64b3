//! The program as its users run it.

mod acceptance;
mod duplicates;
mod embed;
mod heads;
mod help;
mod ingest;
mod late;
mod matching;
mod pin;
mod resume;
mod search;
mod serve;
mod similar;
mod tables;
mod vertices;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub(crate) const PROTEINS: &str = "\
>alpha first protein
MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEK
>beta second protein
GLSDGEWQLVLNVWGKVEADIPGHGQEVLIRLFKGHPETLEKFDKFKHLKSED
>gamma third protein
MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDG
";

/// A folder with a store in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A place with a table `proteins` of three rows.
    pub(crate) fn with_proteins() -> Self {
        let place = Self::new();
        place.file("proteins.fasta", PROTEINS);
        place.json(&["ingest", "proteins", "proteins.fasta"]);
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
        for name in [
            "PENSTOCK_STORE",
            "PENSTOCK_SERVER",
            "PENSTOCK_LOG",
            "PENSTOCK_CHECKPOINTS",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
        ] {
            command.env_remove(name);
        }
        // Nothing is asked of another machine, whatever a test names.
        for name in ["HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN"] {
            command.env_remove(name);
        }
        command
            .env("HF_HOME", self.path().join("huggingface"))
            .env("HF_HUB_OFFLINE", "1")
            .current_dir(self.path())
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Runs a command that must succeed; what it prints for people.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            stderr(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must succeed; its document.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--json"], arguments].concat());
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert_eq!(stderr(&output), "", "{arguments:?}");
        document(&output)
    }

    /// Runs a command that must fail with this exit code; what it says on standard error.
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(
            output.stdout.is_empty(),
            "{arguments:?}: something on standard output"
        );
        assert!(!text.contains("panicked"), "{text}");
        text
    }

    /// The same with `--json`; the problem document.
    pub(crate) fn problem(&self, code: i32, arguments: &[&str]) -> Value {
        let text = self.fails(code, &[&["--json"], arguments].concat());
        let problem: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(problem["exit_code"], code);
        problem
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}

/// The keys of an object.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// Whether an object has all of these keys.
pub(crate) fn has_keys(value: &Value, wanted: &[&str]) {
    for key in wanted {
        assert!(value.get(key).is_some(), "no `{key}` in {value}");
    }
}

/// A file of the corpus of real files, where that is there.
pub(crate) fn corpus(file: &str) -> Option<PathBuf> {
    let root = std::env::var("PENSTOCK_CORPUS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus").to_owned());
    let path = Path::new(&root).join(file);
    if path.exists() {
        return Some(std::fs::canonicalize(path).unwrap());
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}
