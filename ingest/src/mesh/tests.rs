//! Meshes written here in every format and read back, and bytes that are no mesh.

use proptest::prelude::*;

use super::*;
use crate::{Limits, Report};

const MESHES: [Format; 7] = [
    Format::Stl,
    Format::Obj,
    Format::Ply,
    Format::Off,
    Format::LegacyVtk,
    Format::Vtu,
    Format::Vtp,
];

fn context() -> ReadContext {
    ReadContext {
        file: "a.mesh".into(),
        source: "a.mesh".into(),
        event_time: 0,
        limits: Limits::default(),
        dominance: Default::default(),
        report: Report::default(),
    }
}

/// Vertices and triangles that name three different ones.
#[derive(Debug, Clone)]
struct Soup {
    vertices: Vec<[f32; 3]>,
    faces: Vec<[usize; 3]>,
}

fn soup() -> impl Strategy<Value = Soup> {
    let number = prop_oneof![
        (-100i16..100).prop_map(|n| f32::from(n) / 8.0),
        -1e6f32..1e6,
        Just(0.0f32),
    ];
    let vertices = prop::collection::vec([number.clone(), number.clone(), number], 3..40);
    (vertices, prop::collection::vec(any::<[u16; 3]>(), 1..60)).prop_map(|(vertices, faces)| {
        let n = vertices.len();
        let face = |[a, b, c]: [u16; 3]| {
            let a = usize::from(a) % n;
            let b = (a + 1 + usize::from(b) % (n - 1)) % n;
            let mut c = usize::from(c) % n;
            while c == a || c == b {
                c = (c + 1) % n;
            }
            [a, b, c]
        };
        Soup {
            faces: faces.into_iter().map(face).collect(),
            vertices,
        }
    })
}

fn lines<T: std::fmt::Display, const N: usize>(rows: &[[T; N]], head: &str) -> String {
    rows.iter()
        .map(|row| {
            let words: Vec<String> = row.iter().map(T::to_string).collect();
            format!("{head}{}\n", words.join(" "))
        })
        .collect()
}

impl Soup {
    fn corners(&self) -> impl Iterator<Item = [[f32; 3]; 3]> {
        self.faces.iter().map(|face| face.map(|v| self.vertices[v]))
    }

    fn binary_stl(&self) -> Vec<u8> {
        let mut bytes = b"solid that is none".to_vec();
        bytes.resize(80, b' ');
        bytes.extend((self.faces.len() as u32).to_le_bytes());
        for corners in self.corners() {
            bytes.extend([0; 12]);
            bytes.extend(corners.as_flattened().iter().flat_map(|x| x.to_le_bytes()));
            bytes.extend([0; 2]);
        }
        bytes
    }

    fn ascii_stl(&self) -> Vec<u8> {
        let facets: String = self
            .corners()
            .map(|corners| {
                let corners = lines(&corners, "vertex ");
                format!("facet normal 0 0 0\nouter loop\n{corners}endloop\nendfacet\n")
            })
            .collect();
        format!("solid\n{facets}endsolid\n").into_bytes()
    }

    fn obj(&self) -> Vec<u8> {
        let faces: Vec<[usize; 3]> = self.faces.iter().map(|f| f.map(|v| v + 1)).collect();
        (lines(&self.vertices, "v ") + &lines(&faces, "f ")).into_bytes()
    }

    fn off(&self) -> Vec<u8> {
        let head = format!("OFF {} {} 0\n", self.vertices.len(), self.faces.len());
        (head + &lines(&self.vertices, "") + &lines(&self.faces, "3 ")).into_bytes()
    }

    fn ply(&self, encoding: &str) -> Vec<u8> {
        let mut bytes = format!(
            "ply\nformat {encoding} 1.0\nelement vertex {}\nproperty float x\nproperty float y\n\
             property float z\nelement face {}\nproperty list uchar int vertex_indices\n\
             end_header\n",
            self.vertices.len(),
            self.faces.len()
        )
        .into_bytes();
        let big = encoding == "binary_big_endian";
        if encoding == "ascii" {
            bytes.extend((lines(&self.vertices, "") + &lines(&self.faces, "3 ")).into_bytes());
            return bytes;
        }
        let four = |le: [u8; 4], be: [u8; 4]| if big { be } else { le };
        for x in self.vertices.as_flattened() {
            bytes.extend(four(x.to_le_bytes(), x.to_be_bytes()));
        }
        for face in &self.faces {
            bytes.push(3);
            for v in face {
                let v = *v as i32;
                bytes.extend(four(v.to_le_bytes(), v.to_be_bytes()));
            }
        }
        bytes
    }

