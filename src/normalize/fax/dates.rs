//! Dates as forms print them, with the confusions of OCR undone where the shape proves them.

use std::{borrow::Cow, sync::LazyLock};

use jiff::civil::Date;
use regex::Regex;

use super::{FaxRules, layout::Sheet};
use crate::normalize::DateOrder;

/// A date that was read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct ReadDate {
    pub(super) date: Date,
    /// 1 where the shape leaves no doubt; less where something was repaired or assumed.
    pub(super) trust: f32,
    /// How many words it took.
    pub(super) words: usize,
}

/// How far a date is trusted in which a letter was read as a digit, or a separator as another: a person should see it.
const REPAIRED: f32 = 0.94;

/// How far a date is trusted on a page that prints both orders.
const CONTESTED: f32 = 0.6;

/// Between the letters of a printed order: a slash, or what recognition makes of it.
const BETWEEN: &str = r"(?:\s*[^a-z0-9\s]\s*|\s*[il1]\s*|\s+)";

static DAY_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = format!(
        r"\bdd?{BETWEEN}mm?{BETWEEN}y{{2,4}}\b|\bddmmyy(?:yy)?\b|\bd\s*/\s*m\s*/\s*y\b|\bday{BETWEEN}month{BETWEEN}year\b"
    );
    Regex::new(&pattern).expect("the pattern is fixed")
});
static MONTH_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = format!(
        r"\bmm?{BETWEEN}dd?{BETWEEN}y{{2,4}}\b|\bmmddyy(?:yy)?\b|\bm\s*/\s*d\s*/\s*y\b|\bmonth{BETWEEN}day{BETWEEN}year\b"
    );
    Regex::new(&pattern).expect("the pattern is fixed")
});

/// The rules for the dates of a page: a form that prints `DD/MM/YYYY` beside a field says more than the channel does.
pub(super) fn rules_of_page<'r>(sheet: &Sheet, rules: &'r FaxRules) -> Cow<'r, FaxRules> {
    let printed = printed_orders(sheet);
    match only(printed) {
        Some(date_order) => Cow::Owned(FaxRules { date_order, ..rules.clone() }),
        None if printed == (true, true) => Cow::Owned(FaxRules { date_order_contested: true, ..rules.clone() }),
        None => Cow::Borrowed(rules),
    }
}

/// The rules for the pages of a fax that print no order of their own: those of the pages that do, where all of these print the same.
pub(super) fn rules_of_fax<'r, 's>(sheets: impl Iterator<Item = &'s Sheet>, rules: &'r FaxRules) -> Cow<'r, FaxRules> {
    let all = sheets.map(printed_orders).fold((false, false), |all, one| (all.0 || one.0, all.1 || one.1));
    only(all).map_or(Cow::Borrowed(rules), |date_order| Cow::Owned(FaxRules { date_order, ..rules.clone() }))
}

/// Whether a page prints that the day comes first, and whether that the month does.
fn printed_orders(sheet: &Sheet) -> (bool, bool) {
    let texts = sheet.segments.iter().map(|segment| segment.text().to_lowercase());
    texts.fold((false, false), |(day, month), text| (day || DAY_FIRST.is_match(&text), month || MONTH_FIRST.is_match(&text)))
}

fn only(printed: (bool, bool)) -> Option<DateOrder> {
    match printed {
        (true, false) => Some(DateOrder::DayFirst),
        (false, true) => Some(DateOrder::MonthFirst),
        (true, true) | (false, false) => None,
    }
}

