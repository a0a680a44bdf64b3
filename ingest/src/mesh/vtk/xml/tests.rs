use super::*;

const LIMIT: u64 = 1 << 20;

fn file(attributes: &str, body: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<VTKFile {attributes}>\n{body}\n</VTKFile>\n")
}

fn array(kind: &str, name: &str, values: &str) -> String {
    format!("<DataArray type=\"{kind}\" Name=\"{name}\" format=\"ascii\">{values}</DataArray>")
}

const TETRA: &str = "0 0 0 1 0 0 0 1 0 0 0 1";

fn grid(cells: &str) -> String {
    let points = array("Float64", "Points", TETRA);
    format!(
        "<UnstructuredGrid><Piece NumberOfPoints=\"4\" NumberOfCells=\"1\">\
         <PointData><!-- c -->{}</PointData><Points>{points}</Points><Cells>{cells}</Cells>\
         </Piece></UnstructuredGrid>",
        array("Float32", "p", "1 2 3 4")
    )
}

fn cells(connectivity: &str, offsets: &str, types: &str) -> String {
    array("Int64", "connectivity", connectivity)
        + &array("Int32", "offsets", offsets)
        + &array("UInt8", "types", types)
}

fn reason(text: &str) -> String {
    format!("{:?}", read(text.as_bytes(), LIMIT).unwrap_err())
}

#[test]
fn a_grid() {
    let text = file(
        "type=\"UnstructuredGrid\"",
        &grid(&cells("0 1 2 3", "4", "10")),
    );
    let mesh = read(text.as_bytes(), LIMIT).unwrap();
    assert_eq!((mesh.vertices.len(), mesh.faces.len()), (4, 4));
    assert_eq!(mesh.cells.unwrap().types, [10]);
    assert_eq!(mesh.notes, ["data arrays are not kept: p"]);
}

#[test]
fn a_polyhedron() {
    let faces = array("Int64", "faces", "4 3 0 2 1 3 0 1 3 3 1 2 3 3 0 3 2")
        + &array("Int64", "faceoffsets", "17");
    let text = |faces: &str| {
        let cells = cells("0 1 2 3", "4", "42") + faces;
        file("type=\"UnstructuredGrid\"", &grid(&cells))
    };
    let mesh = read(text(&faces).as_bytes(), LIMIT).unwrap();
    assert_eq!(mesh.faces.len(), 4);
    assert!(reason(&text("")).contains("polyhedra without"));
}

#[test]
fn pieces_of_polygonal_data() {
    let piece = |z: &str| {
        format!(
            "<Piece NumberOfPoints=\"3\"><Points>{}</Points><Strips>{}{}</Strips><Polys>{}{}</Polys>\
             <Lines/><Verts></Verts></Piece>",
            array("Float32", "Points", &format!("0 0 {z} 1 0 {z} 0 1 {z}")),
            array("Int32", "connectivity", ""),
            array("Int32", "offsets", ""),
            array("Int32", "connectivity", "0 1 2"),
            array("Int32", "offsets", "3"),
        )
    };
    let body = format!("<PolyData>{}{}</PolyData>", piece("0"), piece("5"));
    let mesh = read(file("type=\"PolyData\"", &body).as_bytes(), LIMIT).unwrap();
    assert_eq!(mesh.vertices[3], [0.0, 0.0, 5.0]);
    assert_eq!(mesh.faces, [[0, 1, 2], [3, 4, 5]]);
    assert!(mesh.notes[0].contains("2 pieces"));
}

/// The tetrahedron with appended raw data, big-endian.
fn raw() -> Vec<u8> {
    let mut data = Vec::new();
    let mut offsets = Vec::new();
    let mut put = |bytes: &[u8]| {
        offsets.push(data.len());
        data.extend((bytes.len() as u32).to_be_bytes());
        data.extend(bytes);
    };
    let floats: Vec<u8> = TETRA
        .split(' ')
        .flat_map(|x| x.parse::<f32>().unwrap().to_be_bytes())
        .collect();
    put(&floats);
    put(&[0u16, 1, 2, 3].map(u16::to_be_bytes).concat());
    put(&4u64.to_be_bytes());
    put(&[10]);
    let array = |kind: &str, name: &str, i: usize| {
        format!(
            "<DataArray type=\"{kind}\" Name=\"{name}\" format=\"appended\" offset=\"{}\"/>",
            offsets[i]
        )
    };
    let head = format!(
        "<VTKFile type=\"UnstructuredGrid\" byte_order=\"BigEndian\"><UnstructuredGrid>\
         <Piece NumberOfPoints=\"4\" NumberOfCells=\"1\"><Points>{}</Points><Cells>{}{}{}</Cells>\
         </Piece></UnstructuredGrid><AppendedData encoding=\"raw\">\n _",
        array("Float32", "Points", 0),
        array("UInt16", "connectivity", 1),
        array("UInt64", "offsets", 2),
        array("UInt8", "types", 3),
    );
    [head.as_bytes(), &data].concat()
}

#[test]
fn appended_raw() {
    let mut bytes = raw();
    for cut in 0..bytes.len() {
        assert!(read(&bytes[..cut], LIMIT).is_err(), "cut at {cut}");
    }
    bytes.extend(b"</AppendedData></VTKFile>");
    assert_eq!(read(&bytes, LIMIT).unwrap().faces.len(), 4);
    assert!(matches!(read(&bytes, 20), Err(Fault::Limit { .. })));
}

#[test]
fn errors() {
    let kind = "type=\"UnstructuredGrid\"";
    for (text, words) in [
        (String::new(), "<Piece>"),
        ("<a/>".into(), "<VTKFile>"),
        (file("type=\"ImageData\"", ""), "`ImageData`"),
        (file("type=\"PPolyData\"", ""), "only names others"),
        (
            file(&format!("{kind} compressor=\"zstd\""), ""),
            "compressor",
        ),
        (
            file(&format!("{kind} header_type=\"UInt16\""), ""),
            "UInt64",
        ),
        (file(kind, ""), "<Piece>"),
        (file(kind, "<a></b>"), "XML"),
        (file(kind, &grid(&cells("0 1 2 4", "4", "10"))), "below 4"),
        (file(kind, &grid(&cells("0 1 2 -1", "4", "10"))), "below 4"),
        (file(kind, &grid(&cells("0 1 2 3", "5", "10"))), "rise to 4"),
        (file(kind, &grid(&cells("0 1 2 3", "2 4", "10"))), "1 cells"),
        (file(kind, &grid(&cells("0 1 2 3", "4", "99"))), "type 99"),
        (file(kind, &grid(&cells("0 1 x 3", "4", "10"))), "`x`"),
        (file(kind, &grid("")), "not all three"),
        (
            file(kind, "<Piece NumberOfPoints=\"2\"></Piece>"),
            "an array of points",
        ),
        (file(kind, "<Piece NumberOfPoints=\"0\"></Piece>"), "points"),
        (format!("<VTKFile {kind}>{}", "<a>".repeat(1000)), "deep"),
        (format!("<VTKFile {kind}><Piece>"), "</Piece>"),
    ] {
        let reason = reason(&text);
        assert!(reason.contains(words), "{text:?}: {reason}");
    }
}
