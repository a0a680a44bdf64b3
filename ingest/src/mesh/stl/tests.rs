use super::*;

const TRIANGLES: [[[f32; 3]; 3]; 4] = [
    [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
    [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
    [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]],
    [[1.0, 0.0, -0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
];

fn binary_file(header: &[u8], count: u32, attribute: u16) -> Vec<u8> {
    let mut bytes = header.to_vec();
    bytes.resize(80, 0);
    bytes.extend(count.to_le_bytes());
    for triangle in TRIANGLES {
        // A normal that is neither zero nor contrary.
        bytes.extend([0, 0, 192, 127].repeat(3));
        for x in triangle.as_flattened() {
            bytes.extend(x.to_le_bytes());
        }
        bytes.extend(attribute.to_le_bytes());
    }
    bytes
}

fn facet(triangle: [[f32; 3]; 3], normal: &str) -> String {
    let [a, b, c] = triangle.map(|[x, y, z]| format!("vertex {x} {y} {z}\n"));
    format!("FACET normal {normal}\n outer loop\n{a}{b}{c} endloop\nendfacet\n")
}

fn reason(bytes: &[u8]) -> String {
    format!("{:?}", read(bytes).unwrap_err())
}

#[test]
fn binary_and_its_solid_header() {
    for header in [&b"exported by hand"[..], b"solid exported by hand"] {
        let mesh = read(&binary_file(header, 4, 0)).unwrap();
        assert_eq!((mesh.vertices.len(), mesh.faces.len()), (4, 4));
        assert_eq!(mesh.description.as_deref().map(str::as_bytes), Some(header));
        assert_eq!(mesh.face_group, [-1; 4]);
        assert!(mesh.notes.is_empty());
    }
}

#[test]
fn binary_oddities_are_noted() {
    let mut bytes = binary_file(b"solid", 4, 7);
    bytes.extend([1, 2, 3]);
    let mesh = read(&bytes).unwrap();
    assert_eq!(mesh.faces.len(), 4);
    assert!(mesh.notes[0].contains("attribute bytes of 4 facets"));
    assert!(mesh.notes[1].contains("3 bytes after the 4 facets"));
}

#[test]
fn binary_lies_are_refused() {
    let mut lie = vec![0; 80];
    lie.extend(u32::MAX.to_le_bytes());
    assert!(
        reason(&lie).contains("4294967295 facets"),
        "{}",
        reason(&lie)
    );
    assert!(reason(&binary_file(b"", 5, 0)).contains("5 facets"));
    assert!(reason(&binary_file(b"", 0, 0)[..84]).contains("0 facets"));
    assert!(reason(b"abc").contains("84 bytes"));
    assert!(reason(b"").contains("84 bytes"));
    let mut nan = binary_file(b"", 4, 0);
    nan[96..100].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(reason(&nan).contains("finite"));
}

#[test]
fn solids_are_groups() {
    let [a, b, c, d] = TRIANGLES.map(|t| facet(t, "0 0 0"));
    let text = format!("solid left part\n{a}{b}endsolid left part\nSOLID\n{c}{d}EndSolid\n");
    let mesh = read(text.as_bytes()).unwrap();
    assert_eq!(mesh.group_names, ["left part", ""]);
    assert_eq!(mesh.face_group, [0, 0, 1, 1]);
    assert_eq!(mesh.vertices.len(), 4, "vertices are merged across solids");
    assert_eq!(mesh.name, None);
    assert!(mesh.notes[0].contains("normals of 4 facets are zero"));
}

#[test]
fn contrary_normals_are_noted() {
    let text = format!("solid a b\n{}endsolid", facet(TRIANGLES[0], "0 0 1"));
    let mesh = read(text.as_bytes()).unwrap();
    assert_eq!(mesh.name.as_deref(), Some("a b"));
    assert!(mesh.notes[0].contains("normals of 1 facets"));
}

#[test]
fn ascii_errors_have_lines() {
    for (text, words) in [
        ("solid a\nendsolid a\n", "facets"),
        ("solid a\nfacet normal 0 0 x\n", "Line(2)"),
        (
            "solid a\nfacet normal 0 0 1\nouter loop\nvertex 1 2\nvertex",
            "Line(5)",
        ),
        ("solid a\n", "`facet` or `endsolid`"),
        ("solid a\nendsolid\nrubbish", "`solid` or the end"),
    ] {
        assert!(
            reason(text.as_bytes()).contains(words),
            "{}",
            reason(text.as_bytes())
        );
    }
}
