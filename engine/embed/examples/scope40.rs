//! How well `protein-kmer-v1` finds relatives, and how fast the encoders are.
//!
//! `cargo run --release -p penstock-embed --example scope40 -- scope40.fasta scope40_labels.txt`
//! compares all domains with all by cosine and counts, over the domains whose family or
//! superfamily has another member, how often the nearest other domain is one (top 1), and which
//! share of the members that could be among the nearest ten is (recall at 10).

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array as _, AsArray as _, LargeStringArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use candle_core::Tensor;
use penstock_embed::{Registry, RegistryOptions, device};
use penstock_types::Kind;

type Failure = Box<dyn Error>;

/// Ids and sequences.
fn fasta(text: &str) -> Vec<(String, String)> {
    let mut records: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(header) = line.strip_prefix('>') {
            let id = header.split_whitespace().next().unwrap_or_default();
            records.push((id.to_owned(), String::new()));
        } else if let Some((_, sequence)) = records.last_mut() {
            sequence.push_str(line.trim());
        }
    }
    records
}

fn batch(sequences: Vec<String>) -> Result<RecordBatch, Failure> {
    let field = Field::new("sequence", DataType::LargeUtf8, false);
    let column = Arc::new(LargeStringArray::from(sequences));
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(vec![field])),
        vec![column],
    )?)
}

/// Processor time of this process so far, over all threads; none off Linux. Unlike the clock it
/// says what one core does on a machine that others use as well.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    // Linux counts in hundredths of a second towards users, whatever its own tick is.
    Some((user + system) / 100.0)
}

/// Vectors, seconds by the clock and seconds of processor time.
fn encode(
    registry: &Registry,
    name: &str,
    batch: &RecordBatch,
) -> Result<(Vec<f32>, f64, f64), Failure> {
    let encoder = registry.get(name)?;
    encoder.encode(&batch.slice(0, 1.min(batch.num_rows())))?;
    let (clock, before) = (Instant::now(), processor_seconds());
    let vectors = encoder.encode(batch)?;
    let seconds = clock.elapsed().as_secs_f64();
    let processor = processor_seconds()
        .zip(before)
        .map_or(seconds, |(b, a)| b - a);
    assert_eq!(vectors.null_count(), 0, "every sequence has a vector");
    let values = vectors
        .as_fixed_size_list()
        .values()
        .as_primitive::<Float32Type>()
        .values();
    Ok((values.to_vec(), seconds, processor))
}

/// A group number per record, and how many records the group has.
fn groups<'a>(labels: impl Iterator<Item = Option<&'a str>>) -> (Vec<usize>, Vec<usize>) {
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
    fn add(&mut self, query: usize, nearest: &[usize], groups: &(Vec<usize>, Vec<usize>)) {
        let (of, sizes) = groups;
        let others = sizes[of[query]] - 1;
        if others == 0 {
            return;
        }
        let hits = nearest.iter().filter(|i| of[**i] == of[query]).count();
        self.queries += 1;
        self.first += usize::from(of[nearest[0]] == of[query]);
        self.recall += hits as f64 / others.min(10) as f64;
    }

    fn print(&self, name: &str) {
        let n = self.queries as f64;
        println!(
            "{name}: top 1 {:.4}, recall at 10 {:.4} ({} queries)",
            self.first as f64 / n,
            self.recall / n,
            self.queries
        );
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, sequences, labels] = arguments.as_slice() else {
        return Err("usage: scope40 SEQUENCES.fasta LABELS.txt".into());
    };
    let records = fasta(&std::fs::read_to_string(sequences)?);
    let labels = std::fs::read_to_string(labels)?;
    let labels: HashMap<&str, &str> = labels
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .map(|(id, label)| (id, label.trim()))
        .collect();
    let family = |(id, _): &(String, String)| labels.get(id.as_str()).copied();
    let families = groups(records.iter().map(family));
    let superfamilies = groups(records.iter().map(|record| {
        family(record).and_then(|label| label.rsplit_once('.').map(|(above, _)| above))
    }));

    let n = records.len();
    let proteins = batch(
        records
            .iter()
            .map(|(_, sequence)| sequence.clone())
            .collect(),
    )?;
    let registry = Registry::new(RegistryOptions {
        root: std::env::var_os("PENSTOCK_CHECKPOINTS").map(Into::into),
        ..RegistryOptions::default()
    });
    let models = registry.available().into_iter();
    let models = models.filter(|found| found.kind == Kind::Protein);
    let names = std::iter::once("protein-kmer-v1".to_owned()).chain(models.map(|found| found.name));
    for name in names {
        let (vectors, seconds, processor) = encode(&registry, &name, &proteins)?;
        let dim = vectors.len() / n;
        println!(
            "{name}: {n} sequences in {seconds:.3} s; {:.0} a second of one core",
            n as f64 / processor
        );
        let matrix = Tensor::from_slice(&vectors, (n, dim), device())?;
        let norms = matrix.sqr()?.sum_keepdim(1)?.sqrt()?;
        let matrix = matrix.broadcast_div(&norms)?;
        let transposed = matrix.t()?;
        let (mut by_family, mut by_superfamily) = (Score::default(), Score::default());
        for start in (0..n).step_by(512) {
            let rows = 512.min(n - start);
            let cosines = matrix.narrow(0, start, rows)?.matmul(&transposed)?;
            for (i, row) in cosines.to_vec2::<f32>()?.into_iter().enumerate() {
                let query = start + i;
                let mut order: Vec<usize> = (0..n).filter(|other| *other != query).collect();
                let nearer = |a: &usize, b: &usize| row[*b].total_cmp(&row[*a]);
                order.select_nth_unstable_by(9, nearer);
                order.truncate(10);
                order.sort_by(nearer);
                by_family.add(query, &order, &families);
                by_superfamily.add(query, &order, &superfamilies);
            }
        }
        by_family.print("family");
        by_superfamily.print("superfamily");
    }

    // Made-up DNA (a linear congruential generator): how fast, not how well.
    let mut state = 1_u64;
    let bases: String = (0..64 << 20)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b"ACGT"[(state >> 62) as usize])
        })
        .collect();
    for length in [100, 2048, 4 << 20] {
        let used = if length == 100 { 8 << 20 } else { bases.len() };
        let pieces = (0..used / length).map(|i| bases[i * length..(i + 1) * length].to_owned());
        let (_, seconds, processor) = encode(&registry, "dna-kmer-v1", &batch(pieces.collect())?)?;
        println!(
            "dna-kmer-v1: pieces of {length}: {seconds:.3} s; {:.0} MB a second of one core",
            used as f64 / processor / 1e6
        );
    }
    Ok(())
}
