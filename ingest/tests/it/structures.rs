//! Structures against Biopython (`tests/reference/biopython_counts.py`).

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float32Type, Int32Type};
use penstock_ingest::{ReadOptions, Source};
use penstock_types::columns;

use super::{corpus, read, read_text};

#[test]
fn counts_equal_those_of_biopython() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../golden/structures.json")).unwrap();
    for (name, expected) in golden.as_object().unwrap() {
        let Some(path) = corpus(&format!("protein/structure/{name}")) else {
            continue;
        };
        let all = read(Source::path(&path), &ReadOptions::default()).unwrap();
        assert_eq!(all.batches.len(), 1);
        let batch = &all.batches[0];
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let models = column(columns::MODEL).as_primitive::<Int32Type>().values();
        let distinct: BTreeSet<i32> = models.iter().copied().collect();
        assert_eq!(
            distinct.len() as u64,
            expected["models"].as_u64().unwrap(),
            "{name}"
        );

        // Chains that are no proteins are named in the warning, once for all models.
        let named: u64 = all
            .report
            .warnings
            .iter()
            .filter_map(|w| {
                w.message
                    .split(" chains of ")
                    .next()?
                    .rsplit(' ')
                    .next()?
                    .parse::<u64>()
                    .ok()
            })
            .sum();
        let chains = batch.num_rows() as u64 + named * distinct.len() as u64;
        assert_eq!(chains, expected["chains"].as_u64().unwrap(), "{name}");

        let proteins = expected["proteins"].as_array().unwrap();
        assert_eq!(proteins.len(), batch.num_rows(), "{name}");
        for (row, protein) in proteins.iter().enumerate() {
            let what = format!("{name} {protein}");
            assert_eq!(
                i64::from(models[row]),
                protein["model"].as_i64().unwrap(),
                "{what}"
            );
            let chain = column(columns::CHAIN).as_string::<i32>().value(row);
            assert_eq!(chain, protein["chain"], "{what}");
            let numbers = column(columns::RESIDUE_NUMBER).as_list::<i32>().value(row);
            let numbers = numbers.as_primitive::<Int32Type>();
            assert_eq!(
                numbers.len() as u64,
                protein["residues"].as_u64().unwrap(),
                "{what}"
            );
            let sum: i64 = numbers.values().iter().map(|n| i64::from(*n)).sum();
            assert_eq!(sum, protein["number_sum"].as_i64().unwrap(), "{what}");
            let present = column(columns::CA_PRESENT).as_list::<i32>().value(row);
            let present = present.as_boolean().true_count();
            assert_eq!(
                present as u64,
                protein["with_ca"].as_u64().unwrap(),
                "{what}"
            );
            let xyz = column(columns::CA_XYZ).as_list::<i32>().value(row);
            let xyz = xyz.as_fixed_size_list();
            assert_eq!(xyz.len(), numbers.len());
            let values = xyz.values().as_primitive::<Float32Type>().values().to_vec();
            for axis in 0..3 {
                let sum: f64 = values
                    .iter()
                    .skip(axis)
                    .step_by(3)
                    .map(|v| f64::from(*v))
                    .sum();
                let expected = protein["ca_sum"][axis].as_f64().unwrap();
                assert!((sum - expected).abs() < 2e-3, "{what}: {sum}");
            }
        }
    }
}

#[test]
fn both_formats_of_an_entry_are_one_record() {
    let (Some(pdb), Some(cif)) = (
        corpus("protein/structure/1A8O.pdb"),
        corpus("protein/structure/1A8O.cif"),
    ) else {
        return;
    };
    let pdb = read(Source::path(&pdb), &ReadOptions::default()).unwrap();
    let cif = read(Source::path(&cif), &ReadOptions::default()).unwrap();
    assert_eq!(pdb.ids(), ["1A8O:A"]);
    assert_eq!(pdb.ids(), cif.ids());
    // Selenomethionines are read as methionines.
    assert_eq!(
        pdb.sequences(),
        ["MDIRQGPKEPFRDYVDRFYKTLRAEQASQEVKNWMTETLLVQNANPDCKTILKALGPGATLEEMMTACQG"]
    );
    assert_eq!(pdb.sequences(), cif.sequences());
    assert_eq!(pdb.hashes(), cif.hashes());
    for column in [columns::DESCRIPTION, columns::EVENT_TIME] {
        let of = |all: &super::Read| format!("{:?}", all.batches[0].column_by_name(column));
        assert_eq!(of(&pdb).to_lowercase(), of(&cif).to_lowercase());
    }
}

const ATOM: &str = "ATOM      2  CA  MET A  25      51.216  19.092  28.509  1.00 10.64           C";

