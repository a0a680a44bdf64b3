//! Searches of a motif per second, and what graphs cost to make; one thread.
//!
//! `cargo run --release -p penstock-graph --example speed -- [DNA | MESH | PROTEIN FILE ...]`
//!
//! Structures are made up: 300 C-alpha atoms in a sphere at the density of proteins, no two closer
//! than 3.8 angstrom, amino acids as frequent as in Swiss-Prot.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use penstock_graph::Named;
use penstock_graph::make::contacts::{self, ContactOptions, DISTANCE, contacts_of};
use penstock_graph::make::faces::{self, FaceOptions};
use penstock_graph::make::unitigs::{self, UnitigOptions};
use penstock_graph::motif::{FindOptions, Motif, MotifPoint, Signature, SignatureOptions, find};
use penstock_ingest::{ReadOptions, Source, open};
use penstock_pattern::{GraphBuilder, Host, Labels, MatchOptions};
use penstock_types::Kind;

/// Per mille of each amino acid.
const SHARES: [(&str, u64); 20] = [
    ("ALA", 83),
    ("ARG", 55),
    ("ASN", 41),
    ("ASP", 55),
    ("CYS", 14),
    ("GLN", 39),
    ("GLU", 67),
    ("GLY", 71),
    ("HIS", 23),
    ("ILE", 59),
    ("LEU", 97),
    ("LYS", 58),
    ("MET", 24),
    ("PHE", 39),
    ("PRO", 47),
    ("SER", 66),
    ("THR", 54),
    ("TRP", 11),
    ("TYR", 29),
    ("VAL", 68),
];
const STRUCTURES: usize = 1000;
const RESIDUES: usize = 300;
/// 135 cubic angstrom per residue.
const RADIUS: f64 = 21.3;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn place(&mut self) -> [f32; 3] {
        loop {
            let unit = |x: u64| 2.0 * ((x >> 11) as f64 / (1_u64 << 53) as f64) - 1.0;
            let place: [f64; 3] = std::array::from_fn(|_| RADIUS * unit(self.next()));
            if place.iter().map(|x| x * x).sum::<f64>() <= RADIUS * RADIUS {
                return place.map(|x| x as f32);
            }
        }
    }

    fn label(&mut self) -> u32 {
        let mut left = self.next() % 1000;
        for (label, (_, share)) in (0..).zip(SHARES) {
            if left < share {
                return label;
            }
            left -= share;
        }
        0
    }
}

fn structure(random: &mut Random) -> Result<Named, Box<dyn std::error::Error>> {
    let mut places: Vec<[f32; 3]> = Vec::new();
    while places.len() < RESIDUES {
        let place = random.place();
        let apart = |p: &[f32; 3]| (0..3).map(|i| (p[i] - place[i]).powi(2)).sum::<f32>() > 14.4;
        if places.iter().all(apart) {
            places.push(place);
        }
    }
    let positions: Vec<_> = places.into_iter().map(Some).collect();
    let mut builder = GraphBuilder {
        labels: positions.iter().map(|_| random.label()).collect(),
        vertex_names: Some(Labels::from_iter(SHARES.map(|(name, _)| name))),
        ..GraphBuilder::default()
    };
    let mut distances = Vec::new();
    contacts_of(&positions, 8.0, |a, b, squared| {
        builder.edge(a, b);
        distances.push(squared.sqrt() as f32);
        true
    });
    builder.edge_columns.insert(DISTANCE, distances);
    Ok(Named {
        id: String::new(),
        description: None,
        graph: builder.build()?,
        names: Vec::new(),
        positions,
    })
}

fn motif(labels: Option<[&str; 4]>, size: f32) -> Result<Motif, penstock_graph::GraphError> {
    let places = [
        [0.0, 0.0, 0.0],
        [1.0, 0.1, 0.0],
        [0.2, 1.0, 0.1],
        [0.4, 0.3, 0.9],
    ];
    let point = |(at, place): (usize, [f32; 3])| MotifPoint {
        position: place.map(|x| x * size),
        labels: labels.map(|labels| vec![labels[at].to_owned()]),
        area: None,
    };
    Motif::new(places.into_iter().enumerate().map(point).collect())
}

