use std::collections::HashMap;

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::Float32Type;
use penstock_graph::Named;
use penstock_graph::rows::{Origin, write};
use penstock_pattern::GraphBuilder;
use penstock_types::{Kind, Metric};

use super::*;
use crate::{Encoders, EngineOptions, LoadRequest, SearchInput, SearchRequest};

const ENCODER: &str = "graph-sage-v1";
const COLUMN: &str = "graph_sage_v1";

struct Place {
    _folder: tempfile::TempDir,
    engine: Engine,
    table: TableName,
}

/// A graph by its labels and edges.
struct Given {
    id: &'static str,
    directed: bool,
    labels: Vec<u32>,
    edges: Vec<(u32, u32)>,
}

const NAMES: [&str; 4] = ["A", "C", "", "kinase"];

/// A ring with chords, whose vertices differ from graph to graph.
fn ring(id: &'static str, vertices: u32, chord: u32) -> Given {
    let mut edges: Vec<(u32, u32)> = (1..vertices).map(|v| (v - 1, v)).collect();
    edges.push((0, vertices - 1));
    edges.extend((0..vertices - chord).step_by(5).map(|v| (v, v + chord)));
    Given {
        id,
        directed: false,
        labels: (0..vertices).map(|v| v * v % 4).collect(),
        edges,
    }
}

impl Given {
    fn rows(&self) -> Vec<RecordBatch> {
        let builder = GraphBuilder {
            directed: self.directed,
            labels: self.labels.clone(),
            edges: self.edges.clone(),
            vertex_names: Some(NAMES.iter().collect()),
            ..GraphBuilder::default()
        };
        let named = Named {
            id: self.id.to_owned(),
            description: None,
            graph: builder.build().unwrap(),
            names: Vec::new(),
            positions: Vec::new(),
        };
        let rows = write(named, Origin::default()).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// What the encoder gives when it is called on this graph.
    fn vectors(&self) -> Vec<Vec<f32>> {
        let mut edges: Vec<(u32, u32)> = self
            .edges
            .iter()
            .flat_map(|(a, b)| [(*a, *b), (*b, *a)])
            .collect();
        edges.sort_unstable();
        edges.dedup();
        let graph = Graph::from_edges(self.labels.len(), &edges).unwrap();
        let labels: Vec<_> = self
            .labels
            .iter()
            .map(|l| Some(NAMES[*l as usize]))
            .collect();
        let encoder = penstock_embed::default_for(Kind::Graph).unwrap();
        let vectors = encoder.vertices(&graph, &labels).unwrap();
        vectors.chunks(96).map(<[f32]>::to_vec).collect()
    }
}

impl Place {
    async fn new(graph_bytes: Option<u64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = EngineOptions {
            graph_bytes,
            ..EngineOptions::default()
        };
        let root = folder.path().to_str().unwrap().to_owned();
        Self {
            engine: Engine::open(&root, options).await.unwrap(),
            _folder: folder,
            table: "graphs".parse().unwrap(),
        }
    }

    async fn load(&self, graphs: &[Given]) {
        let rows: Vec<_> = graphs.iter().flat_map(Given::rows).map(Ok).collect();
        let request = LoadRequest {
            table: self.table.clone(),
            kind: Kind::Graph,
            encoders: Encoders::Default,
            key: None,
        };
        let task = Task::default();
        self.engine
            .load(request, rows.into_iter(), &task)
            .await
            .unwrap();
    }

    async fn encode(&self) -> Result<crate::EncodeOutcome, Error> {
        let task = Task::default();
        self.engine.encode(&self.table, ENCODER, &task).await
    }

    /// The vectors of all rows by id.
    async fn stored(&self) -> HashMap<String, Option<Vec<f32>>> {
        let table = self.engine.store().table(&self.table).await.unwrap();
        let scan = Scan::columns([columns::ID, COLUMN]);
        let batches: Vec<RecordBatch> =
            table.scan(scan).await.unwrap().try_collect().await.unwrap();
        let mut stored = HashMap::new();
        for batch in batches {
            let ids = batch.column(0).as_string::<i32>();
            let vectors = batch.column(1).as_fixed_size_list();
            for row in 0..batch.num_rows() {
                let vector = vectors.is_valid(row).then(|| {
                    let values = vectors.value(row);
                    values.as_primitive::<Float32Type>().values().to_vec()
                });
                stored.insert(ids.value(row).to_owned(), vector);
            }
        }
        stored
    }

