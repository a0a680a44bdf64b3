use arrow::array::RecordBatch;
use penstock_graph::Named;
use penstock_graph::rows::{Origin, write};
use penstock_pattern::{GraphBuilder, PatternEdge, PatternVertex};

use super::*;
use crate::{Encoders, EngineOptions, LoadRequest};

const GRAPHS: u32 = 12;
const RING: u32 = 30;

/// A ring with chords whose labels differ from graph to graph; directed where wanted.
fn rows(graph: u32, directed: bool) -> Vec<RecordBatch> {
    let mut edges: Vec<(u32, u32)> = (1..RING).map(|v| (v - 1, v)).collect();
    edges.push((RING - 1, 0));
    edges.extend((0..RING - 7).step_by(5).map(|v| (v, v + 7)));
    let builder = GraphBuilder {
        directed,
        labels: (0..RING).map(|v| (v * v + graph * v / 3) % 6).collect(),
        edges,
        vertex_names: Some(["A", "C", "D", "E", "F", "G"].iter().collect()),
        ..GraphBuilder::default()
    };
    let named = Named {
        id: format!("ring{graph}"),
        description: None,
        graph: builder.build().unwrap(),
        names: Vec::new(),
        positions: Vec::new(),
    };
    let rows = write(named, Origin::default()).unwrap();
    rows.map(Result::unwrap).collect()
}

async fn filled(root: &str, graph_bytes: Option<u64>, directed: bool) -> Engine {
    let options = EngineOptions {
        graph_bytes,
        ..EngineOptions::default()
    };
    let engine = Engine::open(root, options).await.unwrap();
    let request = LoadRequest {
        table: table(),
        kind: Kind::Graph,
        encoders: Encoders::Default,
        key: None,
    };
    let all: Vec<_> = (0..GRAPHS)
        .flat_map(|graph| rows(graph, directed))
        .map(Ok)
        .collect();
    engine
        .load(request, all.into_iter(), &Task::default())
        .await
        .unwrap();
    engine
}

fn table() -> TableName {
    "rings".parse().unwrap()
}

/// An arc of a ring with the chord over it.
fn arc(graph: &str) -> SimilarRequest {
    let part = SimilarPattern::Part {
        graph: graph.to_owned(),
        part: MotifPart::Vertices((5..13).collect()),
    };
    SimilarRequest::new(table(), part)
}

#[tokio::test(flavor = "multi_thread")]
async fn graphs_read_in_lots_give_the_same_places() {
    for directed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        let whole = filled(root, None, directed).await;
        let task = Task::default();
        let early = whole.match_similar(arc("ring3"), &task).await.unwrap_err();
        assert!(matches!(early, Error::NoVertexVectors { .. }), "{early}");
        whole
            .encode(&table(), "graph-sage-v1", &task)
            .await
            .unwrap();
        // Frequencies of labels are not known where the graphs do not all fit: the same anchors
        // only if all vertices are.
        let ask = || {
            let mut request = arc("ring3");
            request.anchors = 8;
            request.limit = 50;
            request.min_score = 0.3;
            request
        };
        let expected = whole.match_similar(ask(), &task).await.unwrap();
        assert_eq!(expected.matches[0].graph, "ring3");
        assert_eq!(expected.matches[0].score, 1.0);
        let own: Vec<Option<u32>> = (5..13).map(Some).collect();
        // The ring repeats itself: the part is at another place too.
        let same = |found: &SimilarMatch| found.score == 1.0 && found.vertices == own;
        assert!(expected.matches.iter().any(same));
        assert!(expected.matches[0].distance < 0.5);
        assert!(expected.graphs_searched > 4 && expected.matches.len() > 10);
        // About two graphs at a time.
        let options = EngineOptions {
            graph_bytes: Some(5_000),
            ..EngineOptions::default()
        };
        let parts = Engine::open(root, options).await.unwrap();
        let found = parts.match_similar(ask(), &task).await.unwrap();
        // Vertices have other numbers in memory, by which places are cut that are equally bad.
        let good = |answer: &SimilarAnswer| {
            let good = answer.matches.iter().filter(|found| found.score > 0.9);
            good.cloned().collect::<Vec<_>>()
        };
        assert!(good(&found).len() > 10);
        assert_eq!(good(&found), good(&expected));
        assert_eq!(found.graphs_searched, expected.graphs_searched);

        // The index in memory leads to the same.
        whole
            .warm(&table(), &found.column, Metric::Cosine, &task)
            .await
            .unwrap();
        let mut hot = ask();
        hot.tier = Some(Tier::Hot);
        let hot = whole.match_similar(hot, &task).await.unwrap();
        assert_eq!(hot.plan.tier, Tier::Hot);
        // Distances of the index are rounded otherwise, so equals may change places.
        assert_eq!(hot.matches[0].score, 1.0);
        assert!(hot.matches.iter().any(same));

        // Within other graphs and rows only.
        let mut within = ask();
        within.graphs = Some(vec!["ring1".to_owned(), "ring'2".to_owned()]);
        within.filter = Some("label = 'A' OR label = 'C'".to_owned());
        let within = whole.match_similar(within, &task).await.unwrap();
        assert_eq!(within.graphs_searched, 1);
        assert!(within.matches.iter().all(|found| found.graph == "ring1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_cancelled_ends() {
    let folder = tempfile::tempdir().unwrap();
    let engine = filled(folder.path().to_str().unwrap(), None, false).await;
    let task = Task::default();
    engine
        .encode(&table(), "graph-sage-v1", &task)
        .await
        .unwrap();
    task.cancel.cancel();
    let stopped = engine.match_similar(arc("ring3"), &task).await.unwrap_err();
    assert!(matches!(stopped, Error::Cancelled), "{stopped}");
    let mut late = arc("ring3");
    late.deadline = Some(Duration::ZERO);
    let late = engine.match_similar(late, &Task::default()).await.unwrap();
    assert_eq!(late.stopped, Some(Stopped::Deadline));
    assert!(late.matches.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let engine = filled(folder.path().to_str().unwrap(), None, false).await;
    let task = Task::default();
    engine
        .encode(&table(), "graph-sage-v1", &task)
        .await
        .unwrap();
    let edge = PatternEdge {
        from: 0,
        to: 1,
        ..PatternEdge::default()
    };
    let vertices = vec![PatternVertex::default(); 2];
    let directed = Pattern::new(true, vertices.clone(), vec![edge]).unwrap();
    let request = SimilarRequest::new(table(), SimilarPattern::Pattern(directed));
    let error = engine.match_similar(request, &task).await.unwrap_err();
    assert!(
        matches!(error, Error::Pattern(PatternError::Direction { .. })),
        "{error}"
    );
    let apart = Pattern::new(false, vertices, Vec::new()).unwrap();
    let request = SimilarRequest::new(table(), SimilarPattern::Pattern(apart));
    let error = engine.match_similar(request, &task).await.unwrap_err();
    assert!(matches!(error, Error::NoAnchor), "{error}");
    let error = engine.match_similar(arc("none"), &task).await.unwrap_err();
    assert!(matches!(error, Error::NoSuchRow { .. }), "{error}");
    let mut request = arc("ring0");
    request.column = Some("other".to_owned());
    let error = engine.match_similar(request, &task).await.unwrap_err();
    assert!(matches!(error, Error::NoSuchColumn { .. }), "{error}");
}
