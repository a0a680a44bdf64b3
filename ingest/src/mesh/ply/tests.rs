use super::*;

const FACE: &str = "element face 1\nproperty list uchar int vertex_indices\n";
const XYZ: &str = "property float x\nproperty float y\nproperty float z\n";

fn ascii(head: &str, body: &str) -> Result<Mesh, Fault> {
    read(format!("ply\nformat ascii 1.0\n{head}end_header\n{body}").as_bytes())
}

fn reason(result: Result<Mesh, Fault>) -> String {
    format!("{:?}", result.unwrap_err())
}

#[test]
fn properties_in_any_order() {
    let head = "comment made by hand\nobj_info twice\nelement face 2\nproperty uchar material\n\
                property list uchar uint vertex_index\nproperty list short float texcoord\n\
                element vertex 4\nproperty double z\nproperty uchar red\nproperty short y\n\
                property float x\nelement edge 1\nproperty int vertex1\n";
    let body = "7 3 0 1 2 0\n7 4 0 1 2 3 2 0.5 0.5\n9 255 1 2.5\n9 0 0 0\n9 0 1 1\n9 0 2 2\n5\n";
    let mesh = ascii(head, body).unwrap();
    assert_eq!(mesh.vertices[0], [2.5, 1.0, 9.0]);
    assert_eq!(mesh.polygon_sizes, [3, 4]);
    assert_eq!(mesh.faces[1..], [[0, 1, 2], [0, 2, 3]]);
    assert_eq!(mesh.description.as_deref(), Some("made by hand\ntwice"));
    let notes = mesh.notes.join("; ");
    for name in ["material", "texcoord", "red", "vertex1"] {
        assert!(notes.contains(name), "{name} not in {notes}");
    }
}

#[test]
fn both_byte_orders_and_line_ends() {
    for (format, big) in [("binary_little_endian", false), ("binary_big_endian", true)] {
        for end in ["\n", "\r\n", "\r"] {
            let head = format!(
                "ply\nformat {format} 1.0\nelement vertex 3\nproperty char y\nproperty float x\n\
                 property double z\nelement face 1\nproperty list ushort uint vertex_indices\n\
                 end_header\n"
            );
            let mut bytes = head.replace('\n', end).into_bytes();
            let mut put = |value: &[u8]| {
                let mut value = value.to_vec();
                if big {
                    value.reverse();
                }
                bytes.extend(value);
            };
            for i in 0..3i8 {
                put(&(-i).to_le_bytes());
                put(&(f32::from(i) / 2.0).to_le_bytes());
                put(&f64::from(i).to_le_bytes());
            }
            put(&3u16.to_le_bytes());
            for i in [2u32, 1, 0] {
                put(&i.to_le_bytes());
            }
            let mesh = read(&bytes).unwrap();
            assert_eq!(mesh.vertices[2], [1.0, -2.0, 2.0]);
            assert_eq!(mesh.faces, [[2, 1, 0]]);
            assert!(mesh.notes.is_empty(), "{:?}", mesh.notes);
            for cut in 0..bytes.len() {
                assert!(read(&bytes[..cut]).is_err(), "cut at {cut}");
            }
            bytes.push(0);
            assert!(read(&bytes).unwrap().notes[0].contains("1 bytes after"));
        }
    }
}

#[test]
fn strips_and_points() {
    let head = format!(
        "element vertex 4\n{XYZ}element tristrips 1\nproperty list int int vertex_indices\n"
    );
    let mesh = ascii(&head, "0 0 0\n1 0 0\n0 1 0\n1 1 0\n8 0 1 2 3 -1 2 1 0").unwrap();
    assert_eq!(mesh.faces, [[0, 1, 2], [2, 1, 3], [2, 1, 0]]);
    let mesh = ascii(&format!("element vertex 1\n{XYZ}"), "1 2 3").unwrap();
    assert_eq!((mesh.vertices.len(), mesh.faces.len()), (1, 0));
}

#[test]
fn bad_headers() {
    for (head, words) in [
        ("", "element `vertex`"),
        ("element vertex 1\nproperty float x\n", "x, y and z"),
        ("property float x\n", "an element before"),
        ("element vertex -1\n", "count of an element"),
        ("element vertex 1\nproperty long x\n", "`long`"),
        (
            "element vertex 1\nproperty list float int x\n",
            "a length of integers",
        ),
        (
            "element face 1\nproperty list int float vertex_index\n",
            "an integer type",
        ),
        ("element vertex 1\nelement vertex 1\n", "each element once"),
        ("bogus\n", "a keyword"),
    ] {
        let reason = reason(ascii(head, ""));
        assert!(reason.contains(words), "{head:?}: {reason}");
    }
    assert!(reason(read(b"ply\nformat ascii 2.0\n")).contains("version 1.0"));
    assert!(reason(read(b"ply\nformat ascii 1.0\n")).contains("end_header"));
    assert!(reason(read(b"ply\nend_header\n")).contains("format"));
    assert!(reason(read(b"plx\n")).contains("`ply`"));
}

#[test]
fn bad_bodies() {
    let head = format!("element vertex 3\n{XYZ}{FACE}");
    let points = "0 0 0\n0 0 1\n0 1 0\n";
    for (body, words) in [
        ("0 0 0\n", "3 elements `vertex`"),
        ("0 0 0\n0 0 1\n0 1 x\n3 0 1 2", "a number"),
        ("0 0 0\n0 0 1\n0 1 nan\n3 0 1 2", "finite"),
        (&format!("{points}3 0 1 3"), "Line(13)"),
        (&format!("{points}3 0 1 -1"), "below 3"),
        (&format!("{points}2 0 1"), "three corners"),
        (&format!("{points}-3 0 1"), "length of a list"),
        (&format!("{points}3 0 1"), "an integer"),
    ] {
        let reason = reason(ascii(&head, body));
        assert!(reason.contains(words), "{body:?}: {reason}");
    }
    let huge = format!("element vertex 99999999999999\n{XYZ}");
    assert!(reason(ascii(&huge, "0 0 0\n")).contains("too few bytes"));
}
