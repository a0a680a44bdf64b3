//! Building: rows to codes, codes to a graph, the graph to the order that it is searched in.

mod distinct;
mod freeze;
mod given;
mod insert;
mod select;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use penstock_types::Metric;

use crate::codes::{Codes, Quantiser, normalise, stride, vector_stride};
use crate::error::{HnswError, Result};
use crate::index::Hnsw;
use crate::layers::Layers;
use crate::level;
use crate::memory::Aligned;
use crate::options::{Control, Options, check_shape};
use crate::places::Places;
use crate::scratch::Scratches;
use crate::simd::isa::Isa;
use crate::threads::threads;

use distinct::Distinct;
use freeze::Settled;
use given::Order;
use insert::Graph;

/// Rows between two looks at the caller's wish to stop.
const BATCH: usize = 64;

/// Vertices inserted one after the other before threads start: links between those that are
/// inserted at the same time are missed, which matters while there are few.
const FIRST: usize = 1_024;

/// Numbers per vector up to which every graph for inner products is grown in the lifted space.
const LIFTED_DIM: usize = 32;

/// Where vectors have more numbers, it is where the square of the longest is at most so many times
/// the mean square: behind a few long ones all others look alike.
const LIFTED_SQUARE: f64 = 6.0;

/// The caller's rows as the metric compares them.
#[derive(Clone, Copy)]
struct Rows<'a> {
    rows: &'a [f32],
    dim: usize,
    metric: Metric,
    /// The largest square of a length, where rows get one more number that makes all as long. A
    /// query's is 0, so that Euclidean distances rank as inner products do (Bachrach et al. 2014,
    /// <https://doi.org/10.1145/2645710.2645741>).
    lift: Option<f64>,
}

impl Rows<'_> {
    fn len(&self) -> usize {
        self.rows.len() / self.dim
    }

    fn raw(&self, row: usize) -> &[f32] {
        &self.rows[row * self.dim..][..self.dim]
    }

    /// Numbers per vector as they are written.
    fn width(&self) -> usize {
        self.dim + usize::from(self.lift.is_some())
    }

    fn write(&self, row: usize, into: &mut [f32]) {
        let raw = self.raw(row);
        into[..self.dim].copy_from_slice(raw);
        if self.metric == Metric::Cosine {
            normalise(into);
        }
        if let Some(most) = self.lift {
            into[self.dim] = (most - square(raw)).max(0.0).sqrt() as f32;
        }
    }

    /// The rows as the graph grows by them, where that is not as it is searched by.
    ///
    /// By inner product only long vectors are near anything, and links by it lead past the others.
    /// Measured in the crate's documentation.
    fn lifted(self) -> Option<Self> {
        if self.metric != Metric::Dot {
            return None;
        }
        let squares = self.rows.chunks_exact(self.dim).map(square);
        let (most, sum) = squares.fold((0.0_f64, 0.0), |(most, sum), x| (most.max(x), sum + x));
        let alike = most * self.len() as f64 <= LIFTED_SQUARE * sum;
        (alike || self.dim <= LIFTED_DIM).then_some(Self {
            lift: Some(most),
            ..self
        })
    }

    /// The rows that have a place in the graph: under cosine not those without a direction.
    fn placed(&self) -> Result<Vec<u32>> {
        let mut placed = Vec::with_capacity(self.len());
        for row in 0..self.len() {
            let vector = self.raw(row);
            // A sum of finite numbers may overflow, one with NaN or infinity never is finite.
            let sum: f32 = vector.iter().map(|x| x * 0.0).sum();
            if sum != 0.0 {
                return Err(HnswError::NotFinite { row });
            }
            if self.metric != Metric::Cosine || vector.iter().any(|x| *x != 0.0) {
                placed.push(row as u32);
            }
        }
        Ok(placed)
    }
}

fn square(vector: &[f32]) -> f64 {
    vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum()
}

/// Rows that may become an index.
struct Prepared<'a> {
    source: Rows<'a>,
    count: usize,
    threads: usize,
    quantiser: Quantiser,
    distinct: Distinct,
}

