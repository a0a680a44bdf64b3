//! Graphs of real files. Structures and models are looked for in `PENSTOCK_CORPUS`.

use std::path::{Path, PathBuf};

use penstock_geometry::Transform;
use penstock_ingest::{ReadOptions, Source, open};

use super::super::{contacts, faces, unitigs};
use super::*;
use crate::motif::{FindOptions, LabelMatch, Motif, Signature, SignatureOptions, find};
use crate::named::Named;

fn corpus(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PENSTOCK_CORPUS").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/corpus"
            ))
        },
        PathBuf::from,
    );
    let file = root.join(path);
    let there = file.exists();
    if !there {
        println!(
            "skipped: {} is not there (set PENSTOCK_CORPUS)",
            file.display()
        );
    }
    there.then_some(file)
}

fn read(path: &Path) -> Vec<RecordBatch> {
    let reader = open(Source::path(path), &ReadOptions::default()).unwrap();
    reader.map(|batch| batch.unwrap()).collect()
}

fn structures(path: &str) -> Option<Vec<Named>> {
    let options = contacts::ContactOptions::default();
    let batches = read(&corpus(path)?);
    let made = batches
        .iter()
        .map(|b| contacts::contacts(b, &options, &GO).unwrap());
    Some(made.flat_map(|made| made.graphs).collect())
}

/// One structure in two formats, and a motif of one in the other.
#[test]
fn residues() {
    let (Some(pdb), Some(cif)) = (
        structures("protein/structure/1A8O.pdb"),
        structures("protein/structure/1A8O.cif"),
    ) else {
        return;
    };
    let (pdb, cif) = (&pdb[0], &cif[0]);
    let motif = Motif::of_residues(pdb, "A:198,218,184-186", LabelMatch::Exact).unwrap();
    let labels: Vec<_> = motif
        .points()
        .iter()
        .flat_map(|p| p.labels.clone().unwrap())
        .collect();
    assert_eq!(&labels[..2], ["CYS", "CYS"]);
    for target in [pdb, cif] {
        let found = find(&motif, target, &FindOptions::default()).unwrap();
        assert!(found.complete);
        let best = &found.occurrences[0];
        let names: Vec<_> = best
            .vertices
            .iter()
            .map(|v| &target.names[*v as usize][..])
            .collect();
        assert_eq!(names[..2], ["A:CYS198", "A:CYS218"]);
        assert!(best.rmsd < 1e-3);
        let signature = Signature::of(target, &SignatureOptions::default()).unwrap();
        assert!(signature.may_contain(&motif, 1.0));
    }
    // The chain is bonded throughout.
    let bonds = pdb.graph.iter_edges().filter(|e| e.label == 1).count();
    assert_eq!(bonds, pdb.graph.vertices() - 1);
    for path in [
        "1LCD.pdb",
        "2BEG.pdb",
        "3JQH.cif",
        "1A7G.cif",
        "disordered.pdb",
    ] {
        let graphs = structures(&format!("protein/structure/{path}")).unwrap();
        assert!(!graphs.is_empty(), "{path}");
        for graph in graphs {
            let distances = graph.graph.edge_columns().get(contacts::DISTANCE).unwrap();
            assert!(distances.iter().all(|d| *d < 8.0));
        }
    }
}

/// A patch of a model in a turned copy of it.
#[test]
fn models() {
    let Some(folder) = corpus("mesh/models") else {
        return;
    };
    let options = faces::FaceOptions::default();
    for name in ["suzanne.obj", "spot.obj", "fandisk.obj"] {
        let batches = read(&folder.join(name));
        let made = faces::faces(&batches[0], &options, &GO).unwrap();
        let named = &made.graphs[0];
        let mut patch = vec![7];
        let mut at = 0;
        while patch.len() < 8 {
            for next in named.graph.neighbours(patch[at]) {
                if patch.len() < 8 && !patch.contains(next) {
                    patch.push(*next);
                }
            }
            at += 1;
        }
        let motif = Motif::of_patch(named, &patch, LabelMatch::Any).unwrap();
        let motion = Transform {
            rotation: [[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]],
            translation: [0.1, 0.2, 0.3],
        };
        let mut turned = named.clone();
        for place in turned.positions.iter_mut().flatten() {
            *place = motion.apply(*place).map(|x| x as f32);
        }
        let size = named.graph.vertex_columns().get(faces::AREA).unwrap()[7].sqrt();
        let find_options = FindOptions {
            tolerance: 0.01 * f64::from(size),
            max_rmsd: 0.01 * f64::from(size),
            ..FindOptions::default()
        };
        let found = find(&motif, &turned, &find_options).unwrap();
        assert!(found.complete, "{name}");
        let there = found
            .occurrences
            .iter()
            .find(|o| o.vertices == patch)
            .unwrap();
        assert!(
            there.rmsd < 0.001 * f64::from(size),
            "{name}: {}",
            there.rmsd
        );
        println!(
            "{name}: {} faces, {} occurrences",
            turned.positions.len(),
            found.occurrences.len()
        );
    }
}

#[test]
fn genome() {
    let Some(file) = corpus("dna/lambda_virus.fa") else {
        return;
    };
    let options = unitigs::UnitigOptions::default();
    let mut graphs = 0;
    for batch in read(&file) {
        for named in unitigs::unitigs(&batch, &options, &GO).unwrap().graphs {
            let column = |name| named.graph.vertex_columns().get(name).unwrap();
            let pairs = column(unitigs::LENGTH)
                .iter()
                .zip(column(unitigs::COVERAGE));
            // Every k-mer is counted, and nothing else.
            let kmers: f64 = pairs
                .map(|(l, c)| (f64::from(*l) - 20.0) * f64::from(*c))
                .sum();
            assert!(
                kmers > 0.0 && (kmers - kmers.round()).abs() < 0.01,
                "{kmers}"
            );
            graphs += 1;
        }
    }
    assert!(graphs > 0);
}
