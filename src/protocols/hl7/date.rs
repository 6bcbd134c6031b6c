//! Dates and times (data types TS, DTM, DT): `YYYY[MM[DD[HH[MM[SS[.S…]]]]]][±ZZZZ]` to ISO 8601, with the precision sent.

/// How exact a date was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// A year.
    Year,
    /// A month.
    Month,
    /// A day.
    Day,
    /// An hour; written as its first minute.
    Hour,
    /// A minute.
    Minute,
    /// A second, or finer.
    Second,
}

/// A date that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HlDate {
    /// ISO 8601: `1934`, `1934-11`, `1934-11-01`, `2026-11-21T17:02`, `2026-11-21T17:02:11-07:00`.
    pub iso: String,
    /// How exact it is.
    pub precision: Precision,
    /// Whether it has an offset from UTC.
    pub has_offset: bool,
}

/// Why a text is no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateProblem {
    /// It has another shape.
    Shape,
    /// No such day, hour or offset exists.
    Impossible,
    /// All zeros: a placeholder for "not known".
    Placeholder,
}

impl DateProblem {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shape => "is not written as a date",
            Self::Impossible => "is a date that does not exist",
            Self::Placeholder => "holds a placeholder instead of a date",
        }
    }
}

/// Reads a date.
///
/// # Errors
/// [`DateProblem`]: it is none. The text stays with the caller.
pub fn read_date(text: &str) -> Result<HlDate, DateProblem> {
    let text = text.trim();
    let (clock, offset) = match text.find(['+', '-']) {
        Some(at) => text.split_at(at),
        None => (text.strip_suffix('Z').unwrap_or(text), if text.ends_with('Z') { "+0000" } else { "" }),
    };
    let (digits, fraction) = clock.trim().split_once('.').unwrap_or((clock.trim(), ""));
    let sound = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !sound(digits) || !sound(fraction) || !matches!(digits.len(), 4 | 6 | 8 | 10 | 12 | 14) {
        return Err(DateProblem::Shape);
    }
    if digits.bytes().all(|byte| byte == b'0') {
        return Err(DateProblem::Placeholder);
    }
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<u16>().ok());
    let (year, month, day) = (part(0, 4).unwrap_or(0), part(4, 6), part(6, 8));
    if !exists(year, month.unwrap_or(1), day.unwrap_or(1)) {
        return Err(DateProblem::Impossible);
    }
    let (hour, minute, second) = (part(8, 10), part(10, 12), part(12, 14));
    if hour.is_some_and(|hour| hour > 23) || minute.is_some_and(|it| it > 59) || second.is_some_and(|it| it > 59) {
        return Err(DateProblem::Impossible);
    }
    let mut iso = String::with_capacity(25);
    iso.push_str(digits.get(..4).unwrap_or_default());
    for at in [4, 6].into_iter().filter(|at| digits.len() > *at) {
        iso.push('-');
        iso.push_str(digits.get(at..at + 2).unwrap_or_default());
    }
    let precision = match (month, day, hour, minute, second) {
        (None, ..) => Precision::Year,
        (_, None, ..) => Precision::Month,
        (_, _, None, ..) => Precision::Day,
        (_, _, _, None, _) => Precision::Hour,
        (_, _, _, _, None) => Precision::Minute,
        _ => Precision::Second,
    };
    // `1934-11-01` and `1934-11` are no years with an offset: read as such, their month and day would be lost in silence.
    if hour.is_none() && !matches!(offset.len(), 0 | 5) {
        return Err(DateProblem::Shape);
    }
    let offset = if offset.is_empty() { None } else { Some(iso_offset(offset)?) };
    let mut has_offset = false;
    if hour.is_some() {
        iso.push('T');
        iso.push_str(digits.get(8..10).unwrap_or_default());
        iso.push(':');
        iso.push_str(digits.get(10..12).unwrap_or("00"));
        if let Some(second) = digits.get(12..) {
            iso.extend((!second.is_empty()).then_some(':'));
            iso.push_str(second);
        }
        if let Some(offset) = offset {
            iso.push_str(&offset);
            has_offset = true;
        }
    }
    Ok(HlDate { iso, precision, has_offset })
}

fn exists(year: u16, month: u16, day: u16) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=9999).contains(&year) && (1..=days).contains(&day)
}

/// `+0130`, `-07`, `-0030` as `+01:30`, `-07:00`, `-00:30`.
fn iso_offset(text: &str) -> Result<String, DateProblem> {
    let digits = text.trim_start_matches(['+', '-']).trim().replace(':', "");
    let sign = if text.starts_with('-') { '-' } else { '+' };
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "00"),
        4 => digits.split_at_checked(2).ok_or(DateProblem::Shape)?,
        _ => return Err(DateProblem::Shape),
    };
    let (Ok(hour), Ok(minute)) = (hours.parse::<u8>(), minutes.parse::<u8>()) else { return Err(DateProblem::Shape) };
    if hour > 14 || minute > 59 {
        return Err(DateProblem::Impossible);
    }
    Ok(format!("{sign}{hour:02}:{minute:02}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn iso(text: &str) -> Result<String, DateProblem> {
        read_date(text).map(|date| date.iso)
    }

    #[test]
    fn each_precision_is_kept() {
        for (text, expected) in [
            ("1934", "1934"),
            ("193411", "1934-11"),
            ("19341101", "1934-11-01"),
            ("2026112117", "2026-11-21T17:00"),
            ("202611211702", "2026-11-21T17:02"),
            ("20261121170211", "2026-11-21T17:02:11"),
            ("20261121170211.1234-0700", "2026-11-21T17:02:11-07:00"),
            ("202611211702+0000", "2026-11-21T17:02+00:00"),
            ("20261121170211-07", "2026-11-21T17:02:11-07:00"),
            ("20261121170211-0030", "2026-11-21T17:02:11-00:30"),
        ] {
            assert_eq!(iso(text).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_date_is_told() {
        assert_eq!(iso("19761325"), Err(DateProblem::Impossible));
        assert_eq!(iso("20260230"), Err(DateProblem::Impossible));
        assert_eq!(iso("00000000"), Err(DateProblem::Placeholder));
        assert_eq!(iso("11/01/1934"), Err(DateProblem::Shape));
        assert_eq!(iso("1934-11-01"), Err(DateProblem::Shape));
        assert_eq!(iso("1934-11"), Err(DateProblem::Shape));
        assert_eq!(iso("195"), Err(DateProblem::Shape));
        assert_eq!(iso("20261121170211+9900"), Err(DateProblem::Impossible));
        assert_eq!(iso(""), Err(DateProblem::Shape));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}", digits in "[0-9]{0,16}[+-]?[0-9]{0,5}") {
            read_date(&text).ok();
            read_date(&digits).ok();
        }
    }
}