    async fn check(&self, graphs: &[Given]) {
        let stored = self.stored().await;
        let mut rows = 0;
        for graph in graphs {
            assert_eq!(stored[graph.id], None);
            for (vertex, expected) in graph.vectors().into_iter().enumerate() {
                let id = format!("{}/{vertex}", graph.id);
                assert_eq!(stored[&id].as_ref(), Some(&expected), "{id}");
            }
            rows += 1 + graph.labels.len();
        }
        assert_eq!(stored.len(), rows);
    }
}

fn graphs() -> Vec<Given> {
    let mut directed = ring("directed", 30, 7);
    directed.directed = true;
    directed.edges.push((1, 0)); // both ways between these two
    vec![
        ring("a", 40, 3),
        directed,
        ring("b", 25, 2),
        ring("it's", 3, 1),
    ]
}

#[tokio::test]
async fn vertices_have_the_vectors_of_their_graphs() {
    let place = Place::new(None).await;
    let mut given = graphs();
    given[3].edges.pop();
    place.load(&given).await;
    let encoded = place.encode().await.unwrap();
    assert_eq!((encoded.rows_encoded, encoded.rows_empty), (98, 4));
    assert_eq!(encoded.column, COLUMN);
    place.check(&given).await;
    // Nothing lacks a vector: no new version.
    let again = place.encode().await.unwrap();
    assert_eq!((again.version, again.rows_encoded), (encoded.version, 0));
}

#[tokio::test]
async fn a_graph_that_changed_is_encoded_anew() {
    let place = Place::new(None).await;
    place.load(&[ring("a", 40, 3), ring("b", 25, 2)]).await;
    place.encode().await.unwrap();
    let before = place.stored().await;

    let mut changed = ring("b", 25, 2);
    changed.edges.push((3, 17));
    let now = [ring("a", 40, 3), changed, ring("c", 12, 4)];
    place.load(&now).await;
    // No vector of a graph that was is left: one edge changes vectors of rows that say the same.
    let loaded = place.stored().await;
    for (id, vector) in &loaded {
        match id.strip_prefix("a/") {
            Some(_) => assert_eq!(vector, &before[id]),
            None => assert_eq!(*vector, None, "{id}"),
        }
    }
    let task = Task::default();
    let encoded = place
        .engine
        .encode(&place.table, ENCODER, &task)
        .await
        .unwrap();
    assert_eq!(encoded.rows_encoded, 37);
    assert_eq!(task.progress.snapshot().items, 37);
    place.check(&now).await;
}

#[tokio::test]
async fn memory_is_bounded_and_graphs_that_do_not_fit_are_refused() {
    let given = graphs();
    let encoder = penstock_embed::default_for(Kind::Graph).unwrap();
    let sizes = given[..3].iter().map(|graph| {
        let head = Head {
            id: graph.id.into(),
            directed: graph.directed,
            vertices: graph.labels.len() as u32,
            edges: graph.edges.len() as u64,
        };
        bytes(&head, &*encoder)
    });
    let largest = sizes.max().unwrap();
    let place = Place::new(Some(largest)).await;
    place.load(&given[..3]).await;
    place.encode().await.unwrap();
    place.check(&given[..3]).await;

    let place = Place::new(Some(largest - 1)).await;
    place.load(&given[..3]).await;
    let error = place.encode().await.unwrap_err();
    assert!(
        matches!(error, Error::TooMuch { given, .. } if given == largest),
        "{error}"
    );
}

#[tokio::test]
async fn a_cancelled_run_leaves_nothing() {
    let place = Place::new(None).await;
    place.load(&graphs()[..3]).await;
    let task = Task::default();
    task.cancel.cancel();
    let error = place
        .engine
        .encode(&place.table, ENCODER, &task)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    let table = place.engine.store().table(&place.table).await.unwrap();
    assert!(table.features().is_empty());
}

#[tokio::test]
async fn a_load_leaves_whole_graphs_to_encode() {
    let place = Place::new(None).await;
    let request = LoadRequest {
        table: place.table.clone(),
        kind: Kind::Graph,
        encoders: Encoders::Named(vec![ENCODER.to_owned()]),
        key: None,
    };
    let none = std::iter::empty();
    let error = place
        .engine
        .load(request, none, &Task::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("whole graphs"), "{error}");
    place.load(&graphs()[..1]).await;
    let name = place.engine.default_encoder(&place.table).await.unwrap();
    assert_eq!(name, ENCODER);
}

#[tokio::test]
async fn equal_neighbourhoods_are_near_by_scan_and_by_index() {
    let place = Place::new(None).await;
    // The same ring twice, numbered from another vertex on.
    let mut given = ring("a", 60, 3);
    given.labels[11] = 3;
    let turn = |v: u32| (v + 23) % 60;
    let mut turned = ring("turned", 60, 3);
    turned.edges = given
        .edges
        .iter()
        .map(|(a, b)| (turn(*a).min(turn(*b)), turn(*a).max(turn(*b))))
        .collect();
    for (vertex, label) in given.labels.iter().enumerate() {
        turned.labels[turn(vertex as u32) as usize] = *label;
    }
    place.load(&[given, turned]).await;
    place.encode().await.unwrap();
    let near = async |exact: bool| -> Vec<(String, f32)> {
        let input = SearchInput::Id("a/11".to_owned());
        let mut request = SearchRequest::new(place.table.clone(), input);
        request.filter = Some("parent = 'turned'".to_owned());
        (request.k, request.exact) = (3, exact);
        let answer = place.engine.search(request).await.unwrap();
        let hits = answer.hits;
        let ids = hits.column_by_name(columns::ID).unwrap().as_string::<i32>();
        let distances = hits.column_by_name("distance").unwrap();
        let distances = distances.as_primitive::<Float32Type>();
        ids.iter()
            .zip(distances.values())
            .map(|(id, distance)| (id.unwrap().to_owned(), *distance))
            .collect()
    };
    let exact = near(true).await;
    assert_eq!(exact[0].0, "turned/34");
    assert!(exact[0].1.abs() < 1e-6, "{exact:?}");
    let engine = &place.engine;
    let warm = engine.warm(&place.table, COLUMN, Metric::Cosine, &Task::default());
    warm.await.unwrap();
    assert_eq!(near(false).await[0], exact[0]);
}
