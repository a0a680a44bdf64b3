//! `openapi/openapi.json` is what the handlers say.

use std::path::PathBuf;

use serde_json::Value;

#[test]
fn the_committed_document_is_the_servers() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../openapi/openapi.json");
    let now = penstock_server::http::openapi_json();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == now,
        "openapi/openapi.json is not what the server answers: UPDATE=1 cargo test -p \
         penstock-server document writes it"
    );
}

#[test]
fn every_operation_is_described() {
    let document: Value = serde_json::from_str(&penstock_server::http::openapi_json()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 20);
    let mut operations = std::collections::BTreeSet::new();
    for (path, item) in paths {
        assert!(!path.contains('*'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(
                operations.insert(id),
                "{place}: its operationId is used twice"
            );
            assert!(operation["summary"].is_string(), "{place}");
            assert!(!operation["tags"].as_array().unwrap().is_empty(), "{place}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{place}"
            );
            for status in ["500", "503"] {
                assert!(responses.contains_key(status), "{place}: {status}");
            }
            for name in path
                .split('{')
                .skip(1)
                .filter_map(|rest| rest.split('}').next())
            {
                let named = operation["parameters"].as_array().unwrap().iter();
                assert!(
                    named
                        .clone()
                        .any(|p| p["name"] == name && p["in"] == "path"),
                    "{place}: {name}"
                );
                assert!(responses.contains_key("404"), "{place}");
            }
        }
    }
}