fn searches() -> Result<(), Box<dyn std::error::Error>> {
    let mut random = Random(42);
    let structures: Vec<Named> = (0..STRUCTURES)
        .map(|_| structure(&mut random))
        .collect::<Result<_, _>>()?;
    let start = Instant::now();
    let options = SignatureOptions::default();
    let signatures: Vec<Signature> = structures
        .iter()
        .map(|s| Signature::of(s, &options))
        .collect::<Result<_, _>>()?;
    println!(
        "{STRUCTURES} signatures: {:.1} ms",
        1e3 * start.elapsed().as_secs_f64()
    );
    let hosts: Vec<Host> = structures
        .iter()
        .map(|s| Host::new(s.graph.clone()))
        .collect::<Result<_, _>>()?;
    let rare = Some(["HIS", "ASP", "SER", "GLY"]);
    let zinc = Some(["CYS", "CYS", "HIS", "HIS"]);
    let common = Some(["LEU", "ALA", "GLY", "VAL"]);
    for (name, motif) in [
        ("HIS ASP SER GLY, 5 to 8 angstrom", motif(rare, 5.5)?),
        ("HIS ASP SER GLY, 8 to 12 angstrom", motif(rare, 8.5)?),
        ("CYS CYS HIS HIS, 5 to 8 angstrom", motif(zinc, 5.5)?),
        ("LEU ALA GLY VAL, 8 to 12 angstrom", motif(common, 8.5)?),
        ("four of any, 8 to 12 angstrom", motif(None, 8.5)?),
    ] {
        let options = FindOptions {
            limit: usize::MAX,
            ..FindOptions::default()
        };
        let (mut times, mut occurrences) = (Vec::new(), 0);
        for _ in 0..5 {
            let start = Instant::now();
            occurrences = 0;
            for structure in &structures {
                occurrences += find(&motif, structure, &options)?.occurrences.len();
            }
            times.push(1e3 * start.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let start = Instant::now();
        let kept = signatures.iter().filter(|s| s.may_contain(&motif, 1.0));
        let kept = kept.count();
        let strict = signatures.iter().filter(|s| s.may_contain(&motif, 0.5));
        let strict = strict.count();
        let filter = 1e3 * start.elapsed().as_secs_f64() / 2.0;
        println!(
            "{name}: {:.2} ms, {occurrences} occurrences; \
             signatures leave {kept} ({strict} at 0.5 angstrom) in {filter:.2} ms",
            times[2]
        );
        let pattern = motif.pattern(1.0)?;
        let (start, mut count) = (Instant::now(), 0);
        for host in &hosts {
            count += host.count(&pattern, &MatchOptions::default())?.count;
        }
        let matching = 1e3 * start.elapsed().as_secs_f64();
        println!("  contact graphs up to 8 angstrom: {matching:.2} ms, {count} matches");
    }
    Ok(())
}

fn makers(path: &str) -> Result<(), Box<dyn std::error::Error>> {
    let go = AtomicBool::new(false);
    let options = ReadOptions {
        windows: None,
        ..ReadOptions::default()
    };
    let reader = open(Source::path(Path::new(path)), &options)?;
    let kind = reader.kind();
    let (mut seconds, mut vertices, mut edges, mut bytes) = (0.0, 0, 0, 0);
    for batch in reader {
        let batch = batch?;
        let start = Instant::now();
        let made = match kind {
            Kind::Protein => contacts::contacts(&batch, &ContactOptions::default(), &go)?,
            Kind::Dna => unitigs::unitigs(&batch, &UnitigOptions::default(), &go)?,
            Kind::Mesh => faces::faces(&batch, &FaceOptions::default(), &go)?,
            Kind::Graph => return Err("graphs are made already".into()),
        };
        seconds += start.elapsed().as_secs_f64();
        for named in made.graphs {
            vertices += named.graph.vertices();
            edges += named.graph.edges();
            bytes += named.graph.bytes();
        }
    }
    println!(
        "{path}: {vertices} vertices, {edges} edges, {bytes} bytes in {:.1} ms",
        1e3 * seconds
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    searches()?;
    std::env::args().skip(1).try_for_each(|path| makers(&path))
}
