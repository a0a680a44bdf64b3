mod server;
mod transfer;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, Mutex};

use arrow::array::{RecordBatch, StringArray};
use candle_core::safetensors::{load, save};
use candle_core::{Device, Tensor};
use penstock_types::{ErrorCode, columns};
use tempfile::TempDir;

use super::*;
use crate::checkpoint::CheckpointFault;
use crate::{Registry, RegistryOptions};
use server::{COMMIT, Server, etag};

const FILES: [&str; 3] = ["config.json", "model.safetensors", "vocab.txt"];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/reference/golden/esm2")
}

/// A cache, and registries that use it.
struct Place {
    cache: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            cache: tempfile::tempdir().unwrap(),
        }
    }

    fn registry(&self, download: Download) -> Registry {
        Registry::new(RegistryOptions {
            hub_cache: Some(self.cache.path().to_owned()),
            paths: true,
            download,
            ..RegistryOptions::default()
        })
    }

    fn from(&self, server: &Server) -> Registry {
        self.registry(Download::From(hub(server)))
    }

    fn error(&self, server: &Server, name: &str) -> EmbedError {
        self.from(server).get(name).err().unwrap()
    }

    fn model(&self) -> PathBuf {
        self.cache.path().join("models--lab--tiny")
    }

    fn snapshot(&self) -> PathBuf {
        self.model().join("snapshots").join(COMMIT)
    }

    /// The names in a folder of the model; none where it is not there.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.model().join(folder));
        let entries = entries.into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn hub(server: &Server) -> Hub {
    Hub {
        endpoint: server.endpoint(),
        ..Hub::default()
    }
}

fn vectors(encoder: &dyn crate::Encoder) -> arrow::array::ArrayRef {
    let text: arrow::array::ArrayRef = Arc::new(StringArray::from(vec!["MKTAYIAK", "GLSDGEW"]));
    let batch = RecordBatch::try_from_iter([(columns::SEQUENCE, text)]).unwrap();
    encoder.encode(&batch).unwrap()
}

#[test]
fn a_model_is_downloaded_once() {
    let server = Server::of(&golden(), &FILES);
    let more = [
        ("pytorch_model.bin", "x"),
        ("README.md", "---\nlicense: mit\n---\n"),
    ];
    for (name, content) in more {
        server.state().files.insert(name.into(), content.into());
    }
    let place = Place::new();
    let encoder = place.from(&server).get("lab/tiny").unwrap();
    assert_eq!(encoder.spec().encoder, "tiny");
    assert_eq!(encoder.spec().licence.as_deref(), Some("mit"));
    let paths = RegistryOptions {
        paths: true,
        ..RegistryOptions::default()
    };
    let original = Registry::new(paths)
        .get(golden().to_str().unwrap())
        .unwrap();
    assert_eq!(encoder.spec().weights, original.spec().weights);
    assert_eq!(&vectors(&*encoder), &vectors(&*original));

    // The layout of the hub's tools; nothing but what is read.
    assert_eq!(place.names("snapshots"), [COMMIT]);
    let expected = ["README.md", "config.json", "model.safetensors", "vocab.txt"];
    assert_eq!(place.names(&format!("snapshots/{COMMIT}")), expected);
    let mut blobs: Vec<String> = expected
        .iter()
        .map(|name| etag(name, &server.state().files[*name]))
        .collect();
    blobs.sort();
    assert_eq!(place.names("blobs"), blobs);
    assert_eq!(
        std::fs::read_to_string(place.model().join("refs/main")).unwrap(),
        COMMIT
    );
    #[cfg(unix)]
    for name in expected {
        let target = std::fs::read_link(place.snapshot().join(name)).unwrap();
        let blob = etag(name, &server.state().files[name]);
        assert_eq!(target, Path::new("../../blobs").join(blob));
    }

    // Nobody is asked again, by this name or another of the same commit.
    let asked = server.state().requests.len();
    for name in [
        "lab/tiny",
        "lab/tiny:max",
        &format!("lab/tiny@{COMMIT}"),
        "tiny",
    ] {
        place.from(&server).get(name).unwrap();
        place.registry(Download::Never).get(name).unwrap();
    }
    assert_eq!(server.state().requests.len(), asked);
}

