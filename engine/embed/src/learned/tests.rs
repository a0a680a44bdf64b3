use std::path::Path;

use super::*;

#[test]
fn forms_are_read_and_written() {
    let form = |pooling, precision, dtype| Form {
        pooling,
        precision,
        dtype,
    };
    use Precision::{Bf16, F32, Int8};
    for (name, expected, written) in [
        ("esm2", form(None, F32, DType::F32), "esm2"),
        ("esm2:f32", form(None, F32, DType::F32), "esm2"),
        ("esm2:f16", form(None, F32, DType::F16), "esm2:f16"),
        (
            "esm2:max",
            form(Some(Pooling::Max), F32, DType::F32),
            "esm2:max",
        ),
        (
            "esm2:none:f16",
            form(Some(Pooling::None), F32, DType::F16),
            "esm2:none:f16",
        ),
        ("esm2:bf16", form(None, Bf16, DType::F32), "esm2:bf16"),
        (
            "esm2:int8:f16",
            form(None, Int8, DType::F16),
            "esm2:int8:f16",
        ),
        (
            "esm2:f16:int8:cls",
            form(Some(Pooling::Cls), Int8, DType::F16),
            "esm2:cls:int8:f16",
        ),
    ] {
        let (alone, given) = Form::split(name).unwrap();
        assert_eq!((alone, given), ("esm2", expected), "{name}");
        assert_eq!(given.name(alone), written);
        assert_eq!(Form::split(written).unwrap(), (alone, given));
    }
    for wrong in ["esm2:fp8", "esm2:", "esm2:bf16:x", "esm2:INT8"] {
        assert!(
            matches!(Form::split(wrong), Err(EmbedError::Form { .. })),
            "{wrong}"
        );
    }
}

#[test]
fn columns_of_different_precisions_are_not_mixed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/reference/golden/esm2");
    let spec = |form: &str| {
        let (name, form) = Form::split(form).unwrap();
        let loaded = Arc::new(Loaded::open(&folder, form.precision).unwrap());
        Learned::new(name, form, loaded, &folder).unwrap().spec
    };
    let all = ["esm2", "esm2:bf16", "esm2:int8"].map(spec);
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate() {
            assert_eq!(a.makes_the_same(b), i == j);
            assert_eq!(a.column() == b.column(), i == j);
        }
    }
    assert_eq!(all[1].column(), "esm2_bf16");
    assert_eq!(all[1].dtype, DType::F32);
}
