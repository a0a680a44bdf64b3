//! How well encoders find relatives: all domains against all by cosine.
//!
//! Counted over the domains whose family or superfamily has another member: how often the nearest
//! other domain is one (top 1), and which share of the members that could be among the nearest ten
//! is (recall at 10). The nearest of the descriptor can be ranked again by local alignment.

mod rerank;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};
use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::Float32Type;
use penstock::encoding::{Registry, RegistryOptions};
use penstock::types::Kind;

use crate::corpus::or_corpus;
use crate::embed::REFERENCE;
use crate::fasta;
use crate::machine::table;

/// The encoder that needs no download.
const DESCRIPTOR: &str = "protein-kmer-v1";

/// Queries that a thread takes at once.
const BLOCK: usize = 64;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// A FASTA file of domains; the corpus's where none is given
    path: Option<PathBuf>,
    /// Their ids and SCOPe families, a line each; the corpus's where none is given
    #[arg(long)]
    labels: Option<PathBuf>,
    /// Folder of checkpoints, beside the encoders that need no download
    #[arg(long, env = "PENSTOCK_CHECKPOINTS")]
    checkpoints: Option<PathBuf>,
    /// MMseqs2 on the same queries; it has to be installed
    #[arg(long)]
    peer: bool,
    /// Ranks this many nearest of each domain by the descriptor again, by local alignment; as
    /// many as there are others: all pairs. Several may be given
    #[arg(long, value_delimiter = ',')]
    rerank: Vec<usize>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let sequences = or_corpus(options.path.as_deref(), "protein/scope40.fasta");
    let labels = or_corpus(options.labels.as_deref(), "protein/scope40_labels.txt");
    let records = fasta::read(&sequences)?;
    let text = std::fs::read_to_string(&labels).with_context(|| labels.display().to_string())?;
    let of: HashMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .map(|(id, label)| (id, label.trim()))
        .collect();
    let family = |(id, _): &(String, String)| of.get(id.as_str()).copied();
    let families = groups(records.iter().map(family));
    let superfamilies = groups(records.iter().map(|record| {
        family(record).and_then(|label| label.rsplit_once('.').map(|(above, _)| above))
    }));
    let batch = fasta::batch(records.iter().map(|(_, sequence)| sequence.as_str()))?;
    let registry = Registry::new(RegistryOptions {
        root: options.checkpoints.clone(),
        ..RegistryOptions::default()
    });
    let models = registry.available().into_iter();
    let models = models.filter(|found| found.kind == Kind::Protein);
    let names = std::iter::once(DESCRIPTOR.to_owned()).chain(models.map(|found| found.name));
    let mut lines = Vec::new();
    for name in names {
        let encoder = registry.get(&name)?;
        let clock = Instant::now();
        let vectors = encoder.encode(&batch)?;
        let seconds = clock.elapsed().as_secs_f64();
        anyhow::ensure!(vectors.null_count() == 0, "a sequence has no vector");
        let values = vectors.as_fixed_size_list().values();
        let vectors = unit(values.as_primitive::<Float32Type>().values(), records.len());
        let (by_family, by_superfamily) =
            scores(&vectors, records.len(), &families, &superfamilies);
        lines.push(line(&name, &by_family, &by_superfamily, seconds));
        if name == DESCRIPTOR {
            for count in &options.rerank {
                let run = rerank::Run {
                    records: &records,
                    vectors: &vectors,
                    embedding_secs: seconds,
                    families: &families,
                    superfamilies: &superfamilies,
                };
                lines.extend(run.lines(*count)?);
            }
        }
    }
    if options.peer {
        lines.push(mmseqs(&sequences, &labels)?);
    }
    println!(
        "{} domains; seconds are of embedding, or of the whole search",
        records.len()
    );
    println!(
        "{}",
        table(
            &[
                "by",
                "top 1 family",
                "top 1 superfamily",
                "recall@10 family",
                "recall@10 superfamily",
                "s"
            ],
            &lines
        )
    );
    Ok(())
}

/// Vectors of norm 1.
fn unit(values: &[f32], rows: usize) -> Vec<f32> {
    let mut unit = values.to_vec();
    for row in unit.chunks_mut(values.len() / rows.max(1)) {
        let norm = row
            .iter()
            .map(|x| x * x)
            .sum::<f32>()
            .sqrt()
            .max(f32::MIN_POSITIVE);
        row.iter_mut().for_each(|x| *x /= norm);
    }
    unit
}

/// Compares all with all, a block of queries a time on each core.
fn scores(
    vectors: &[f32],
    rows: usize,
    families: &Groups,
    superfamilies: &Groups,
) -> (Score, Score) {
    let total = Mutex::new((Score::default(), Score::default()));
    nearest(vectors, rows, 10, |query, order| {
        // No thread panics while it holds the lock: adding numbers cannot.
        if let Ok(mut total) = total.lock() {
            total.0.add(query, &order, families);
            total.1.add(query, &order, superfamilies);
        }
    });
    total.into_inner().unwrap_or_default()
}

