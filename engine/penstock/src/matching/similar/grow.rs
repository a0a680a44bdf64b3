//! From rows near a pattern's vertices to places in their graphs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use penstock_pattern::{Anchor, Pattern, PatternError, Place, SimilarOptions, Stopped};
use penstock_store::Table;

use super::{Near, SimilarMatch, SimilarRequest};
use crate::matching::hosts::{Hosts, Ready, Shard};
use crate::{Error, Task};

/// Anchors below which other threads would not have started before they are grown.
const FEW: usize = 64;

/// What threads share.
pub(super) struct Asked {
    pub(super) request: SimilarRequest,
    pub(super) pattern: Pattern,
    pub(super) deadline: Option<Instant>,
}

/// What grew.
#[derive(Debug, Default)]
pub(super) struct Grown {
    pub(super) matches: Vec<SimilarMatch>,
    pub(super) grown: u64,
    pub(super) graphs: u64,
    pub(super) stopped: Option<Stopped>,
    pub(super) load_seconds: f64,
    pub(super) seconds: f64,
}

/// Grows places from all rows, in the whole table or a lot of graphs at a time.
pub(super) async fn all(
    hosts: &Hosts,
    table: &Table,
    whole: Option<Arc<Ready>>,
    asked: &Arc<Asked>,
    rows: &[Near],
    task: &Task,
) -> Result<Grown, Error> {
    let hit: HashSet<&str> = rows.iter().map(|near| near.graph.as_str()).collect();
    let mut all = Grown {
        graphs: hit.len() as u64,
        ..Grown::default()
    };
    let shards: Vec<Shard> = match &whole {
        Some(_) => vec![Shard::All],
        None => hosts.some(table, &hit).await?.shards,
    };
    for (done, shard) in shards.iter().enumerate() {
        task.progress.set_rows(done as u64, shards.len() as u64);
        let reading = Instant::now();
        let ready = match &whole {
            Some(ready) => Arc::clone(ready),
            None => task.run(hosts.ready(table, shard)).await??,
        };
        all.load_seconds += reading.elapsed().as_secs_f64();
        let growing = Instant::now();
        let anchors = ready.anchors(rows);
        let (shared, cancel) = (Arc::clone(asked), task.cancel.clone());
        let outcome = tokio::task::spawn_blocking(move || {
            let cancelled = || cancel.is_cancelled();
            let request = &shared.request;
            let threads = match anchors.len() < FEW {
                true => 1,
                false => std::thread::available_parallelism().map_or(1, usize::from),
            };
            let options = SimilarOptions {
                beam: request.beam,
                scan: request.scan,
                mismatch: request.mismatch,
                min_score: request.min_score,
                per_anchor: 1,
                limit: request.limit,
                deadline: shared.deadline,
                cancelled: Some(&cancelled),
                threads,
            };
            let found = ready.host.similar(&shared.pattern, &anchors, &options)?;
            let matches: Vec<SimilarMatch> = found
                .places
                .iter()
                .map(|place| ready.similar(place))
                .collect();
            Ok::<_, PatternError>((found, matches))
        });
        let (found, matches) = outcome.await.map_err(Error::Worker)??;
        all.seconds += growing.elapsed().as_secs_f64();
        all.grown += found.grown;
        all.matches.extend(matches);
        all.matches.sort_by(order);
        all.matches.truncate(asked.request.limit);
        match found.stopped {
            Some(Stopped::Cancelled) => return Err(Error::Cancelled),
            Some(stopped) => {
                all.stopped = Some(stopped);
                break;
            }
            None => {}
        }
    }
    Ok(all)
}

/// Better ones first.
fn order(a: &SimilarMatch, b: &SimilarMatch) -> std::cmp::Ordering {
    b.score
        .total_cmp(&a.score)
        .then(a.distance.total_cmp(&b.distance))
        .then_with(|| (&a.graph, &a.vertices).cmp(&(&b.graph, &b.vertices)))
}

impl Ready {
    /// The rows of these graphs, in their numbers; a row of a vertex that is not there is none.
    fn anchors(&self, rows: &[Near]) -> Vec<Anchor> {
        let mut wanted: HashMap<&str, Option<usize>> = HashMap::new();
        for near in rows {
            wanted.insert(&near.graph, None);
        }
        for (at, id) in self.ids.iter().enumerate() {
            if let Some(place) = wanted.get_mut(id.as_str()) {
                *place = Some(at);
            }
        }
        let anchor = |near: &Near| {
            let graph = (*wanted.get(near.graph.as_str())?)?;
            let vertex = self.starts.get(graph)?.checked_add(near.vertex)?;
            let end = match self.starts.get(graph + 1) {
                Some(end) => *end as usize,
                None => self.host.vertices(),
            };
            ((vertex as usize) < end).then_some(Anchor {
                pattern: near.of,
                vertex,
                similarity: -near.distance,
            })
        };
        rows.iter().filter_map(anchor).collect()
    }

    fn similar(&self, place: &Place) -> SimilarMatch {
        let (graph, _) = self.place(place.anchor.vertex);
        let own = |vertex: &Option<u32>| vertex.map(|vertex| self.place(vertex).1);
        SimilarMatch {
            graph: self.ids.get(graph).cloned().unwrap_or_default(),
            vertices: place.vertices.iter().map(own).collect(),
            score: place.score.score,
            vertices_matched: place.score.vertices_matched,
            edges_matched: place.score.edges_matched,
            anchor: place.anchor.pattern,
            distance: -place.anchor.similarity,
        }
    }
}