/// How far a date is trusted by the order that it was read in.
pub(super) fn trust_of_order(date: Date, rules: &FaxRules) -> f32 {
    let fits_either = date.day() <= 12 && date.day() != date.month();
    if rules.date_order_contested && fits_either { CONTESTED } else { 1.0 }
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The date that the words begin with.
pub(super) fn read(words: &[&str], order: DateOrder, today: Date) -> Option<ReadDate> {
    (1..=words.len().min(5)).rev().find_map(|count| {
        let parts = words.get(..count)?;
        written(parts, today).or_else(|| numeric(&parts.concat(), count, order, today)).map(|(date, trust)| ReadDate {
            date,
            trust,
            words: count,
        })
    })
}

/// A date of eight digits without separators, in one word or in three, as forms have it that give each digit a box: `08151972`, `19720815`.
pub(super) fn unseparated(words: &[&str], order: DateOrder, today: Date) -> Option<ReadDate> {
    const DIGITS: usize = 8;
    (1..=words.len().min(3)).find_map(|count| {
        let text = words.get(..count)?.concat();
        if text.len() != DIGITS || !text.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let (head, tail) = text.split_at(4);
        let first = |year: &str, rest: &str, order| {
            let (one, other) = rest.split_at(2);
            let parts = if order == DateOrder::DayFirst { (other, one) } else { (one, other) };
            Date::new(year.parse().ok()?, parts.0.parse().ok()?, parts.1.parse().ok()?).ok()
        };
        let near = |date: &Date| (today.year() - 150..=today.year()).contains(&date.year());
        let date = first(tail, head, order).filter(near).or_else(|| first(head, tail, DateOrder::MonthFirst).filter(near))?;
        Some(ReadDate { date, trust: 1.0, words: count })
    })
}

/// `November 1, 1934`, `1 Nov 1934`, `01-Nov-1934`.
fn written(parts: &[&str], today: Date) -> Option<(Date, f32)> {
    let joined = parts.join(" ");
    let pieces: Vec<&str> = joined.split(|c: char| !c.is_alphanumeric()).filter(|piece| !piece.is_empty()).collect();
    let [a, b, c] = pieces.as_slice() else { return None };
    let (month, day) = match (month(a), month(b)) {
        (Some(month), _) => (month, *b),
        (None, Some(month)) => (month, *a),
        (None, None) => return None,
    };
    let day = day.trim_end_matches(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'O' | 'l' | 'I'));
    let (day, fixed) = digits(day)?;
    let (year, fixed_year) = digits(c)?;
    let (year, trust) = whole_year(&year, today)?;
    let date = Date::new(year, month, day.parse().ok()?).ok()?;
    Some((date, trust * if fixed || fixed_year { REPAIRED } else { 1.0 }))
}

fn month(text: &str) -> Option<i8> {
    let text = text.to_lowercase();
    if text.len() < 3 || !text.chars().all(|c| c.is_ascii_alphabetic()) {
        return None;
    }
    let at = MONTHS.iter().position(|month| text.starts_with(month))?;
    i8::try_from(at + 1).ok()
}

/// `11/01/1934`, `1934-11-01`, `11.1.34`, and what OCR makes of them.
fn numeric(text: &str, count: usize, order: DateOrder, today: Date) -> Option<(Date, f32)> {
    let text = text.trim_matches(|c: char| matches!(c, '.' | ',' | ';' | ')' | '(' | '_' | '\'' | '*'));
    let is_separator = |c: char| matches!(c, '/' | '-' | '.' | ',' | ':' | '\u{2014}' | '\u{2013}' | '\\');
    let pieces: Vec<&str> = text.split(is_separator).filter(|piece| !piece.is_empty()).collect();
    let mut separators: Vec<char> = text.chars().filter(|c| is_separator(*c)).collect();
    separators.dedup();
    let tidy = separators.len() <= 1 && separators.first().is_none_or(|c| matches!(c, '/' | '-' | '.'));
    let mut trust = if tidy { 1.0 } else { REPAIRED };
    let pieces: Vec<String> = match pieces.as_slice() {
        [a, b, c] => {
            let mut fixed = false;
            let read: Option<Vec<String>> = [a, b, c]
                .into_iter()
                .map(|piece| {
                    digits(piece).map(|(plain, repaired)| {
                        fixed |= repaired;
                        plain
                    })
                })
                .collect();
            if fixed {
                trust *= REPAIRED;
            }
            read?
        }
        // A slash read as 1 or 7: `11/0171934`. Eight digits and two of them where slashes belong.
        [_] | [_, _] if count == 1 && text.chars().count() == 10 && text.ends_with(|c: char| c.is_ascii_digit()) => {
            trust = 0.6;
            let chars: Vec<char> = text.chars().collect();
            let slash = |c: Option<&char>| c.is_some_and(|c| matches!(c, '1' | '7' | '/' | '-' | '.' | 'l' | 'I'));
            if !slash(chars.get(2)) || !slash(chars.get(5)) {
                return None;
            }
            let piece = |range: std::ops::Range<usize>| digits(&chars[range].iter().collect::<String>()).map(|(plain, _)| plain);
            vec![piece(0..2)?, piece(3..5)?, piece(6..10)?]
        }
        [_] | [] | [_, _] | [_, _, _, _, ..] => return None,
    };
    let [a, b, c] = pieces.as_slice() else { return None };
    if a.len() == 4 {
        let date = Date::new(a.parse().ok()?, b.parse().ok()?, c.parse().ok()?).ok()?;
        return Some((date, trust));
    }
    if a.len() > 2 || b.len() > 2 {
        return None;
    }
    let (year, sure) = whole_year(c, today)?;
    let (first, second): (i8, i8) = (a.parse().ok()?, b.parse().ok()?);
    let (month, day) = match order {
        DateOrder::MonthFirst => (first, second),
        DateOrder::DayFirst => (second, first),
    };
    match Date::new(year, month, day) {
        Ok(date) => Some((date, trust * sure)),
        // The other order is the only one the calendar allows: read so, and shown.
        Err(_) => Some((Date::new(year, day, month).ok()?, 0.8 * trust * sure)),
    }
}

