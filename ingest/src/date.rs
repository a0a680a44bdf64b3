//! Dates as files write them.

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Microseconds from 1970 to midnight (UTC) of a day of the Gregorian calendar; `None` where there
/// is no such day.
pub(crate) fn micros_of_day(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || !(1..=9999).contains(&year) {
        return None;
    }
    // Days from civil, after H. Hinnant, "chrono-compatible low-level date algorithms".
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some((era * 146_097 + day_of_era - 719_468) * MICROS_PER_DAY)
}

/// `21-JUL-2008`, and `21-JUL-98` of PDB headers, where a year of two digits is at most 2069 and
/// at least 1970.
pub(crate) fn day_month_year(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ];
    let mut parts = text.trim().split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month))?;
    let number: i64 = year.parse().ok()?;
    let year = match (year.len(), number) {
        (2, 0..70) => number + 2000,
        (2, _) => number + 1900,
        _ => number,
    };
    micros_of_day(year, month as u32 + 1, day.parse().ok()?)
}

/// `2008-07-21`.
pub(crate) fn iso(text: &str) -> Option<i64> {
    let mut parts = text.trim().split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    micros_of_day(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(micros_of_day(1970, 1, 1), Some(0));
        assert_eq!(micros_of_day(1969, 12, 31), Some(-MICROS_PER_DAY));
        assert_eq!(iso("2000-03-01"), Some(11_017 * MICROS_PER_DAY));
        assert_eq!(day_month_year("01-MAR-2000"), iso("2000-03-01"));
        assert_eq!(day_month_year("01-mar-98"), iso("1998-03-01"));
        for bad in ["2001-02-29", "2000-13-01", "x", "2000-01-01-01", ""] {
            assert_eq!(iso(bad), None, "{bad}");
        }
    }
}
