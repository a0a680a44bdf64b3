//! JSON with one spelling only, so that equal content has an equal digest.
//!
//! Keys are sorted by their bytes, there is no white space, and numbers are integers (fill values
//! that are not are written as text). This is RFC 8785 for the values that manifests hold.

use serde::Serialize;
use serde_json::Value;

use crate::ExportError;

/// The canonical bytes of a value.
///
/// # Errors
/// The value does not serialise.
pub fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, ExportError> {
    let value = serde_json::to_value(value).map_err(ExportError::Json)?;
    let mut out = Vec::new();
    write(&value, &mut out)?;
    Ok(out)
}

// Not left to serde_json's map: a feature of that crate, which any dependency may switch on, makes
// it keep the order of insertion.
fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), ExportError> {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, key).map_err(ExportError::Json)?;
                out.push(b':');
                write(value, out)?;
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        plain => serde_json::to_writer(out, plain).map_err(ExportError::Json)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_sorted_at_every_level() {
        let value = serde_json::json!({"b": [{"z": 1, "a": null}], "a": "é\n", "B": false});
        let bytes = super::to_vec(&value).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            r#"{"B":false,"a":"é\n","b":[{"a":null,"z":1}]}"#
        );
    }
}
