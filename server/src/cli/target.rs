//! Who answers: a store that this process opens, or a server.

use std::path::Path;
use std::sync::Arc;

use penstock::encoding::hub::ENDPOINT;
use penstock::encoding::{Download, Encoder, Hub, Registry, RegistryOptions, WorkerOptions};
use penstock::index::HotOptions;
use penstock::store::StoreOptions;
use penstock::{Engine, EngineOptions};
use penstock_client::Client;

use super::{CliError, Context, download};

/// Who answers a command.
pub(super) enum Target {
    /// A store opened here.
    Local(Engine),
    /// A server elsewhere.
    Remote(Client),
}

/// Whether a store may be made where there is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// It is made.
    Create,
    /// It is an error: whoever asks a store that is not there has mistaken the place.
    Fail,
}

/// What an encoder's name may be, beside that of an encoder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// The path of a checkpoint, or a model of the hub, which is downloaded when it is not here:
    /// whoever asks sits at this machine.
    Paths,
    /// The name of a checkpoint in the folder that was given: whoever asks is elsewhere.
    Plain {
        /// Whether requests may make this machine download models.
        download: bool,
    },
}

impl Context<'_> {
    /// The server that was named, else the store.
    pub(super) async fn target(&self, absent: Absent) -> Result<Target, CliError> {
        match self.server()? {
            Some(client) => Ok(Target::Remote(client)),
            None => Ok(Target::Local(self.engine(absent).await?)),
        }
    }

    /// The server that was named.
    pub(super) fn server(&self) -> Result<Option<Client>, CliError> {
        Ok(match &self.global.server {
            Some(url) => Some(Client::new(url)?),
            None => None,
        })
    }

    /// The store, opened here.
    pub(super) async fn engine(&self, absent: Absent) -> Result<Engine, CliError> {
        let uri = &self.global.store;
        if absent == Absent::Fail && !uri.contains("://") && !Path::new(uri).is_dir() {
            return Err(CliError::NoStore { uri: uri.clone() });
        }
        self.open(uri, Names::Paths, HotOptions::default()).await
    }

    pub(super) async fn open(
        &self,
        uri: &str,
        names: Names,
        hot: HotOptions,
    ) -> Result<Engine, CliError> {
        let options = EngineOptions {
            store: self.store_options(),
            encoders: Arc::new(self.registry(names)),
            hot,
            dominance: self.global.dominance,
            ..EngineOptions::default()
        };
        Ok(Engine::open(uri, options).await?)
    }

    /// Where this command's encoders come from.
    pub(super) fn registry(&self, names: Names) -> Registry {
        Registry::new(RegistryOptions {
            root: self.global.checkpoints.clone(),
            hub_cache: self.environment.hub_cache.clone(),
            paths: names == Names::Paths,
            download: self.download(names),
            workers: (!self.global.workers.is_empty()).then(|| WorkerOptions {
                program: self.environment.worker.clone(),
                devices: self.global.workers.clone(),
            }),
        })
    }

    fn download(&self, names: Names) -> Download {
        let report = match names {
            _ if self.is_offline() => return Download::Never,
            Names::Paths => download::shown(*self.ui),
            Names::Plain { download: true } => Some(download::logged()),
            Names::Plain { download: false } => return Download::Never,
        };
        let environment = &self.environment;
        Download::From(Hub {
            endpoint: environment
                .hub_endpoint
                .clone()
                .unwrap_or_else(|| ENDPOINT.to_owned()),
            token: environment.hub_token.clone(),
            report,
            ..Hub::default()
        })
    }

    /// Whether nothing may be downloaded.
    pub(super) const fn is_offline(&self) -> bool {
        self.global.offline || self.environment.hub_offline
    }

    /// Says what whoever chose an encoder should know of its weights.
    pub(super) fn note_weights(&self, registry: &Registry, name: &str, encoder: &dyn Encoder) {
        if !self.ui.wants_json()
            && let Some(commit) = registry.commit(name)
        {
            self.ui
                .note(&format!("{} is at commit {commit}", encoder.spec().encoder));
        }
        self.ui.note_licence(encoder.spec().licence.as_deref());
    }

    fn store_options(&self) -> StoreOptions {
        let (global, environment) = (&self.global, &self.environment);
        let endpoint = global.s3_endpoint.clone();
        StoreOptions {
            allow_http: endpoint
                .as_deref()
                .is_some_and(|url| url.starts_with("http://")),
            endpoint,
            region: global
                .s3_region
                .clone()
                .or_else(|| environment.aws_region.clone()),
            access_key_id: environment.aws_access_key_id.clone(),
            secret_access_key: environment.aws_secret_access_key.clone(),
            session_token: environment.aws_session_token.clone(),
            ..StoreOptions::default()
        }
    }

    /// Commands that only make sense on a store opened here.
    pub(super) fn refuse_server(&self, command: &str) -> Result<(), CliError> {
        match &self.global.server {
            None => Ok(()),
            Some(_) => Err(CliError::usage(format!(
                "`{command}` works on a store of this machine; leave out --server (and \
                 PENSTOCK_SERVER)"
            ))),
        }
    }
}
