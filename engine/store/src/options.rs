//! How a store is opened.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

/// Where and how the store is reached. The crate reads no environment; whoever starts the program
/// fills this in. The caches are bounds in bytes and are shared by all tables of the store.
#[derive(Clone)]
pub struct StoreOptions {
    /// URL of an S3-compatible server; `None` for AWS.
    pub endpoint: Option<String>,
    /// Region; needed with an endpoint by some servers, `us-east-1` where none is given.
    pub region: Option<String>,
    /// Access key.
    pub access_key_id: Option<String>,
    /// Secret key.
    pub secret_access_key: Option<String>,
    /// Token of temporary credentials.
    pub session_token: Option<String>,
    /// Whether plain HTTP is allowed.
    pub allow_http: bool,
    /// Whether the bucket is part of the host name.
    pub virtual_hosted_style: bool,
    /// Whether an S3 store must prove, when it is opened, that conditional writes work.
    pub probe: bool,
    /// Bound of the index cache.
    pub index_cache_bytes: usize,
    /// Bound of the cache of file metadata.
    pub metadata_cache_bytes: usize,
    /// The name that leases show; `None` for the process's number.
    pub owner: Option<String>,
    /// Where large loads spill; `None` for the system's folder of temporary files.
    pub temp_dir: Option<PathBuf>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            allow_http: false,
            virtual_hosted_style: false,
            probe: true,
            index_cache_bytes: 256 << 20,
            metadata_cache_bytes: 64 << 20,
            owner: None,
            temp_dir: None,
        }
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field(
                "credentials",
                &self.access_key_id.as_ref().map(|_| "hidden"),
            )
            .field("allow_http", &self.allow_http)
            .field("virtual_hosted_style", &self.virtual_hosted_style)
            .field("probe", &self.probe)
            .field("index_cache_bytes", &self.index_cache_bytes)
            .field("metadata_cache_bytes", &self.metadata_cache_bytes)
            .field("owner", &self.owner)
            .field("temp_dir", &self.temp_dir)
            .finish()
    }
}

impl StoreOptions {
    /// The words that Lance and object_store know these options by.
    pub(crate) fn storage_options(&self) -> HashMap<String, String> {
        let mut options = HashMap::new();
        let mut set = |key: &str, value: &Option<String>| {
            if let Some(value) = value {
                options.insert(key.to_owned(), value.clone());
            }
        };
        set("endpoint", &self.endpoint);
        set("access_key_id", &self.access_key_id);
        set("secret_access_key", &self.secret_access_key);
        set("session_token", &self.session_token);
        let region = self
            .region
            .clone()
            .unwrap_or_else(|| "us-east-1".to_owned());
        set("region", &Some(region));
        set("allow_http", &Some(self.allow_http.to_string()));
        set(
            "virtual_hosted_style_request",
            &Some(self.virtual_hosted_style.to_string()),
        );
        options
    }

    /// The name that leases show.
    pub(crate) fn owner(&self) -> String {
        self.owner
            .clone()
            .unwrap_or_else(|| format!("process {}", std::process::id()))
    }

    /// Where large loads spill.
    pub(crate) fn temp_dir(&self) -> PathBuf {
        self.temp_dir.clone().unwrap_or_else(std::env::temp_dir)
    }
}