    fn vtk(&self, binary: bool) -> Vec<u8> {
        let word = if binary { "BINARY" } else { "ASCII" };
        let (n, m) = (self.vertices.len(), self.faces.len());
        let mut bytes =
            format!("# vtk DataFile Version 3.0\nt\n{word}\nDATASET POLYDATA\nPOINTS {n} float\n")
                .into_bytes();
        if binary {
            bytes.extend(
                self.vertices
                    .as_flattened()
                    .iter()
                    .flat_map(|x| x.to_be_bytes()),
            );
        } else {
            bytes.extend(lines(&self.vertices, "").into_bytes());
        }
        bytes.extend(format!("\nPOLYGONS {m} {}\n", 4 * m).into_bytes());
        if binary {
            for face in &self.faces {
                bytes.extend(3i32.to_be_bytes());
                bytes.extend(face.iter().flat_map(|v| (*v as i32).to_be_bytes()));
            }
        } else {
            bytes.extend(lines(&self.faces, "3 ").into_bytes());
        }
        bytes
    }

    fn xml(&self, root: &str, cells: &str) -> Vec<u8> {
        let array = |kind: &str, name: &str, text: String| {
            format!(
                "<DataArray type=\"{kind}\" Name=\"{name}\" format=\"ascii\">{text}</DataArray>"
            )
        };
        let ends: String = (1..=self.faces.len())
            .map(|i| format!("{} ", 3 * i))
            .collect();
        let types = if cells == "Cells" {
            array("UInt8", "types", "5 ".repeat(self.faces.len()))
        } else {
            String::new()
        };
        format!(
            "<VTKFile type=\"{root}\"><{root}><Piece NumberOfPoints=\"{}\"><Points>{}</Points>\
             <{cells}>{}{}{types}</{cells}></Piece></{root}></VTKFile>",
            self.vertices.len(),
            array("Float32", "Points", lines(&self.vertices, "")),
            array("Int64", "connectivity", lines(&self.faces, "")),
            array("Int64", "offsets", ends),
        )
        .into_bytes()
    }

    /// The mesh in every format and form.
    fn files(&self) -> Vec<(Format, Vec<u8>)> {
        vec![
            (Format::Stl, self.binary_stl()),
            (Format::Stl, self.ascii_stl()),
            (Format::Obj, self.obj()),
            (Format::Off, self.off()),
            (Format::Ply, self.ply("ascii")),
            (Format::Ply, self.ply("binary_little_endian")),
            (Format::Ply, self.ply("binary_big_endian")),
            (Format::LegacyVtk, self.vtk(false)),
            (Format::LegacyVtk, self.vtk(true)),
            (Format::Vtu, self.xml("UnstructuredGrid", "Cells")),
            (Format::Vtp, self.xml("PolyData", "Polys")),
        ]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_format_round_trips(soup in soup()) {
        let wide: Vec<[f64; 3]> = soup.vertices.iter().map(|v| v.map(f64::from)).collect();
        let corners: Vec<_> = soup.faces.iter().map(|face| face.map(|v| wide[v])).collect();
        for (format, bytes) in soup.files() {
            let mesh = parse(format, &bytes, 1 << 30).unwrap();
            // Text holds the shortest digits of an f32, which are another f64.
            let same = |found: [f64; 3], wanted: [f64; 3]| {
                found.iter().zip(wanted).all(|(a, b)| *a as f32 == b as f32)
            };
            prop_assert_eq!(mesh.faces.len(), corners.len());
            for (face, wanted) in mesh.faces.iter().zip(&corners) {
                for (v, wanted) in face.iter().zip(wanted) {
                    prop_assert!(same(mesh.vertices[*v as usize], *wanted), "{}", format);
                }
            }
            if format != Format::Stl {
                prop_assert_eq!(mesh.vertices.len(), wide.len());
                let faces: Vec<[i32; 3]> =
                    soup.faces.iter().map(|face| face.map(|v| v as i32)).collect();
                prop_assert_eq!(&mesh.faces, &faces);
            }
            let mut context = context();
            let batch = read(format, "a", "a", &mut &bytes[..], &mut context).unwrap();
            prop_assert_eq!(batch.num_rows(), 1);
        }
    }

    #[test]
    fn damage_never_panics(soup in soup(), cut in any::<prop::sample::Index>(),
                           flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        for (format, mut bytes) in soup.files() {
            let cut = cut.index(bytes.len());
            let _ = read(format, "a", "a", &mut &bytes[..cut], &mut context());
            for (place, value) in &flips {
                let place = place.index(bytes.len());
                bytes[place] = *value;
            }
            let _ = read(format, "a", "a", &mut &bytes[..], &mut context());
        }
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), words in "[a-z0-9 .\n-]{0,200}") {
        for format in MESHES {
            let _ = read(format, "a", "a", &mut &bytes[..], &mut context());
            for head in [
                "solid a\nfacet ", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf ", "OFF 3 1 0\n",
                "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\n",
                "# vtk DataFile Version 3.0\nt\nASCII\nDATASET POLYDATA\nPOINTS ",
                "<VTKFile type=\"PolyData\"><PolyData><Piece><Points>",
            ] {
                let text = format!("{head}{words}");
                let _ = read(format, "a", "a", &mut text.as_bytes(), &mut context());
            }
        }
    }
}

