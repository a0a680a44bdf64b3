//! The start-up probe: a store that loses commits is refused.

use penstock_store::{Store, StoreError, StoreOptions};
use penstock_types::ErrorCode;

use crate::s3::{Conditions, S3Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_ignores_conditions_is_refused() {
    let server = S3Server::start(Conditions::Ignored).await;
    let options = StoreOptions {
        probe: true,
        ..server.options()
    };
    let error = Store::open(&server.uri("root"), options).await.unwrap_err();
    assert!(
        matches!(error, StoreError::UnsafeStore { winners, .. } if winners > 1),
        "{error}"
    );
    assert_eq!(error.code(), ErrorCode::Unsupported);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_honours_conditions_is_taken() {
    let server = S3Server::start(Conditions::Honoured).await;
    let options = StoreOptions {
        probe: true,
        ..server.options()
    };
    let store = Store::open(&server.uri("root"), options).await.unwrap();
    assert_eq!(store.objects().list("").await.unwrap(), []);
}

#[tokio::test]
async fn a_root_that_is_none_is_refused() {
    for uri in ["", "s3://", "gs://bucket/x", "http://127.0.0.1/x"] {
        let error = Store::open(uri, StoreOptions::default()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{uri}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_not_there_is_named() {
    let server = S3Server::start(Conditions::Honoured).await;
    let options = StoreOptions {
        probe: true,
        ..server.options()
    };
    let error = Store::open("s3://no-such-bucket/root", options)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound, "{error}");
    assert!(error.to_string().contains("no-such-bucket"), "{error}");
}