/// Hands on the `count` nearest others of each row, nearest first, from several threads.
fn nearest(vectors: &[f32], rows: usize, count: usize, found: impl Fn(usize, Vec<usize>) + Sync) {
    let dim = vectors.len() / rows.max(1);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut cosines = vec![0.0_f32; rows];
                loop {
                    let start = next.fetch_add(BLOCK, Ordering::Relaxed);
                    if start >= rows {
                        break;
                    }
                    for query in start..(start + BLOCK).min(rows) {
                        let of = &vectors[query * dim..(query + 1) * dim];
                        for (cosine, other) in cosines.iter_mut().zip(vectors.chunks(dim)) {
                            *cosine = dot(of, other);
                        }
                        let mut order: Vec<usize> = (0..rows).filter(|i| *i != query).collect();
                        let nearer = |a: &usize, b: &usize| cosines[*b].total_cmp(&cosines[*a]);
                        if order.len() > count && count > 0 {
                            order.select_nth_unstable_by(count - 1, nearer);
                        }
                        order.truncate(count);
                        order.sort_by(nearer);
                        found(query, order);
                    }
                }
            });
        }
    });
}

/// Sixteen sums at once, which the compiler makes vectors of. By index: zipped slices were not
/// inlined here, and ten times slower.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_tail) = a.as_chunks::<16>();
    let (b_chunks, b_tail) = b.as_chunks::<16>();
    let mut sums = [0.0_f32; 16];
    for i in 0..a_chunks.len().min(b_chunks.len()) {
        let (x, y) = (&a_chunks[i], &b_chunks[i]);
        for lane in 0..16 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let mut sum = 0.0;
    for i in 0..a_tail.len().min(b_tail.len()) {
        sum += a_tail[i] * b_tail[i];
    }
    sums.iter().sum::<f32>() + sum
}

fn line(name: &str, by_family: &Score, by_superfamily: &Score, seconds: f64) -> Vec<String> {
    let share = |x: f64| format!("{x:.3}");
    vec![
        name.to_owned(),
        share(by_family.top()),
        share(by_superfamily.top()),
        share(by_family.recall()),
        share(by_superfamily.recall()),
        format!("{seconds:.1}"),
    ]
}

/// MMseqs2 on the same queries, where it is installed.
fn mmseqs(sequences: &Path, labels: &Path) -> Result<Vec<String>> {
    let output = Command::new("python3")
        .arg(Path::new(REFERENCE).join("homology.py"))
        .args([sequences, labels])
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let number = |start: &str, before: &str| -> Option<String> {
        let line = text.lines().find(|line| line.starts_with(start))?;
        let rest = &line[line.find(before)? + before.len()..];
        Some(rest.split([',', ' ']).next()?.to_owned())
    };
    let get = |start, before| number(start, before).with_context(|| text.clone());
    Ok(vec![
        "MMseqs2 -s 7.5".into(),
        get("family", "top 1 ")?,
        get("superfamily", "top 1 ")?,
        get("family", "recall at 10 ")?,
        get("superfamily", "recall at 10 ")?,
        get("mmseqs", ": ")?,
    ])
}

/// The group number of each record, and how many records each group has.
type Groups = (Vec<usize>, Vec<usize>);

fn groups<'a>(labels: impl Iterator<Item = Option<&'a str>>) -> Groups {
    let mut numbers = HashMap::new();
    let mut sizes = Vec::new();
    let of = labels
        .map(|label| {
            let next = sizes.len();
            // A record without a label is a group of its own.
            let number = label.map_or(next, |label| *numbers.entry(label).or_insert(next));
            if number == next {
                sizes.push(0);
            }
            sizes[number] += 1;
            number
        })
        .collect();
    (of, sizes)
}

#[derive(Default)]
struct Score {
    queries: usize,
    first: usize,
    recall: f64,
}

impl Score {
    fn add(&mut self, query: usize, nearest: &[usize], groups: &Groups) {
        let (of, sizes) = groups;
        let others = sizes[of[query]] - 1;
        if others == 0 {
            return;
        }
        let hits = nearest.iter().filter(|i| of[**i] == of[query]).count();
        self.queries += 1;
        self.first += usize::from(nearest.first().is_some_and(|i| of[*i] == of[query]));
        self.recall += hits as f64 / others.min(10) as f64;
    }

    fn top(&self) -> f64 {
        self.first as f64 / self.queries.max(1) as f64
    }

    fn recall(&self) -> f64 {
        self.recall / self.queries.max(1) as f64
    }
}