#[test]
fn the_row() {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Float64Type, Int64Type};
    let text = b"# cube face\no plate\nv 0 0 0\nv 2 0 0\nv 2 1 0\nv 0 1 0\nvn 0 0 1\nf 1 2 3 4\n";
    let mut context = context();
    let batch = read(Format::Obj, "x/a.obj", "a", &mut &text[..], &mut context).unwrap();
    assert_eq!(
        batch.schema(),
        penstock_types::columns::schema(penstock_types::Kind::Mesh)
    );
    let column = |name: &str| batch.column_by_name(name).unwrap();
    assert_eq!(column("id").as_string::<i32>().value(0), "a");
    assert_eq!(column("name").as_string::<i32>().value(0), "plate");
    assert_eq!(
        column("description").as_string::<i32>().value(0),
        "cube face"
    );
    assert_eq!(column("source").as_string::<i32>().value(0), "x/a.obj");
    assert_eq!(column("area").as_primitive::<Float64Type>().value(0), 2.0);
    assert!(column("volume").is_null(0) && column("cell_types").is_null(0));
    assert_eq!(column("face_count").as_primitive::<Int64Type>().value(0), 2);
    assert_eq!(column("vertices").as_list::<i32>().value(0).len(), 4);
    assert_eq!(column("bounds_max").as_fixed_size_list().value(0).len(), 3);
    let messages: Vec<&str> = context
        .report
        .warnings
        .iter()
        .map(|w| w.message.as_str())
        .collect();
    assert_eq!(
        messages,
        ["1 normals (vn) are not kept", "defects: 4 open edges"]
    );
}

#[test]
fn equal_meshes_hash_alike_in_every_format() {
    let soup = Soup {
        vertices: vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        faces: vec![[0, 1, 2]],
    };
    let hashes: std::collections::BTreeSet<Vec<u8>> = soup
        .files()
        .into_iter()
        // A solid of ASCII STL is a group, which the others have none of.
        .filter(|(_, bytes)| !bytes.starts_with(b"solid\n"))
        .map(|(format, bytes)| {
            use arrow::array::AsArray;
            let batch = read(format, "a", "a", &mut &bytes[..], &mut context()).unwrap();
            batch
                .column_by_name("content_hash")
                .unwrap()
                .as_fixed_size_binary()
                .value(0)
                .to_vec()
        })
        .collect();
    assert_eq!(hashes.len(), 1);
}

#[test]
fn the_limit_holds() {
    let mut context = context();
    context.limits.max_record_bytes = 10;
    let error = read(
        Format::Obj,
        "a",
        "a",
        &mut &b"v 0 0 0 # long"[..],
        &mut context,
    )
    .unwrap_err();
    assert!(
        matches!(error, ReadError::Limit { limit: 10, .. }),
        "{error}"
    );
}
