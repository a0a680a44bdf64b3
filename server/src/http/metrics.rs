//! What `/metrics` counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use penstock::index::Searcher;
use penstock::index::recall::DEFAULT_RECALL;
use penstock_openapi::JobState;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::jobs::Jobs;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteStatus {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tier {
    tier: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Index {
    table: String,
    column: String,
    tier: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Held {
    table: String,
    column: String,
    tier: &'static str,
    metric: &'static str,
}

/// Upper bounds of the latency buckets, in seconds.
const LATENCIES: [f64; 14] = [
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// The counters of one server.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RouteStatus, Counter>,
    latency: Family<Route, Histogram>,
    in_flight: Gauge,
    sent: Counter,
    ingested: Counter,
    jobs: Family<State, Gauge>,
    searches: Family<Tier, Counter>,
    recall: Family<Index, Gauge<f64, AtomicU64>>,
    held_rows: Family<Held, Gauge>,
    held_bytes: Family<Held, Gauge>,
    _started: Gauge<f64, AtomicU64>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("penstock");
        let requests = Family::default();
        let latency =
            Family::new_with_constructor((|| Histogram::new(LATENCIES)) as fn() -> Histogram);
        let (in_flight, sent, ingested) =
            (Gauge::default(), Counter::default(), Counter::default());
        let (jobs, searches) = (Family::default(), Family::default());
        let recall = Family::<Index, Gauge<f64, AtomicU64>>::default();
        let (held_rows, held_bytes) = (
            Family::<Held, Gauge>::default(),
            Family::<Held, Gauge>::default(),
        );
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(chrono::Utc::now().timestamp_millis() as f64 / 1000.0);
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "http_request_latency",
            "Time until the head of the answer",
            Unit::Seconds,
            latency.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests at work",
            in_flight.clone(),
        );
        registry.register_with_unit(
            "http_sent",
            "Bytes of bodies sent",
            Unit::Bytes,
            sent.clone(),
        );
        registry.register(
            "rows_ingested",
            "Records added or updated",
            ingested.clone(),
        );
        registry.register("jobs", "Jobs remembered, by state", jobs.clone());
        registry.register(
            "searches",
            "Vectors searched for, by where candidates came from",
            searches.clone(),
        );
        registry.register(
            "index_recall",
            "Recall that searches of the column have where they ask for none, as last measured",
            recall.clone(),
        );
        registry.register("index_rows", "Rows of indexes in memory", held_rows.clone());
        registry.register_with_unit(
            "index_memory",
            "Bytes of indexes in memory",
            Unit::Bytes,
            held_bytes.clone(),
        );
        registry.register_with_unit(
            "start_time",
            "When the server started, since 1970",
            Unit::Seconds,
            started.clone(),
        );
        Self {
            registry,
            requests,
            latency,
            in_flight,
            sent,
            ingested,
            jobs,
            searches,
            recall,
            held_rows,
            held_bytes,
            _started: started,
        }
    }

    pub(super) fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight {
            gauge: self.in_flight.clone(),
            sent: self.sent.clone(),
        }
    }

    pub(super) fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let labels = RouteStatus {
            method,
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        self.latency
            .get_or_create(&Route {
                route: route.to_owned(),
            })
            .observe(took.as_secs_f64());
    }

    pub(super) fn ingested(&self, rows: u64) {
        self.ingested.inc_by(rows);
    }

    /// Those that are there now; what is gone is not told of.
    fn note_indexes(&self, searcher: &Searcher) {
        self.recall.clear();
        for (table, column, tier, measured) in searcher.recalls().list() {
            let wanted = measured.min_recall.unwrap_or(DEFAULT_RECALL);
            let setting = measured.setting(wanted);
            if let Some(recall) = setting.and_then(|setting| measured.recall_of(setting.effort)) {
                let labels = Index {
                    table: table.to_string(),
                    column,
                    tier: tier.as_str(),
                };
                self.recall.get_or_create(&labels).set(recall);
            }
        }
        self.held_rows.clear();
        self.held_bytes.clear();
        for index in searcher.hot().list() {
            let labels = Held {
                table: index.table.to_string(),
                column: index.column,
                tier: penstock::index::Tier::Hot.as_str(),
                metric: index.metric.as_str(),
            };
            let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            self.held_rows.get_or_create(&labels).set(gauge(index.rows));
            self.held_bytes
                .get_or_create(&labels)
                .set(gauge(index.bytes));
        }
    }

    /// The counters in the text format of OpenMetrics.
    pub(super) fn encode(
        &self,
        jobs: &Jobs,
        searcher: &Searcher,
    ) -> Result<String, std::fmt::Error> {
        for (tier, count) in searcher.answered() {
            let labels = Tier {
                tier: tier.as_str(),
            };
            let counter = self.searches.get_or_create(&labels);
            // The searcher counts, as not every search comes over HTTP.
            counter.inner().store(count, Ordering::Relaxed);
        }
        self.note_indexes(searcher);
        for (state, name) in [
            (JobState::Queued, "queued"),
            (JobState::Running, "running"),
            (JobState::Succeeded, "succeeded"),
            (JobState::Failed, "failed"),
            (JobState::Cancelled, "cancelled"),
        ] {
            let count = i64::try_from(jobs.count(state)).unwrap_or(i64::MAX);
            self.jobs.get_or_create(&State { state: name }).set(count);
        }
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

/// A request at work, until the last byte of its answer is sent or given up.
pub(super) struct InFlight {
    gauge: Gauge,
    sent: Counter,
}

impl InFlight {
    pub(super) fn sent(&self, bytes: u64) {
        self.sent.inc_by(bytes);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}