#[test]
fn a_revision_is_pinned() {
    let server = Server::of(&golden(), &FILES);
    let place = Place::new();
    place.from(&server).get("lab/tiny@v2").unwrap();
    assert_eq!(place.names("refs"), ["v2"]);
    {
        let state = server.state();
        let is_at_commit = |path: &str| path.starts_with(&format!("/lab/tiny/resolve/{COMMIT}/"));
        assert_eq!(state.requests[0].1, "/api/models/lab/tiny/revision/v2");
        assert!(
            state.requests[1..]
                .iter()
                .all(|(_, path, _)| is_at_commit(path))
        );
    }
    // Another name of a commit that is here costs no bytes.
    let sent = server.state().large.len();
    place.from(&server).get("lab/tiny").unwrap();
    assert_eq!(place.names("refs"), ["main", "v2"]);
    assert_eq!(server.state().large.len(), sent);
    // A commit needs no reference.
    let other = Place::new();
    other
        .from(&server)
        .get(&format!("lab/tiny@{COMMIT}"))
        .unwrap();
    assert_eq!(other.names("refs"), [""; 0]);

    let error = place.error(&server, "lab/tiny@v3");
    assert_eq!(error.code(), ErrorCode::NotFound);
    assert!(
        error.to_string().contains("no branch, tag or commit `v3`"),
        "{error}"
    );
}

#[test]
fn offline_nobody_is_asked() {
    let server = Server::of(&golden(), &FILES);
    let place = Place::new();
    let registry = place.registry(Download::Never);
    for error in [
        registry.get("lab/tiny@v2").err().unwrap(),
        registry.check("lab/tiny@v2").unwrap_err(),
    ] {
        assert!(matches!(error, EmbedError::NotCached { .. }));
        let text = error.to_string();
        assert!(
            text.contains(place.cache.path().to_str().unwrap()),
            "{text}"
        );
        assert!(
            text.contains("hf download lab/tiny --revision v2`"),
            "{text}"
        );
    }
    assert_eq!(server.state().requests, []);
    // Looking whether a name may be asked for asks nobody either.
    place.from(&server).check("lab/tiny").unwrap();
    assert_eq!(server.state().requests, []);
}

#[test]
fn nobody_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let place = Place::new();
    let endpoint = format!("http://{address}");
    let registry = place.registry(Download::From(Hub {
        endpoint,
        ..Hub::default()
    }));
    let error = registry.get("lab/tiny").err().unwrap();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    let text = error.to_string();
    for part in [
        format!("{address} cannot be reached"),
        format!("in the cache at {}", place.cache.path().display()),
        "`hf download lab/tiny`".to_owned(),
        "--offline".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    // Somebody elsewhere is not told where things lie here.
    let registry = Registry::new(RegistryOptions {
        hub_cache: Some(place.cache.path().to_owned()),
        download: Download::From(Hub {
            endpoint: format!("http://{address}"),
            ..Hub::default()
        }),
        ..RegistryOptions::default()
    });
    let text = registry.get("lab/tiny").err().unwrap().to_string();
    assert!(
        !text.contains(place.cache.path().to_str().unwrap()),
        "{text}"
    );
}

#[test]
fn a_hub_that_says_nothing_is_not_waited_for() {
    // Connections are taken by the system, and nobody answers them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let hub = Hub {
        endpoint: format!("http://{}", listener.local_addr().unwrap()),
        silence: Duration::from_millis(50),
        ..Hub::default()
    };
    let error = Place::new()
        .registry(Download::From(hub))
        .get("lab/tiny")
        .err()
        .unwrap();
    assert_eq!(error.code(), ErrorCode::Unavailable);
}

#[test]
fn what_the_hub_refuses() {
    let cases = [
        (404, "RepoNotFound", ErrorCode::NotFound, "no such model"),
        (401, "RepoNotFound", ErrorCode::NotFound, "no such model"),
        (404, "", ErrorCode::NotFound, "no such model"),
        (401, "GatedRepo", ErrorCode::NotFound, "no token was sent"),
        (403, "GatedRepo", ErrorCode::NotFound, "set HF_TOKEN"),
        (401, "", ErrorCode::NotFound, "set HF_TOKEN"),
        (500, "", ErrorCode::Unavailable, "answers 500"),
        (429, "", ErrorCode::Unavailable, "answers 429"),
    ];
    let server = Server::of(&golden(), &FILES);
    let place = Place::new();
    for (status, word, code, text) in cases {
        server.state().refuses = Some((status, word));
        let error = place.error(&server, "lab/tiny");
        assert_eq!(error.code(), code, "{status} {word}");
        assert!(error.to_string().contains(text), "{status} {word}: {error}");
    }
    server.state().refuses = None;
    let error = place.error(&server, "lab/other");
    assert!(error.to_string().contains("no such model"), "{error}");
    let page = format!("http://{}/lab/tiny", server.address);
    server.state().refuses = Some((403, "GatedRepo"));
    let error = place.error(&server, "lab/tiny").to_string();
    assert!(error.contains(&page), "{error}");
    assert_eq!(place.names("snapshots"), [""; 0]);
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let server = Server::of(&golden(), &FILES);
    server.state().token = Some("secret");
    let place = Place::new();
    let error = place.error(&server, "lab/tiny");
    assert!(error.to_string().contains("no token was sent"), "{error}");
    let with_token = |token: &str| {
        let mut hub = hub(&server);
        hub.token = Some(token.to_owned());
        assert!(!format!("{hub:?}").contains(token));
        place.registry(Download::From(hub)).get("lab/tiny")
    };
    let error = with_token("other").err().unwrap();
    assert!(
        error.to_string().contains("though a token was sent"),
        "{error}"
    );
    with_token("secret").unwrap();
    let large = &server.state().large;
    assert!(!large.is_empty() && large.iter().all(|(.., token)| !token));
    let error = with_token("two\nlines").err();
    // It is here by now.
    assert!(error.is_none());
}

