use super::*;

const SQUARE: &str = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n";

fn mesh(text: &str) -> Mesh {
    read(format!("{SQUARE}{text}").as_bytes()).unwrap()
}

fn reason(text: &str) -> String {
    format!("{:?}", read(text.as_bytes()).unwrap_err())
}

#[test]
fn corners_of_every_form() {
    for face in [
        "f 1 2 3 4",
        "f 1/1 2/2 3/3 4/4",
        "f 1//1 2//2 3//3 4//4",
        "f 1/1/1 2/2/2 3/3/3 4/4/4",
        "f 1// 2// 3// 4// # comment",
        "f\t-4 -3 \\\n-2 \\\r\n-1\r",
    ] {
        let mesh = mesh(face);
        assert_eq!(mesh.faces, [[0, 1, 2], [0, 2, 3]], "{face}");
        assert_eq!(mesh.polygon_sizes, [4]);
        assert_eq!(mesh.face_group, [-1, -1]);
    }
}

#[test]
fn an_index_may_run_ahead() {
    let mesh = read(b"f 1 2 3\nv 0 0 0\nv 1 0 0\nv 1 1 0").unwrap();
    assert_eq!(mesh.faces, [[0, 1, 2]]);
}

#[test]
fn groups_before_objects_before_materials() {
    let all = mesh("o thing\ng a\nusemtl m\nf 1 2 3\ng b c\nf 1 3 4\ng a\nf 1 2 4\n");
    assert_eq!(all.group_names, ["a", "b c"]);
    assert_eq!(all.face_group, [0, 1, 0]);
    assert_eq!(all.name.as_deref(), Some("thing"));
    assert_eq!(
        all.notes,
        ["`usemtl` lines (1 names) are not kept: the groups are those of `g`"]
    );

    let objects = mesh("f 1 2 3\no x\nf 1 3 4\no y\nf 1 2 4\nusemtl m\n");
    assert_eq!(objects.group_names, ["x", "y"]);
    assert_eq!(objects.face_group, [-1, 0, 1]);
    assert_eq!(objects.name, None);

    let materials = mesh("g\nusemtl steel\nf 1 2 3\n");
    assert_eq!(materials.group_names, ["default"]);
    let materials = mesh("usemtl steel\nf 1 2 3\ng late\n");
    assert_eq!(materials.group_names, ["steel"]);
}

#[test]
fn what_is_left_out_is_named() {
    let mesh = read(
        b"# made\n# by hand\nmtllib a.mtl\nv 0 0 0 1 nan 0\nv 1 0 0 1 0 0\nv 0 1 0 0.5\nvt 0 0\nvn 0 0 1\n\
          s off\nl 1 2\np 1\ncurv 0 1 1 2\nbogus\nf 1/1 2/1 3/1\n",
    )
    .unwrap();
    assert_eq!(mesh.description.as_deref(), Some("made\nby hand"));
    let notes = mesh.notes.join("; ");
    for word in [
        "texture coordinates (vt)",
        "normals (vn)",
        "colours",
        "weights",
        "mtllib",
        "smoothing",
        "1 lines (l)",
        "1 points (p)",
        "free-form",
        "line 13: `bogus`",
    ] {
        assert!(notes.contains(word), "{word} not in {notes}");
    }
}

#[test]
fn errors_have_lines() {
    for (text, words) in [
        ("", "`v` lines"),
        ("# only a comment\n", "`v` lines"),
        ("v 0 0\n", "Line(1)"),
        ("v 0 0 x\n", "`x`"),
        ("v 0 0 nan\n", "finite"),
        ("v 0 0 1e999\n", "finite"),
        ("v 0 0 0\nf 1 1\n", "three corners"),
        ("v 0 0 0\nf 1 1 2\nv 1 1 1 \nf 1 2 3\n", "Line(4)"),
        ("v 0 0 0\nf 1 1 0\n", "from 1 to 1"),
        ("v 0 0 0\nf 1 1 -2\n", "from -1 to -1"),
        ("v 0 0 0\nf 1 1 a\n", "a corner such as"),
        ("v 0 0 0\nf 1 1 1.5\n", "a corner such as"),
        ("v 0 0 0\nf 1 1 99999999999\n", "from 1 to 1"),
        (
            "v 0 0 0\nf 1 1 99999999999999999999999\n",
            "a corner such as",
        ),
    ] {
        assert!(reason(text).contains(words), "{text:?}: {}", reason(text));
    }
}
