//! The load: connections that ask as fast as they are answered.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// A connection, which knows the requests by their number.
pub(super) trait Ask {
    /// Asks, and waits until all of the answer has come.
    fn ask(&mut self, request: usize) -> Result<()>;

    /// As `ask`; answers the rows found for each query of the request.
    fn answers(&mut self, request: usize) -> Result<Vec<Vec<u32>>>;
}

pub(super) struct Load {
    pub(super) connections: usize,
    /// How many different requests there are.
    pub(super) requests: usize,
    pub(super) time: Duration,
}

pub(super) struct Times {
    /// Requests.
    pub(super) per_second: f64,
    pub(super) median_ms: f64,
    /// The 99th of a hundred.
    pub(super) late_ms: f64,
}

/// One thread per connection; connecting is not part of the time, nor is the first request.
pub(super) fn measure(
    load: &Load,
    connect: &(dyn Fn() -> Result<Box<dyn Ask>> + Send + Sync),
) -> Result<Times> {
    let start = Barrier::new(load.connections);
    let one = |first: usize| -> Result<(Vec<Duration>, Duration)> {
        let opened = connect().and_then(|mut connection| {
            connection.ask(first % load.requests)?;
            Ok(connection)
        });
        // Whoever fails must not leave the others waiting.
        start.wait();
        let mut connection = opened?;
        let mut times = Vec::new();
        let began = Instant::now();
        let mut request = first;
        while began.elapsed() < load.time {
            let asked = Instant::now();
            connection.ask(request % load.requests)?;
            times.push(asked.elapsed());
            request += 1;
        }
        Ok((times, began.elapsed()))
    };
    let one = &one;
    let found: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..load.connections)
            .map(|at| scope.spawn(move || one(at * load.requests / load.connections)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a connection panicked")?)
            .collect::<Result<_>>()
    })?;
    let longest = found.iter().map(|(_, took)| *took).max();
    let mut times: Vec<Duration> = found.into_iter().flat_map(|(times, _)| times).collect();
    times.sort_unstable();
    let at = |share: f64| {
        let last = times.len().saturating_sub(1);
        let time = times.get((last as f64 * share) as usize);
        time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    Ok(Times {
        per_second: times.len() as f64 / longest.unwrap_or_default().as_secs_f64(),
        median_ms: at(0.5),
        late_ms: at(0.99),
    })
}