#[test]
fn names_that_lead_elsewhere() {
    let server = Server::of(&golden(), &FILES);
    server.state().etag = Some("../../../escaped");
    let place = Place::new();
    let error = place.error(&server, "lab/tiny");
    assert!(error.to_string().contains("is no digest"), "{error}");

    let mut files = server.state().files.clone();
    files.remove("model.safetensors");
    let index = r#"{"weight_map": {"a": "../escaped.safetensors"}}"#;
    files.insert("model.safetensors.index.json".into(), index.into());
    files.insert("../escaped.safetensors".into(), "x".into());
    let error = place.error(&Server::start(files), "lab/tiny");
    assert!(
        error.to_string().contains("`../escaped.safetensors`"),
        "{error}"
    );
    assert_eq!(error.code(), ErrorCode::InvalidData);
    assert_eq!(place.names("snapshots"), [""; 0]);
}

#[test]
fn a_model_in_shards() {
    let tensors = load(golden().join("model.safetensors"), &Device::Cpu).unwrap();
    let mut names: Vec<&String> = tensors.keys().collect();
    names.sort();
    let folder = tempfile::tempdir().unwrap();
    let mut map = BTreeMap::new();
    for (at, part) in names.chunks(names.len().div_ceil(2)).enumerate() {
        let file = format!("model-0000{}-of-00002.safetensors", at + 1);
        let of = |name: &&&String| ((**name).clone(), tensors[**name].clone());
        let shard: std::collections::HashMap<String, Tensor> =
            part.iter().map(|n| of(&n)).collect();
        save(&shard, folder.path().join(&file)).unwrap();
        map.extend(part.iter().map(|name| ((*name).clone(), file.clone())));
    }
    let mut server_files = BTreeMap::new();
    for name in ["config.json", "vocab.txt"] {
        server_files.insert(name.to_owned(), std::fs::read(golden().join(name)).unwrap());
    }
    for file in [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ] {
        server_files.insert(
            file.to_owned(),
            std::fs::read(folder.path().join(file)).unwrap(),
        );
    }
    let index = serde_json::json!({ "weight_map": map }).to_string();
    server_files.insert("model.safetensors.index.json".into(), index.into());
    server_files.insert("other.safetensors".into(), b"not of this model".to_vec());
    let server = Server::start(server_files);
    let place = Place::new();
    let encoder = place.from(&server).get("lab/tiny").unwrap();
    let paths = RegistryOptions {
        paths: true,
        ..RegistryOptions::default()
    };
    let original = Registry::new(paths)
        .get(golden().to_str().unwrap())
        .unwrap();
    assert_eq!(encoder.spec().weights, original.spec().weights);
    assert_eq!(place.names(&format!("snapshots/{COMMIT}")).len(), 5);
}

#[test]
fn pickled_weights_are_not_fetched() {
    let mut files = Server::of(&golden(), &FILES).state().files.clone();
    files.remove("model.safetensors");
    files.insert("pytorch_model.bin".into(), vec![0; 4096]);
    let server = Server::start(files);
    let place = Place::new();
    let error = place.error(&server, "lab/tiny");
    let EmbedError::Checkpoint { fault, .. } = &error else {
        panic!("{error}");
    };
    assert!(matches!(**fault, CheckpointFault::Pickled { .. }));
    let text = error.to_string();
    assert!(
        text.contains(&format!("hf download lab/tiny --revision {COMMIT}")),
        "{text}"
    );
    assert!(text.contains("weights_only=True"), "{text}");
    assert_eq!(server.state().requests.len(), 1);
}

#[test]
fn endpoints() {
    for given in ["", "huggingface.co", "ftp://host", "file:///x"] {
        let hub = Hub {
            endpoint: given.to_owned(),
            ..Hub::default()
        };
        let registry = Place::new().registry(Download::From(hub));
        let error = registry.get("lab/tiny").err().unwrap();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{given}");
        assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
    }
    let server = Server::of(&golden(), &FILES);
    let mut hub = hub(&server);
    hub.endpoint.push('/');
    Place::new()
        .registry(Download::From(hub))
        .get("lab/tiny")
        .unwrap();
}
