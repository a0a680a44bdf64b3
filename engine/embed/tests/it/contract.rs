//! What holds for every encoder.

use arrow::array::RecordBatch;
use penstock_embed::{Graph, all, default_for, encode_sequence};
use penstock_types::{ErrorCode, FeatureSpec, Kind, columns};

use crate::common::{by_name, encode, meshes, sequences};

/// A digest changes when a constant does. Then vectors change too, and the encoder needs a new
/// version in its name; a golden vector below would fail with it.
#[test]
fn digests_are_pinned() {
    let digests: Vec<_> = all()
        .iter()
        .map(|e| (e.spec().encoder.clone(), e.spec().weights.clone()))
        .collect();
    let pinned = [
        (
            "protein-kmer-v1",
            "4061e366a26df19befafee67d4cdde38897e4a55373462b2f5a614813e6bfe55",
        ),
        (
            "dna-kmer-v1",
            "d0073ebb4156318312e4f1d6b708c444b2f043543ea6129e54d0dcf0afd0299c",
        ),
        (
            "mesh-shape-v1",
            "ffe90d3ad4b189d44d28a14ba187bfa3c2a56ec94d94d937a7c5a9bcf1258bda",
        ),
        (
            "graph-sage-v1",
            "2641b69a66b7d6c7f206cddc553b75e6893a229eed141472beda69bba3290927",
        ),
    ]
    .map(|(name, digest)| (name.to_owned(), digest.to_owned()));
    assert_eq!(digests, pinned);
}

#[test]
fn specs_fit_the_column_contract() {
    for encoder in all() {
        let field = encoder.spec().field();
        assert_eq!(
            FeatureSpec::of(&field).unwrap().as_ref(),
            Some(encoder.spec())
        );
        let of_graphs = encoder.kind() == Kind::Graph;
        let dim = if of_graphs { 96 } else { 256 };
        assert_eq!(encoder.spec().dim.get(), dim);
        let schema = columns::schema(encoder.kind());
        for column in encoder.columns() {
            assert!(schema.field_with_name(column).is_ok(), "{column}");
        }
        // Every encoder takes an empty batch with the contract's own types.
        let empty = RecordBatch::new_empty(schema);
        if of_graphs {
            let error = encoder.encode(&empty).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidArgument);
            assert!(error.to_string().contains("whole graphs"), "{error}");
        } else {
            assert_eq!(encode(&encoder.spec().encoder, &empty).len(), 0);
            let graph = Graph::from_edges(1, &[]).unwrap();
            let error = encoder.vertices(&graph, &[None]).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidArgument);
            assert!(
                error.to_string().contains("reads records, not graphs"),
                "{error}"
            );
        }
        assert!(!encoder.describe().is_empty());
    }
    for kind in Kind::ALL {
        assert_eq!(default_for(kind).map(|encoder| encoder.kind()), Some(kind));
    }
}

#[test]
fn unknown_names_list_the_known_ones() {
    let error = by_name("protein-kmer-v0").err().unwrap();
    assert_eq!(error.code(), ErrorCode::NotFound);
    let text = error.to_string();
    let listed = "there is no encoder `protein-kmer-v0`; the encoders are protein-kmer-v1, \
                  dna-kmer-v1, mesh-shape-v1, graph-sage-v1.";
    assert!(text.starts_with(listed), "{text}");
    assert!(text.contains("PENSTOCK_CHECKPOINTS"), "{text}");
}

#[test]
fn the_wrong_batch_is_refused() {
    let batch = meshes(&[]);
    let error = by_name("dna-kmer-v1").unwrap().encode(&batch).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    assert!(error.to_string().contains("`sequence`"), "{error}");
    let batch = sequences(&["ACGT"]);
    let batch = RecordBatch::try_from_iter([
        (columns::VERTICES, batch.column(0).clone()),
        (columns::FACES, batch.column(0).clone()),
    ])
    .unwrap();
    let error = by_name("mesh-shape-v1")
        .unwrap()
        .encode(&batch)
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    assert!(error.to_string().contains("`vertices`"), "{error}");
}

#[test]
fn a_typed_query_is_the_same_as_a_row() {
    let rows = encode("protein-kmer-v1", &sequences(&["MKTAYIAKQRQISFVK"]));
    let encoder = default_for(Kind::Protein).unwrap();
    let query = encode_sequence(&*encoder, "mktay iakqr\nqisfvk").unwrap();
    assert_eq!(query, rows[0]);
    assert_eq!(encode_sequence(&*encoder, " ").unwrap(), None);
    for kind in [Kind::Mesh, Kind::Graph] {
        assert!(encode_sequence(&*default_for(kind).unwrap(), "ACGT").is_err());
    }
}
