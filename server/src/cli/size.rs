//! Sizes of memory, as people write them.

use std::str::FromStr;

/// A number of bytes: `8G`, `512MiB`, `1000000`. A `K`, `M`, `G` or `T` counts in powers of 1,024,
/// with or without `B` or `iB` behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no size; such are 8G, 512M or a number of bytes");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text[digits.len()..].to_ascii_uppercase();
        let unit = unit
            .strip_suffix("IB")
            .or_else(|| unit.strip_suffix('B'))
            .unwrap_or(&unit);
        let power = match unit {
            "" => 0,
            "K" => 1,
            "M" => 2,
            "G" => 3,
            "T" => 4,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
        number
            .checked_mul(1 << (10 * power))
            .map(Self)
            .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("1000000", 1_000_000),
            ("8G", 8 << 30),
            ("8GiB", 8 << 30),
            ("512 mb", 512 << 20),
            ("2k", 2_048),
            ("1T", 1 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "G", "-1", "1.5G", "8X", "99999999999T", "8 G B"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }
}
