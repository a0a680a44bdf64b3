//! The environment variables that are no default of an option.

use std::path::PathBuf;

/// What `main` read from the environment.
#[derive(Clone, Default)]
pub struct Environment {
    /// `AWS_ACCESS_KEY_ID`.
    pub aws_access_key_id: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub aws_secret_access_key: Option<String>,
    /// `AWS_SESSION_TOKEN`.
    pub aws_session_token: Option<String>,
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub aws_region: Option<String>,
    /// The cache of the Hugging Face hub: `HF_HUB_CACHE`, else `HF_HOME/hub`, else
    /// `~/.cache/huggingface/hub`.
    pub hub_cache: Option<PathBuf>,
    /// `HF_ENDPOINT`: another hub than the public one.
    pub hub_endpoint: Option<String>,
    /// `HF_TOKEN`, else what the hub's tools keep in `HF_HOME/token`.
    pub hub_token: Option<String>,
    /// `HF_HUB_OFFLINE` is 1, on, yes or true: nothing is downloaded.
    pub hub_offline: bool,
    /// The program `penstock-worker` beside this one, else by its name in `PATH`.
    pub worker: PathBuf,
    /// `NO_COLOR` is set and not empty: no colours.
    pub no_color: bool,
    /// `PENSTOCK_LOG`: what is logged, in the syntax of tracing's `EnvFilter`.
    pub log: Option<String>,
}

/// The file name of the program that runs a model for one GPU.
const WORKER: &str = if cfg!(windows) {
    "penstock-worker.exe"
} else {
    "penstock-worker"
};

impl Environment {
    /// Reads the process environment. Called by `main` alone.
    #[must_use]
    pub fn read() -> Self {
        let get = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let hub = get("HF_HOME").map(PathBuf::from).or_else(|| {
            let cache = get("XDG_CACHE_HOME").map(PathBuf::from);
            let cache = cache.or_else(|| Some(PathBuf::from(get("HOME")?).join(".cache")));
            Some(cache?.join("huggingface"))
        });
        let is_on = |value: String| {
            ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str())
        };
        Self {
            aws_access_key_id: get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key: get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token: get("AWS_SESSION_TOKEN"),
            aws_region: get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION")),
            hub_cache: get("HF_HUB_CACHE")
                .map(PathBuf::from)
                .or_else(|| Some(hub.as_ref()?.join("hub"))),
            hub_endpoint: get("HF_ENDPOINT"),
            hub_token: get("HF_TOKEN")
                .or_else(|| std::fs::read_to_string(hub.as_ref()?.join("token")).ok())
                .map(|token| token.trim().to_owned())
                .filter(|token| !token.is_empty()),
            hub_offline: get("HF_HUB_OFFLINE").is_some_and(is_on),
            worker: std::env::current_exe()
                .ok()
                .and_then(|program| Some(program.parent()?.join(WORKER)))
                .filter(|program| program.is_file())
                .unwrap_or_else(|| PathBuf::from(WORKER)),
            no_color: get("NO_COLOR").is_some(),
            log: get("PENSTOCK_LOG"),
        }
    }
}