impl<'a> Prepared<'a> {
    fn new(rows: &'a [f32], dim: usize, options: &Options, control: &Control<'_>) -> Result<Self> {
        options.check()?;
        let count = check_shape(rows.len(), dim)?;
        let source = Rows {
            rows,
            dim,
            metric: options.metric,
            lift: None,
        };
        let threads = threads(options.threads);
        let placed = source.placed()?;
        let quantiser = Quantiser::fit(options.metric, dim, placed.len(), |i, into| {
            source.write(placed[i] as usize, into);
        });
        let distinct = Distinct::find(&source, &quantiser, &placed, threads);
        control.check()?;
        Ok(Self {
            source,
            count,
            threads,
            quantiser,
            distinct,
        })
    }

    /// The codes of rows, in their order.
    fn encode(&self, order: &[u32]) -> Codes {
        encode(&self.source, &self.quantiser, order, self.threads)
    }

    /// What the graph grows by, where that is not what it is searched by.
    fn lifted(&self, order: &[u32]) -> Option<(Codes, Quantiser)> {
        let source = self.source.lifted()?;
        let write = |i: usize, into: &mut [f32]| source.write(order[i] as usize, into);
        let quantiser = Quantiser::fit(Metric::L2, source.width(), order.len(), write);
        let codes = encode(&source, &quantiser, order, self.threads);
        Some((codes, quantiser))
    }

