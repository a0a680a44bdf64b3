use penstock_index::{Made, SearchRequest, search};
use penstock_types::{ErrorCode, Metric, Probe};

use crate::data::{COLUMN, Fixture, clustered, hits, some};

const DIM: usize = 24;

async fn fixture() -> (Fixture, Vec<Option<Vec<f32>>>) {
    let mut vectors = some(clustered(3_000, DIM, 7));
    vectors[10] = None;
    vectors[11] = Some(vec![0.0; DIM]);
    // Twins: the second has the smaller distance to nothing, only a later id.
    vectors[200] = vectors[100].clone();
    vectors[300] = vectors[100].clone();
    let mut fixture = Fixture::new(DIM).await;
    fixture.append(&vectors[..2_000]).await;
    fixture.append(&vectors[2_000..]).await;
    (fixture, vectors)
}

/// What the answer must be, computed the long way.
fn expected(
    vectors: &[Option<Vec<f32>>],
    request: &SearchRequest,
    keep: impl Fn(usize) -> bool,
) -> Vec<(String, f32)> {
    let probe = Probe::new(request.metric.unwrap_or_default(), &request.vector);
    let mut all: Vec<_> = vectors
        .iter()
        .enumerate()
        .filter(|(i, _)| keep(*i))
        .filter_map(|(i, v)| Some((format!("p{i:06}"), probe.distance(v.as_ref()?)?)))
        .collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(request.k);
    all
}

#[tokio::test]
async fn answers_are_the_true_ones() {
    let (fixture, vectors) = fixture().await;
    let table = fixture.table().await;
    let query = clustered(1, DIM, 99).remove(0);
    for metric in Metric::ALL {
        for k in [1, 10, 5_000] {
            let mut request = SearchRequest::new(COLUMN, query.clone(), k);
            request.metric = Some(metric);
            let answer = search(&table, &request).await.unwrap();
            assert_eq!(hits(&answer.batch), expected(&vectors, &request, |_| true));
            assert!(answer.exact);
            assert_eq!(answer.version, table.version());
            assert_eq!(answer.unindexed_rows, 3_000);
            let no_distance = 1 + usize::from(metric == Metric::Cosine);
            assert_eq!(answer.candidates, 3_000 - no_distance as u64);

            request.filter = Some("length >= 1000 AND length < 1005".into());
            let answer = search(&table, &request).await.unwrap();
            let found = hits(&answer.batch);
            assert_eq!(found.len(), k.min(5));
            assert_eq!(
                found,
                expected(&vectors, &request, |i| (1_000..1_005).contains(&i))
            );
        }
    }
}

#[tokio::test]
async fn a_stored_id_finds_itself_first() {
    let (fixture, vectors) = fixture().await;
    let table = fixture.table().await;
    for metric in [Metric::Cosine, Metric::L2] {
        for i in [0, 1, 100, 200, 300, 2_999] {
            let mut request = SearchRequest::new(COLUMN, vectors[i].clone().unwrap(), 1);
            request.metric = Some(metric);
            request.prefer_id = Some(format!("p{i:06}"));
            let found = hits(&search(&table, &request).await.unwrap().batch);
            assert_eq!(found, [(format!("p{i:06}"), 0.0)]);
        }
    }
}

#[tokio::test]
async fn columns_come_in_the_order_asked_for() {
    let (fixture, vectors) = fixture().await;
    let table = fixture.table().await;
    let mut request = SearchRequest::new(COLUMN, vectors[5].clone().unwrap(), 3);
    request.columns = ["length", "id", COLUMN, "id", "content_hash"]
        .map(str::to_owned)
        .to_vec();
    let answer = search(&table, &request).await.unwrap();
    let schema = answer.batch.schema();
    let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["length", "id", COLUMN, "content_hash", "distance"]);

    request.columns.clear();
    request.filter = Some("length < 0".into());
    let answer = search(&table, &request).await.unwrap();
    assert_eq!(
        (answer.batch.num_rows(), answer.batch.num_columns()),
        (0, 1)
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let (fixture, vectors) = fixture().await;
    let table = fixture.table().await;
    let good = SearchRequest::new(COLUMN, vectors[0].clone().unwrap(), 3);
    let mut cases: Vec<(&str, SearchRequest, ErrorCode)> = Vec::new();
    let mut case = |what, change: &dyn Fn(&mut SearchRequest), code| {
        let mut request = good.clone();
        change(&mut request);
        cases.push((what, request, code));
    };
    use ErrorCode::{EncoderMismatch, InvalidArgument, LimitExceeded, NotFound};
    case("nan", &|r| r.vector[3] = f32::NAN, InvalidArgument);
    case(
        "infinity",
        &|r| r.vector[3] = f32::INFINITY,
        InvalidArgument,
    );
    case("zero", &|r| r.vector.fill(0.0), InvalidArgument);
    case("dimension", &|r| r.vector.push(0.0), EncoderMismatch);
    case("empty", &|r| r.vector.clear(), EncoderMismatch);
    case("column", &|r| r.column = "nothing".into(), NotFound);
    case(
        "no feature",
        &|r| r.column = "sequence".into(),
        InvalidArgument,
    );
    case("k 0", &|r| r.k = 0, InvalidArgument);
    case("k", &|r| r.k = 10_001, InvalidArgument);
    case(
        "projection",
        &|r| r.columns.push("nothing".into()),
        NotFound,
    );
    case("nprobes", &|r| r.options.nprobes = Some(0), InvalidArgument);
    case(
        "unknown filter column",
        &|r| r.filter = Some("nothing = 1".into()),
        InvalidArgument,
    );
    case(
        "filter type",
        &|r| r.filter = Some("length + 1".into()),
        InvalidArgument,
    );
    case(
        "filter syntax",
        &|r| r.filter = Some("length >".into()),
        InvalidArgument,
    );
    case(
        "empty filter",
        &|r| r.filter = Some(String::new()),
        InvalidArgument,
    );
    let chain = vec!["length = 1"; 5_000].join(" OR ");
    case(
        "filter size",
        &|r| r.filter = Some(chain.clone()),
        LimitExceeded,
    );
    let made = |encoder: &str, weights: &str| {
        Some(Made {
            encoder: encoder.into(),
            weights: Some(weights.into()),
        })
    };
    case(
        "encoder",
        &|r| r.made = made("other-v1", "00"),
        EncoderMismatch,
    );
    case(
        "weights",
        &|r| r.made = made("test-encoder-v1", "00"),
        EncoderMismatch,
    );
    for (what, request, code) in cases {
        let error = search(&table, &request).await.unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
        let text = error.to_string();
        assert!(!text.contains(".rs:"), "{what}: {text}");
    }

    let mut request = good.clone();
    request.made = Some(Made::from(&crate::data::spec(DIM)));
    search(&table, &request).await.unwrap();
    // L2 needs no direction.
    request.vector.fill(0.0);
    request.metric = Some(Metric::L2);
    search(&table, &request).await.unwrap();
}