fn whole_year(text: &str, today: Date) -> Option<(i16, f32)> {
    let year: i16 = text.parse().ok()?;
    match text.len() {
        4 if (1880..=2100).contains(&year) => Some((year, 1.0)),
        // Of two digits the century is a guess, and a child may be meant as well as a hundred-year-old.
        2 => Some((if 2000 + year > today.year() { 1900 + year } else { 2000 + year }, 0.85)),
        _ => None,
    }
}

/// Digits alone, with the letters that OCR puts for digits put back; `None` where something else stands among them.
pub(super) fn digits(text: &str) -> Option<(String, bool)> {
    let mut repaired = false;
    let plain: Option<String> = text
        .chars()
        .map(|c| {
            if c.is_ascii_digit() {
                return Some(c);
            }
            repaired = true;
            match c {
                'O' | 'o' | 'Q' | 'D' => Some('0'),
                'I' | 'l' | '|' | 'i' | '!' => Some('1'),
                'Z' | 'z' => Some('2'),
                'S' | 's' => Some('5'),
                'B' => Some('8'),
                'g' => Some('9'),
                'G' => Some('6'),
                _ => None,
            }
        })
        .collect();
    let plain = plain?;
    if plain.is_empty() { None } else { Some((plain, repaired)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> Option<(String, f32)> {
        let words: Vec<&str> = text.split(' ').collect();
        read(&words, DateOrder::MonthFirst, jiff::civil::date(2026, 11, 21)).map(|read| (read.date.to_string(), read.trust))
    }

    #[test]
    fn dates_are_read_as_forms_print_them() {
        for text in [
            "11/01/1934",
            "11-01-1934",
            "11.1.1934",
            "1934-11-01",
            "November 1, 1934",
            "1 Nov 1934",
            "01-Nov-1934",
            "11/ 01/1934",
        ] {
            assert_eq!(us(text), Some(("1934-11-01".to_owned(), 1.0)), "{text}");
        }
    }

    #[test]
    fn eight_digits_are_a_date_where_one_is_asked_for() {
        let read = |text: &str, order| {
            let words: Vec<&str> = text.split(' ').collect();
            unseparated(&words, order, jiff::civil::date(2026, 11, 21)).map(|read| (read.date.to_string(), read.words))
        };
        let american = DateOrder::MonthFirst;
        assert_eq!(read("08151972", american), Some(("1972-08-15".to_owned(), 1)));
        assert_eq!(read("08 15 1972 M", american), Some(("1972-08-15".to_owned(), 3)));
        assert_eq!(read("15081972", DateOrder::DayFirst), Some(("1972-08-15".to_owned(), 1)));
        assert_eq!(read("19720815", american), Some(("1972-08-15".to_owned(), 1)));
        for text in ["15081972", "08152972", "0815197", "081519722", "O8151972"] {
            assert_eq!(read(text, american), None, "{text}");
        }
        assert_eq!(us("08151972"), None, "elsewhere it is a number");
    }

    #[test]
    fn a_letter_for_a_digit_is_put_right_and_a_slash_read_as_a_digit_is_doubted() {
        assert_eq!(us("l1/O1/1934").unwrap().0, "1934-11-01");
        let (date, trust) = us("11/0171934").unwrap();
        assert_eq!(date, "1934-11-01");
        assert!(trust < 0.95);
    }

    #[test]
    fn a_day_that_does_not_exist_is_no_date() {
        assert_eq!(us("02/30/1950"), None);
        assert_eq!(us("121/81"), None);
        assert_eq!(us("5202708"), None);
    }

    #[test]
    fn a_date_that_only_fits_day_first_is_doubted_where_month_first_is_the_custom() {
        let (date, trust) = us("25/12/1990").unwrap();
        assert_eq!(date, "1990-12-25");
        assert!(trust < 0.95);
    }

    #[test]
    fn the_locale_decides_which_number_is_the_month() {
        let read = read(&["03/04/1956"], DateOrder::DayFirst, jiff::civil::date(2026, 11, 21)).unwrap();
        assert_eq!(read.date.to_string(), "1956-04-03");
    }
}
