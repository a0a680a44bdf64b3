//! Synthetic graphs of growing size, and patterns sampled from them.

use std::time::{Duration, Instant};

use anyhow::Result;
use penstock_pattern::{
    Allowed, DominanceRecipe, Graph, GraphBuilder, Host, HostOptions, Loops, MatchOptions,
    Parallel, Pattern, PatternEdge, PatternVertex,
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::machine::table;

/// Vertices of the patterns.
const SIZES: [usize; 3] = [4, 8, 12];
/// Labels of the graphs, Zipf-distributed.
const LABELS: usize = 32;
/// Edges per vertex.
const DENSITY: usize = 8;
/// Matches wanted of each pattern.
const LIMIT: u64 = 100_000;
/// Time that a pattern may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(edges: &[usize], patterns: usize, threads: usize) -> Result<()> {
    let mut hosts = Vec::new();
    let mut searches = Vec::new();
    for &edges in edges {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let clock = Instant::now();
        let graph = synthetic(&mut random, edges / DENSITY, edges, LABELS)?;
        let build = clock.elapsed().as_secs_f64();
        let wanted: Vec<Vec<Pattern>> = SIZES
            .iter()
            .map(|&size| {
                (0..patterns)
                    .map(|_| Ok(sample(&mut random, &graph, size)?.0))
                    .collect()
            })
            .collect::<Result<_>>()?;
        let bytes = graph.bytes();
        let degree = (0..graph.vertices() as u32)
            .map(|v| graph.neighbours(v).len())
            .max();
        let clock = Instant::now();
        let host = Host::new(graph.clone())?;
        let ready = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        DominanceRecipe::default().embed(&graph)?;
        let rows = clock.elapsed().as_secs_f64();
        hosts.push(vec![
            host.edges().to_string(),
            host.vertices().to_string(),
            degree.unwrap_or(0).to_string(),
            format!("{build:.2}"),
            format!("{ready:.2}"),
            format!("{:.0}", bytes as f64 / 1e6),
            format!("{:.0}", host.bytes() as f64 / 1e6),
            format!("{rows:.2}"),
        ]);
        search("without rows", &host, &wanted, threads, &mut searches)?;
        drop(host);
        let dominance = Some(DominanceRecipe::default());
        let host = Host::with(graph, &HostOptions { dominance })?;
        search("with rows", &host, &wanted, threads, &mut searches)?;
    }
    println!("Synthetic graphs, {LABELS} labels, degrees by a power law:");
    let head = [
        "edges",
        "vertices",
        "degree <=",
        "generate s",
        "host s",
        "graph MB",
        "host MB",
        "rows s",
    ];
    println!("{}", table(&head, &hosts));
    println!(
        "Patterns sampled from them, {patterns} of each size, {threads} threads, stopped at {LIMIT} \
         matches or after {} s:",
        PATIENCE.as_secs()
    );
    let head = [
        "edges",
        "",
        "pattern",
        "mean ms",
        "median ms",
        "worst ms",
        "complete",
        "late",
        "matches",
        "candidates",
    ];
    println!("{}", table(&head, &searches));
    Ok(())
}

fn search(
    name: &str,
    host: &Host,
    patterns: &[Vec<Pattern>],
    threads: usize,
    lines: &mut Vec<Vec<String>>,
) -> Result<()> {
    for (size, patterns) in SIZES.iter().zip(patterns) {
        let (mut times, mut complete, mut late) = (Vec::new(), 0, 0);
        let (mut matches, mut candidates) = (0, 0);
        for pattern in patterns {
            let options = MatchOptions {
                limit: Some(LIMIT),
                deadline: Some(Instant::now() + PATIENCE),
                threads,
                ..MatchOptions::default()
            };
            let outcome = host.count(pattern, &options)?;
            times.push(outcome.seconds * 1e3);
            complete += usize::from(outcome.complete);
            late += usize::from(outcome.stopped == Some(penstock_pattern::Stopped::Deadline));
            matches += outcome.count;
            candidates += outcome.candidates;
        }
        times.sort_by(f64::total_cmp);
        let count = times.len().max(1);
        lines.push(vec![
            host.edges().to_string(),
            name.to_owned(),
            size.to_string(),
            format!("{:.2}", times.iter().sum::<f64>() / count as f64),
            format!("{:.2}", times.get(count / 2).copied().unwrap_or(0.0)),
            format!("{:.2}", times.last().copied().unwrap_or(0.0)),
            format!("{complete} / {}", times.len()),
            late.to_string(),
            matches.to_string(),
            candidates.to_string(),
        ]);
    }
    Ok(())
}

/// Ends are drawn with weights that fall as a power of the rank, so degrees do too.
pub(crate) fn synthetic(
    random: &mut ChaCha8Rng,
    vertices: usize,
    edges: usize,
    labels: usize,
) -> Result<Graph> {
    let vertices = vertices.max(2);
    let mut builder = GraphBuilder {
        loops: Loops::Drop,
        parallel: Parallel::Collapse,
        ..GraphBuilder::default()
    };
    let weights: Vec<f64> = (1..=labels).map(|rank| 1.0 / rank as f64).collect();
    let total: f64 = weights.iter().sum();
    for _ in 0..vertices {
        let mut draw = random.random_range(0.0..total);
        let label = weights.iter().position(|w| {
            draw -= w;
            draw < 0.0
        });
        builder.vertex(label.unwrap_or(labels - 1) as u32);
    }
    // Numbers say nothing about ranks.
    let mut number: Vec<u32> = (0..vertices as u32).collect();
    for i in (1..vertices).rev() {
        number.swap(i, random.random_range(0..=i));
    }
    for _ in 0..edges {
        let mut end = || {
            let x: f64 = random.random_range(0.0..1.0);
            number[((x.powf(2.2) * vertices as f64) as usize).min(vertices - 1)]
        };
        let (from, to) = (end(), end());
        builder.edge(from, to);
    }
    Ok(builder.build()?)
}

/// A connected part of the graph, grown by random edges, with all edges among its vertices;
/// and those vertices.
pub(crate) fn sample(
    random: &mut ChaCha8Rng,
    graph: &Graph,
    size: usize,
) -> Result<(Pattern, Vec<u32>)> {
    loop {
        let mut picked = vec![random.random_range(0..graph.vertices() as u32)];
        for _ in 0..100 * size {
            if picked.len() == size {
                break;
            }
            let from = picked[random.random_range(0..picked.len())];
            let list = graph.neighbours(from);
            if list.is_empty() {
                break;
            }
            let next = list[random.random_range(0..list.len())];
            if !picked.contains(&next) {
                picked.push(next);
            }
        }
        if picked.len() < size {
            continue;
        }
        let vertices = picked.iter().map(|&v| PatternVertex {
            labels: Allowed::one(graph.labels()[v as usize]),
            near: Vec::new(),
        });
        let mut edges = Vec::new();
        for (to, &b) in picked.iter().enumerate() {
            for (from, &a) in picked[..to].iter().enumerate() {
                if graph.joins(a, b) {
                    edges.push(PatternEdge {
                        from: from as u32,
                        to: to as u32,
                        ..PatternEdge::default()
                    });
                }
            }
        }
        let pattern = Pattern::new(false, vertices.collect(), edges)?;
        return Ok((pattern, picked));
    }
}
