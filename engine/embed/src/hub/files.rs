//! Which files of a repository a model is read from.

use std::collections::BTreeSet;

use super::HubFault;
use crate::checkpoint::{
    CheckpointFault, HubName, INDEX, WEIGHTS, is_pickle, is_plain, pickled, shard_names,
};

pub(super) const CONFIG: &str = "config.json";

/// Files that models read beside their weights, where they are there, and the model card.
const SUPPORT: [&str; 6] = [
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "spiece.model",
    "added_tokens.json",
    "README.md",
];

/// What is to be fetched.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) files: Vec<String>,
    /// The index that names the shards, where the weights are in several files.
    pub(super) index: Option<&'static str>,
    /// The files of the repository's own folder.
    pub(super) listed: BTreeSet<String>,
}

/// Chooses from the names of a repository's files, as [`crate::Checkpoint`] will.
pub(super) fn wanted(
    name: HubName<'_>,
    commit: &str,
    names: &[&str],
) -> Result<Wanted, CheckpointFault> {
    let listed: BTreeSet<String> = names
        .iter()
        .filter(|name| is_plain(name))
        .map(|name| (*name).to_owned())
        .collect();
    if !listed.contains(CONFIG) {
        return Err(CheckpointFault::NoConfig);
    }
    let mut files = SUPPORT.map(str::to_owned).to_vec();
    files.retain(|file| listed.contains(file));
    files.push(CONFIG.to_owned());
    let mut index = None;
    if listed.contains(WEIGHTS) {
        files.push(WEIGHTS.to_owned());
    } else if listed.contains(INDEX) {
        index = Some(INDEX);
    } else {
        let before = files.len();
        files.extend(listed.iter().filter(|name| is_tensors(name)).cloned());
        if files.len() == before {
            let Some(file) = listed.iter().find(|name| is_pickle(name)) else {
                return Err(CheckpointFault::NoWeights);
            };
            let download = format!(
                "`hf download {} --revision {commit} --local-dir {}`, then ",
                name.repository(),
                name.short()
            );
            return Err(pickled(file.clone(), &download));
        }
    }
    Ok(Wanted {
        files,
        index,
        listed,
    })
}

fn is_tensors(name: &str) -> bool {
    name.ends_with(".safetensors")
}

/// The shards that an index names, all of which are in the repository's folder.
pub(super) fn shards(
    index: &[u8],
    listed: &BTreeSet<String>,
) -> Result<BTreeSet<String>, HubFault> {
    let names = shard_names(index).map_err(HubFault::Index)?;
    let is_here = |name: &&String| listed.contains(*name) && is_tensors(name);
    match names.iter().find(|name| !is_here(name)) {
        Some(name) => Err(HubFault::Shard { name: name.clone() }),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Result<Wanted, CheckpointFault> {
        wanted(HubName::parse("lab/tiny").unwrap(), "c0ffee", names)
    }

    #[test]
    fn only_what_models_are_read_from() {
        let all = [
            ".gitattributes",
            "README.md",
            "config.json",
            "model.safetensors",
            "onnx/model.safetensors",
            "pytorch_model.bin",
            "tf_model.h5",
            "vocab.txt",
        ];
        let found = of(&all).unwrap();
        let expected = ["vocab.txt", "README.md", "config.json", "model.safetensors"];
        assert_eq!(found.files, expected);
        assert_eq!(found.index, None);

        let two = of(&["config.json", "a.safetensors", "b.safetensors"]).unwrap();
        assert_eq!(two.files, ["config.json", "a.safetensors", "b.safetensors"]);

        let shards = of(&["config.json", INDEX, "a.safetensors"]).unwrap();
        assert_eq!((shards.files.len(), shards.index), (1, Some(INDEX)));

        let none = of(&["model.safetensors"]);
        assert!(matches!(none, Err(CheckpointFault::NoConfig)));
        let none = of(&["config.json", "notes.txt"]);
        assert!(matches!(none, Err(CheckpointFault::NoWeights)));
        let Err(CheckpointFault::Pickled { file, command }) = of(&["config.json", "w.bin"]) else {
            panic!("pickled weights are taken");
        };
        assert_eq!(file, "w.bin");
        let download = "`hf download lab/tiny --revision c0ffee --local-dir tiny`, then in its";
        assert!(command.starts_with(download), "{command}");
    }

    #[test]
    fn every_file_that_a_model_names_is_fetched() {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/src/model");
        let mut named = BTreeSet::new();
        for entry in std::fs::read_dir(models).unwrap().flatten() {
            if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "rs")
            {
                let source = std::fs::read_to_string(entry.path()).unwrap();
                let words = source.split('"').map(str::to_owned);
                named.extend(words.filter(|word| {
                    let end = word.rsplit_once('.').map(|(_, end)| end);
                    is_plain(word) && matches!(end, Some("json" | "txt" | "model"))
                }));
            }
        }
        assert!(named.contains("vocab.txt"), "{named:?}");
        named.retain(|name| !SUPPORT.contains(&name.as_str()) && name != CONFIG);
        assert!(named.is_empty(), "{named:?}");
    }

    #[test]
    fn shards_lie_in_the_folder() {
        let listed: BTreeSet<String> = ["a.safetensors", "code.py"].map(str::to_owned).into();
        let index = |name: &str| format!(r#"{{"weight_map": {{"w": "{name}"}}}}"#).into_bytes();
        assert_eq!(shards(&index("a.safetensors"), &listed).unwrap().len(), 1);
        let outside = ["../a.safetensors", "/etc/passwd", "x/a.safetensors"];
        for name in outside.into_iter().chain(["b.safetensors", "code.py"]) {
            let fault = shards(&index(name), &listed);
            assert!(matches!(fault, Err(HubFault::Shard { .. })), "{name}");
        }
        assert!(matches!(shards(b"[]", &listed), Err(HubFault::Index(_))));
    }
}
