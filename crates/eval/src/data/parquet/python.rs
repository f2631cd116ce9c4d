//! Dates, times and decimals as Python's `str` writes them: what a template of lm-evaluation-harness sees of `datasets`.

use chrono::{DateTime, Datelike, NaiveTime, Utc};
use parquet::basic::TimeUnit;

/// Nanoseconds in a unit.
pub fn nanoseconds(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1_000_000,
        TimeUnit::MICROS => 1000,
        TimeUnit::NANOS => 1,
    }
}

/// `datetime.date`, from days since 1970.
///
/// # Errors
/// Years that Python does not know, as for [`timestamp`].
pub fn date(days: i32) -> Result<String, String> {
    Ok(known(DateTime::from_timestamp(i64::from(days) * 86_400, 0))?.format("%Y-%m-%d").to_string())
}

/// `datetime.datetime`, or pandas's `Timestamp` where nanoseconds are left, from a count of units of so many nanoseconds since
/// 1970; with the offset where it is a moment, not what a clock showed somewhere.
pub fn timestamp(count: i64, unit: i64, moment: bool) -> Result<String, String> {
    let (seconds, rest) = seconds(count, unit);
    let time = known(DateTime::from_timestamp(seconds, rest))?;
    let offset = if moment { "+00:00" } else { "" };
    Ok(format!("{}{}{offset}", time.format("%Y-%m-%d %H:%M:%S"), fraction(rest)))
}

/// `datetime.time`, from a count of units of so many nanoseconds since midnight; it has no nanoseconds.
pub fn time(count: i64, unit: i64) -> Result<String, String> {
    let (seconds, rest) = seconds(count, unit);
    let time =
        u32::try_from(seconds).ok().and_then(|seconds| NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0));
    let time = time.ok_or("holds a time outside of a day")?;
    Ok(format!("{}{}", time.format("%H:%M:%S"), fraction(rest / 1000 * 1000)))
}

/// Whole seconds, and the nanoseconds that are left of them.
fn seconds(count: i64, unit: i64) -> (i64, u32) {
    let per_second = 1_000_000_000 / unit;
    (count.div_euclid(per_second), (count.rem_euclid(per_second) * unit) as u32)
}

fn known(time: Option<DateTime<Utc>>) -> Result<DateTime<Utc>, String> {
    let known = time.filter(|time| (1..=9999).contains(&time.year()));
    known.ok_or_else(|| "holds a date outside of the years 1 to 9999, which Python cannot write".into())
}

fn fraction(nanoseconds: u32) -> String {
    match nanoseconds {
        0 => String::new(),
        whole if whole % 1000 == 0 => format!(".{:06}", whole / 1000),
        all => format!(".{all:09}"),
    }
}

/// `decimal.Decimal`, from all its digits: in scientific notation below a millionth.
pub fn decimal(plain: &str) -> String {
    let plain = plain.trim_end_matches('.');
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain), |digits| ("-", digits));
    let places = digits.split_once('.').map_or(0, |(_, places)| places.len());
    let significant = digits.replace('.', "");
    let significant =
        significant[..significant.len() - 1].trim_start_matches('0').to_owned() + &significant[significant.len() - 1..];
    let exponent = significant.len() as i64 - 1 - places as i64;
    if exponent >= -6 {
        return plain.to_owned();
    }
    let (first, rest) = significant.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_decimals_are_scientific() {
        let cases = [
            ("44.", "44"),
            ("-0.05", "-0.05"),
            ("0.00", "0.00"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1E-7"),
            ("-0.00000120", "-0.00000120"),
            ("-0.000000120", "-1.20E-7"),
            ("0.0000000000", "0E-10"),
            ("-12345678.0000000001", "-12345678.0000000001"),
        ];
        cases.iter().for_each(|&(plain, python)| assert_eq!(decimal(plain), python));
    }

    #[test]
    fn fractions_have_six_digits_or_nine() {
        let nanoseconds = 1_262_401_445_123_456_789;
        assert_eq!(timestamp(nanoseconds, 1, false).unwrap(), "2010-01-02 03:04:05.123456789");
        assert_eq!(timestamp(nanoseconds / 1000, 1000, true).unwrap(), "2010-01-02 03:04:05.123456+00:00");
        assert_eq!(timestamp(-1000, 1_000_000, false).unwrap(), "1969-12-31 23:59:59");
        assert_eq!((date(14_611).unwrap().as_str(), date(-719_162).unwrap().as_str()), ("2010-01-02", "0001-01-01"));
        assert_eq!(time(11_045_123_456_789, 1).unwrap(), "03:04:05.123456");
        assert!(date(i32::MAX).is_err() && timestamp(i64::MAX, 1_000_000, false).is_err() && time(-1, 1000).is_err());
    }
}