    /// The index of a graph over the rows of `order`, of which `codes` are the codes.
    fn finish(
        self,
        frozen: Settled,
        (order, codes): (Vec<u32>, Codes),
        options: &Options,
        (control, isa): (&Control<'_>, Isa),
    ) -> Result<Hnsw> {
        let dim = self.source.dim;
        // `moved[new]` is the vertex's number while the graph grew.
        let moved = frozen.moved;
        let order: Vec<u32> = moved.iter().map(|old| order[*old as usize]).collect();
        let codes = permute(&codes, dim, &moved);
        control.check()?;
        let (firsts, vertices, of) = self.distinct.places(&order, self.count);
        let vectors = copy(&self.source, &firsts, self.threads);
        let places = Places::new(of, vertices).ok_or(HnswError::Groups)?;
        Ok(Hnsw {
            options: options.clone(),
            dim,
            isa,
            quantiser: self.quantiser,
            codes,
            vectors,
            base: frozen.base,
            upper: frozen.upper,
            places,
            labels: (0..self.count as u64).collect(),
            metadata: Vec::new(),
            scratches: Scratches::default(),
        })
    }
}

/// The first row of each vertex, ascending.
pub(crate) fn distinct_rows(
    rows: &[f32],
    dim: usize,
    options: &Options,
    control: &Control<'_>,
) -> Result<Vec<u32>> {
    Ok(Prepared::new(rows, dim, options, control)?
        .distinct
        .vertices)
}

pub(crate) fn build(
    rows: &[f32],
    dim: usize,
    options: &Options,
    control: &Control<'_>,
    isa: Isa,
) -> Result<Hnsw> {
    let mut prepared = Prepared::new(rows, dim, options, control)?;
    let threads = prepared.threads;
    let mut order = std::mem::take(&mut prepared.distinct.vertices);
    // The highest layers first, so that those of a layer are numbered from 0 and the first vertex
    // is the entry for good; by chance within a layer, so that sorted rows do no harm.
    let level_of = |row: u32| level::of(row as usize, options.edges, options.seed);
    order.sort_by_cached_key(|row| {
        let chance = level::mix(options.seed ^ level::mix(u64::from(*row)));
        (std::cmp::Reverse(level_of(*row)), chance, *row)
    });
    let levels: Vec<u8> = order.iter().map(|row| level_of(*row) as u8).collect();
    control.check()?;
    let codes = prepared.encode(&order);
    let lifted = prepared.lifted(&order);
    let (grown_by, quantiser) = match &lifted {
        Some((codes, quantiser)) => (codes, quantiser),
        None => (&codes, &prepared.quantiser),
    };
    let graph = insert::grow(grown_by, quantiser, levels, options, threads, control, isa)?;
    let frozen = freeze::freeze(graph, options, isa);
    drop(lifted);
    prepared.finish(frozen, (order, codes), options, (control, isa))
}

/// An index of a graph that was given.
pub(crate) fn from_graph(
    rows: &[f32],
    dim: usize,
    options: &Options,
    given: &Layers,
    control: &Control<'_>,
) -> Result<Hnsw> {
    let isa = Isa::widest();
    let mut prepared = Prepared::new(rows, dim, options, control)?;
    let distinct = std::mem::take(&mut prepared.distinct.vertices);
    let Order { vertices, levels } =
        given::order(given, distinct.len()).map_err(HnswError::Graph)?;
    let order: Vec<u32> = vertices.iter().map(|i| distinct[*i as usize]).collect();
    drop(distinct);
    let codes = prepared.encode(&order);
    let graph = Graph::new(&codes, &prepared.quantiser, levels, options);
    given::fill(&graph, given, &vertices, options, control)?;
    drop(vertices);
    let frozen = freeze::freeze(graph, options, isa);
    prepared.finish(frozen, (order, codes), options, (control, isa))
}

/// Runs `work` on equal parts of `0..count`, each with its part of the outputs.
fn in_parts<A: Send, B: Send>(
    count: usize,
    threads: usize,
    (mut a, a_unit): (&mut [A], usize),
    (mut b, b_unit): (&mut [B], usize),
    work: impl Fn(std::ops::Range<usize>, &mut [A], &mut [B]) + Sync,
) {
    let part = count.div_ceil(threads).max(1);
    thread::scope(|scope| {
        for start in (0..count).step_by(part) {
            let end = count.min(start + part);
            let (a_part, b_part);
            (a_part, a) = a.split_at_mut((end - start) * a_unit);
            (b_part, b) = b.split_at_mut((end - start) * b_unit);
            let work = &work;
            scope.spawn(move || work(start..end, a_part, b_part));
        }
    });
}

fn encode(source: &Rows<'_>, quantiser: &Quantiser, order: &[u32], threads: usize) -> Codes {
    let stride = stride(source.width());
    let mut codes = Codes::zeros(order.len(), source.width());
    in_parts(
        order.len(),
        threads,
        (&mut codes.codes, stride),
        (&mut codes.bias, 1),
        |part, codes, bias| {
            let mut vector = vec![0.0; source.width()];
            let outputs = codes.chunks_exact_mut(stride).zip(bias);
            for (row, (codes, bias)) in order[part].iter().zip(outputs) {
                source.write(*row as usize, &mut vector);
                *bias = quantiser.encode(&vector, codes);
            }
        },
    );
    codes
}

fn permute(codes: &Codes, dim: usize, moved: &[u32]) -> Codes {
    let mut out = Codes::zeros(moved.len(), dim);
    let rows = out.codes.chunks_exact_mut(codes.stride);
    for (old, (row, bias)) in moved.iter().zip(rows.zip(&mut *out.bias)) {
        row.copy_from_slice(codes.row(*old as usize));
        *bias = codes.bias[*old as usize];
    }
    out
}

fn copy(source: &Rows<'_>, order: &[u32], threads: usize) -> Aligned<f32> {
    let stride = vector_stride(source.dim);
    let mut vectors = Aligned::zeros(order.len() * stride);
    in_parts(
        order.len(),
        threads,
        (&mut vectors, stride),
        (&mut [(); 0], 0),
        |part, vectors, _| {
            for (row, vector) in order[part].iter().zip(vectors.chunks_exact_mut(stride)) {
                source.write(*row as usize, &mut vector[..source.dim]);
            }
        },
    );
    vectors
}

/// Hands out `0..count` in batches, to be worked off by threads; ends early when stopped.
fn batches(
    range: std::ops::Range<usize>,
    threads: usize,
    control: &Control<'_>,
    work: impl Fn(&mut dyn FnMut() -> Option<std::ops::Range<usize>>) + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(range.start);
    let run = || {
        work(&mut || {
            if control.check().is_err() {
                return None;
            }
            let start = next.fetch_add(BATCH, Ordering::Relaxed);
            (start < range.end).then(|| start..range.end.min(start + BATCH))
        });
    };
    if threads == 1 || range.len() <= BATCH {
        run();
    } else {
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(run);
            }
            run();
        });
    }
    control.check()
}
