use super::*;

fn text(dataset: &str) -> Result<Mesh, Fault> {
    read(format!("# vtk DataFile Version 3.0\na title\nASCII\nDATASET {dataset}").as_bytes())
}

fn reason(result: Result<Mesh, Fault>) -> String {
    format!("{:?}", result.unwrap_err())
}

const SQUARE: &str = "POINTS 4 float\n0 0 0 1 0 0\n1 1 0 0 1 0\n";

#[test]
fn polydata() {
    let mesh = text(&format!(
        "POLYDATA\n{SQUARE}VERTICES 1 2\n1 0\nLINES 1 4 3 0 1 2\nPOLYGONS 1 5\n4 0 1 2 3\n\
         TRIANGLE_STRIPS 1 5\n4 0 1 3 2\nCELL_DATA 4\nSCALARS a int\n"
    ))
    .unwrap();
    assert_eq!(mesh.description.as_deref(), Some("a title"));
    assert_eq!(mesh.polygon_sizes, [4, 3, 3]);
    assert_eq!(mesh.faces[2..], [[0, 1, 3], [3, 1, 2]]);
    assert_eq!(mesh.cells.unwrap().types, [1, 4, 9, 6]);
    assert_eq!(mesh.notes, ["data of points and cells are not kept"]);
}

#[test]
fn offsets_of_version_5() {
    let mesh = text(&format!(
        "POLYDATA\nFIELD f 2\nTIME 1 1 double\n0.5\nwords 1 2 string\na b\nc\n{SQUARE}\
         METADATA\nINFORMATION 0\n\nPOLYGONS 3 6\nOFFSETS vtktypeint64\n0 3 6\n\
         CONNECTIVITY vtktypeint64\n0 1 2 0 2 3\n"
    ))
    .unwrap();
    assert_eq!(mesh.faces, [[0, 1, 2], [0, 2, 3]]);
    assert!(mesh.cells.is_none());
    assert_eq!(mesh.notes, ["field data are not kept"]);
}

#[test]
fn binary() {
    let mut bytes =
        b"# vtk DataFile Version 4.2\n\nBINARY\nDATASET UNSTRUCTURED_GRID\nPOINTS 4 double\n"
            .to_vec();
    for i in 0..4 {
        for axis in 0..3 {
            bytes.extend(f64::from(u8::from(i == axis + 1)).to_be_bytes());
        }
    }
    bytes.extend(b"\nCELLS 1 5\n");
    for n in [4i32, 0, 1, 2, 3] {
        bytes.extend(n.to_be_bytes());
    }
    bytes.extend(b"\nCELL_TYPES 1\n");
    bytes.extend(10i32.to_be_bytes());
    let mesh = read(&bytes).unwrap();
    assert_eq!(mesh.faces.len(), 4);
    assert_eq!(mesh.cells.unwrap().connectivity, [0, 1, 2, 3]);
    for cut in 0..bytes.len() {
        // Between the sections the file is whole, only smaller.
        if let Ok(part) = read(&bytes[..cut]) {
            assert_eq!(part.faces.len(), 0, "cut at {cut}");
        }
    }
}

#[test]
fn a_polyhedron_in_its_connectivity() {
    let mesh = text(
        "UNSTRUCTURED_GRID\nPOINTS 4 float\n0 0 0 1 0 0 0 1 0 0 0 1\n\
         CELLS 1 18\n17 4 3 0 2 1 3 0 1 3 3 1 2 3 3 0 3 2\nCELL_TYPES 1\n42\n",
    )
    .unwrap();
    assert_eq!(mesh.polygon_sizes, [3; 4]);
    assert_eq!(mesh.cells.unwrap().connectivity, [0, 1, 2, 3]);
}

#[test]
fn structured_grids() {
    let points = |n: [usize; 3]| {
        let mut text = format!(
            "STRUCTURED_GRID\nDIMENSIONS {} {} {}\nPOINTS {} float\n",
            n[0],
            n[1],
            n[2],
            n.iter().product::<usize>()
        );
        for z in 0..n[2] {
            for y in 0..n[1] {
                for x in 0..n[0] {
                    text += &format!("{x} {y} {z}\n");
                }
            }
        }
        text
    };
    let solid = text(&points([3, 2, 2])).unwrap();
    assert_eq!(solid.cells.as_ref().unwrap().types, [12, 12]);
    assert_eq!(solid.polygon_sizes.len(), 10);
    let measured = crate::mesh::geometry::measure(&solid).unwrap();
    assert!((measured.volume.unwrap() - 2.0).abs() < 1e-12);
    let sheet = text(&points([3, 1, 3])).unwrap();
    assert_eq!(sheet.polygon_sizes, [4; 4]);
    assert!(sheet.cells.is_none());
    let line = text(&points([1, 1, 3])).unwrap();
    assert_eq!(line.cells.unwrap().types, [3, 3]);
    let wrong = text("STRUCTURED_GRID\nDIMENSIONS 3 3 3\nPOINTS 1 float\n0 0 0\n");
    assert!(reason(wrong).contains("[3, 3, 3]"));
}

#[test]
fn errors() {
    for (dataset, words) in [
        ("STRUCTURED_POINTS\n", "no points of its own"),
        ("BOGUS\n", "a VTK data set"),
        ("POLYDATA\n", "points"),
        ("POLYDATA\nPOINTS 2 float\n0 0 0\n1 x", "Line(7)"),
        ("POLYDATA\nPOINTS 999999999999 float\n0 0 0\n", "a number"),
        ("POLYDATA\nPOINTS 1 quux\n0 0 0\n", "`quux`"),
        ("POLYDATA\nPOINTS 1 float\n0 0 nan\n", "finite"),
        (
            "POLYDATA\nPOINTS 1 float\n0 0 0\nPOLYGONS 1 4\n3 0 0 1\n",
            "below 1",
        ),
        (
            "POLYDATA\nPOINTS 1 float\n0 0 0\nPOLYGONS 2 4\n3 0 0 0\n",
            "within cell 1",
        ),
        ("POLYDATA\nPOINTS 1 float\n0 0 0\nBOGUS 1\n", "`BOGUS`"),
        (
            "UNSTRUCTURED_GRID\nPOINTS 1 float\n0 0 0\nCELLS 1 2\n1 0\n",
            "a type for each",
        ),
    ] {
        let reason = reason(text(dataset));
        assert!(reason.contains(words), "{dataset:?}: {reason}");
    }
    assert!(reason(read(b"# vtk\n")).contains("vtk DataFile"));
}
