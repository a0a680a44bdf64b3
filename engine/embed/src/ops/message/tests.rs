use candle_core::{DType, Device};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::ops::segment;

/// Vertices, edges and features at random; some vertices have no edge.
fn random(vertices: u32, edges: usize, width: usize) -> (Graph, Tensor) {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(vertices));
    let edges: Vec<(u32, u32)> = (0..edges)
        .map(|_| (rng.random_range(0..vertices), rng.random_range(0..vertices)))
        .collect();
    let x = Tensor::randn(0_f32, 1.0, (vertices as usize, width), &Device::Cpu).unwrap();
    (Graph::from_edges(vertices as usize, &edges).unwrap(), x)
}

fn numbers_of(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn same(given: &Tensor, expected: &Tensor) {
    assert_eq!(given.dims(), expected.dims());
    let worst = numbers_of(given)
        .iter()
        .zip(numbers_of(expected))
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst < 1e-4, "{worst}");
}

#[test]
fn equals_gathering_and_then_reducing() {
    for (vertices, edges, width) in [(1, 0, 1), (9, 20, 3), (50, 400, 33), (700, 9000, 71)] {
        let (graph, x) = random(vertices, edges, width);
        let placed = Placed::new(&graph, &Device::Cpu).unwrap();
        let senders = Tensor::from_slice(graph.senders(), graph.edges(), &Device::Cpu).unwrap();
        let offsets: Vec<usize> = graph.offsets().iter().map(|o| *o as usize).collect();
        for reduce in [Reduce::Sum, Reduce::Mean, Reduce::Max] {
            let given = gather(&x, &placed, reduce, None).unwrap();
            let rows = match edges {
                0 => Tensor::zeros((0, width), DType::F32, &Device::Cpu).unwrap(),
                _ => x.index_select(&senders, 0).unwrap(),
            };
            same(&given, &segment(&rows, &offsets, reduce).unwrap());
            let own = gather(&x, &placed, reduce, Some(1.5)).unwrap();
            same(&own, &(given + (&x * 1.5).unwrap()).unwrap());
        }
    }
}

/// Attention by the definition, edge by edge, in double precision.
fn plain(values: &[f32], scores: &[f32], weights: &[f32], graph: &Graph, h: Heads) -> Vec<f32> {
    let width = values.len() / graph.vertices();
    let channels = width / h.heads;
    let leaky = |x: f64| if x > 0.0 { x } else { f64::from(h.slope) * x };
    let mut all = Vec::new();
    for to in 0..graph.vertices() {
        let mut row = vec![0.0_f64; width];
        for head in 0..h.heads {
            let score = |from: u32| -> f64 {
                let from = from as usize;
                if !h.pair {
                    let at = |v: usize, part: usize| scores[(2 * v + part) * h.heads + head];
                    return leaky(f64::from(at(from, 0)) + f64::from(at(to, 1)));
                }
                (head * channels..(head + 1) * channels)
                    .map(|c| {
                        let sum = values[from * width + c] + scores[to * width + c];
                        f64::from(weights[c]) * leaky(f64::from(sum))
                    })
                    .sum()
            };
            let list = graph.neighbours(to as u32);
            let whole: f64 = list.iter().map(|v| score(*v).exp()).sum();
            for v in list {
                for c in head * channels..(head + 1) * channels {
                    let value = f64::from(values[*v as usize * width + c]);
                    row[c] += score(*v).exp() / whole * value;
                }
            }
        }
        if h.mean {
            let heads: Vec<&[f64]> = row.chunks(channels).collect();
            all.extend((0..channels).map(|c| {
                let sum: f64 = heads.iter().map(|head| head[c]).sum();
                (sum / h.heads as f64) as f32
            }));
        } else {
            all.extend(row.iter().map(|x| *x as f32));
        }
    }
    all
}

#[test]
fn attention_is_a_softmax_over_neighbours() {
    for (heads, channels) in [(1, 1), (3, 5), (4, 16), (2, 37)] {
        let width = heads * channels;
        let (graph, values) = random(300, 2400, width);
        let placed = Placed::new(&graph, &Device::Cpu).unwrap();
        let weights = Tensor::randn(0_f32, 1.0, width, &Device::Cpu).unwrap();
        for (mean, pair) in [(false, false), (true, false), (false, true), (true, true)] {
            let heads = Heads {
                heads,
                slope: 0.2,
                mean,
                pair,
            };
            let parts = if pair { width } else { 2 * heads.heads };
            let scores = Tensor::randn(0_f32, 1.0, (300, parts), &Device::Cpu).unwrap();
            let given = attend(&values, &scores, &weights, &placed, heads).unwrap();
            let expected = plain(
                &numbers_of(&values),
                &numbers_of(&scores),
                &numbers_of(&weights),
                &graph,
                heads,
            );
            let expected = Tensor::from_vec(expected, given.dims(), &Device::Cpu).unwrap();
            same(&given, &expected);
        }
    }
}

#[test]
fn threads_change_nothing() {
    let (graph, x) = random(3000, 30_000, 40);
    let placed = Placed::new(&graph, &Device::Cpu).unwrap();
    let scores = Tensor::randn(0_f32, 1.0, (3000, 10), &Device::Cpu).unwrap();
    let heads = Heads {
        heads: 5,
        slope: 0.2,
        mean: false,
        pair: false,
    };
    let unread = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let sums = gather(&x, &placed, Reduce::Sum, Some(1.0)).unwrap();
            let heads = attend(&x, &scores, &unread, &placed, heads).unwrap();
            (numbers_of(&sums), numbers_of(&heads))
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(7));
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    let (graph, _) = random(9, 20, 3);
    let placed = Placed::new(&graph, &Device::Cpu).unwrap();
    let x = Tensor::zeros((8, 3), DType::F32, &Device::Cpu).unwrap();
    assert!(gather(&x, &placed, Reduce::Sum, None).is_err());
    let heads = Heads {
        heads: 2,
        slope: 0.2,
        mean: false,
        pair: false,
    };
    let x = Tensor::zeros((9, 3), DType::F32, &Device::Cpu).unwrap();
    assert!(attend(&x, &x, &x, &placed, heads).is_err());
}