#[test]
fn places_of_a_residue() {
    let atom = |group: &str,
                name: &str,
                alt: &str,
                component: &str,
                number: &str,
                x: f32,
                occupancy: f32| {
        format!(
            "{group:<6}    2 {name:<4}{alt}{component:>3} A{number:<5}   {x:8.3}   2.000   3.000{occupancy:6.2} 10.00           C\n"
        )
    };
    let text = [
        "HEADER    TEST                                    01-JAN-99   9XYZ\n".to_owned(),
        "MODRES 9XYZ XYZ A    3  LYS  SOMETHING\n".to_owned(),
        atom("ATOM", " CA ", "A", "SER", "   1 ", 1.0, 0.4),
        atom("ATOM", " CA ", "B", "SER", "   1 ", 2.0, 0.6),
        atom("ATOM", " CA ", "A", "GLY", "   2 ", 3.0, 0.5),
        atom("ATOM", " CA ", "B", "ALA", "   2 ", 4.0, 0.5),
        atom("ATOM", " CA ", " ", "GLY", "   2A", 5.0, 1.0),
        atom("HETATM", " N  ", " ", "XYZ", "   3 ", 6.0, 1.0),
        atom("HETATM", " CA ", " ", "XYZ", "   3 ", 6.0, 1.0),
        atom("ATOM", " N  ", " ", "TRP", "   4 ", 7.0, 1.0),
        "TER\n".to_owned(),
        "TER      12      TRP A   4\n".to_owned(),
        atom("HETATM", " N  ", " ", "GLY", " 101 ", 8.0, 1.0),
        atom("HETATM", " CA ", " ", "GLY", " 101 ", 8.0, 1.0),
        atom("HETATM", "CA  ", " ", " CA", " 102 ", 9.0, 1.0),
        atom("HETATM", " O  ", " ", "HOH", " 103 ", 9.0, 1.0),
    ]
    .concat();
    let all = read_text("x.pdb", text).unwrap();
    assert_eq!(all.ids(), ["9XYZ:A"]);
    assert_eq!(all.sequences(), ["SGGKW"]);
    let batch = &all.batches[0];
    let xyz = batch
        .column_by_name(columns::CA_XYZ)
        .unwrap()
        .as_list::<i32>()
        .value(0);
    let xyz = xyz
        .as_fixed_size_list()
        .values()
        .as_primitive::<Float32Type>()
        .values()
        .to_vec();
    let x: Vec<f32> = xyz.iter().copied().step_by(3).collect();
    // The TRP has no C-alpha.
    assert_eq!(x, [2.0, 3.0, 5.0, 6.0, 0.0]);
    let message = &all.report.warnings[0].message;
    assert_eq!(message, "left out: 2 hetero groups, 1 waters");
}

#[test]
fn wrong_lines_are_named() {
    let cases = [
        (ATOM.replace("51.216", "   NaN"), "finite coordinate"),
        (ATOM.replace("51.216", "   inf"), "finite coordinate"),
        (ATOM.replace("  25 ", "  xx "), "residue number"),
        (ATOM[..50].to_owned(), "up to column 54"),
        (ATOM.replace("  1.00", "  one "), "occupancy"),
        ("MODEL        x".to_owned(), "model number"),
        (
            "MODEL        1\nENDMDL\nMODEL        1".to_owned(),
            "not used before",
        ),
    ];
    for (line, expected) in cases {
        let lines = 1 + line.lines().count();
        let error = read_text("x.pdb", format!("REMARK\n{line}\n{ATOM}\n"))
            .err()
            .unwrap();
        let text = error.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(text.contains(&format!("line {lines}")), "{text}");
    }
    let error = read_text("x.pdb", "REMARK\nEND\n")
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("a protein chain"), "{error}");
}

const CIF: &str = "data_TEST
loop_
_atom_site.group_PDB
_atom_site.label_atom_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_seq_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
ATOM CA GLY A 1 1.0 2.0 3.0
ATOM CA 'ALA' A
2 1.0 2.0 3.0
";

#[test]
fn cif_layouts() {
    assert_eq!(read_text("x.cif", CIF).unwrap().ids(), ["x:A"]);
    assert_eq!(read_text("x.cif", CIF).unwrap().sequences(), ["GA"]);
    let two = format!("{CIF}{}", CIF.replace("TEST", "MORE"));
    assert_eq!(read_text("x.cif", two).unwrap().ids(), ["x:A", "MORE:A"]);
    let commented = CIF.replace("loop_", "_struct.title\n;A long\ntitle\n;\n# no\nLOOP_");
    let all = read_text("x.cif", commented).unwrap();
    assert_eq!(
        all.texts(columns::DESCRIPTION),
        [Some("A long title".to_owned())]
    );
}

#[test]
fn cif_errors() {
    let cases = [
        (
            CIF.trim_end().trim_end_matches("3.0").to_owned(),
            13,
            "last row has 7 values",
        ),
        (
            CIF.replace("1.0 2.0 3.0\nATOM", "NaN 2.0 3.0\nATOM"),
            11,
            "finite number",
        ),
        (CIF.replace("'ALA'", "'ALA"), 12, "closing quote"),
        (
            format!("{CIF}_struct.title\n;never closed\nx\n"),
            15,
            "text field",
        ),
        (
            format!("{CIF}_struct.title\n"),
            14,
            "a value of `_struct.title`",
        ),
        (
            CIF.replace("data_TEST\n", "# x\n_entry.id x\n"),
            2,
            "`data_`",
        ),
        (CIF.replace("_atom_site.Cartn_x\n", ""), 10, "cartn_x"),
    ];
    for (text, line, expected) in cases {
        let error = read_text("x.cif", text).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(&format!("line {line}")), "{error}");
    }
    let bad = CIF.replace("GLY A 1 1.0", "GLY A 1 NaN");
    let both = super::read_skipping("x.cif", format!("{bad}{CIF}")).unwrap();
    assert_eq!((both.report.records, both.report.skipped_count), (1, 1));
}
