//! The suite that every place must pass.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use penstock_store::{
    DeleteOptions, FeatureOptions, IndexRequest, LoadMode, LoadOptions, Scan, Store, StoreError,
    StoreOptions, VerifyProblem, VerifyScope, VersionRef,
};
use penstock_types::{ErrorCode, FeatureSpec, Kind, TagName, columns};

use crate::rows::{
    batch, contents, encode, feature_sum, load, load_proteins, proteins, record, spec, table,
    window, with_feature,
};
use crate::s3::S3Server;

/// A place for tables, and how to open it again as another process would.
pub(crate) enum Place {
    Local(tempfile::TempDir),
    S3(S3Server),
}

impl Place {
    pub(crate) async fn store(&self) -> Store {
        match self {
            Self::Local(folder) => {
                let root = folder.path().to_str().unwrap();
                Store::open(root, StoreOptions::default()).await.unwrap()
            }
            Self::S3(server) => Store::open(&server.uri("root"), server.options())
                .await
                .unwrap(),
        }
    }

    fn folder(&self) -> PathBuf {
        match self {
            Self::Local(folder) => folder.path().to_owned(),
            Self::S3(server) => server.folder("root"),
        }
    }
}

macro_rules! suite {
    ($($test:ident)*) => {
        mod local {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::conformance::Place::Local(tempfile::tempdir().unwrap())).await;
            })*
        }
        mod s3 {
            use crate::s3::{Conditions, S3Server};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::conformance::Place::S3(S3Server::start(Conditions::Honoured).await)).await;
            })*
        }
    };
}

fn keyed(key: &str) -> LoadOptions {
    LoadOptions {
        key: Some(key.into()),
        ..LoadOptions::default()
    }
}

mod features;
mod loads;
mod rows;
mod upkeep;
mod writers;
