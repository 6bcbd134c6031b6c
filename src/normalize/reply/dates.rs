//! The days and times that a reply names, as front desks write them.
//!
//! Each is replaced in the text by a mark (`@d0`, `@t0`), so that what is left can be read as words. A day that is not plain (a
//! weekday alone, 30 February, a weekday that does not fit) keeps its mark and carries a doubt.

use std::sync::LazyLock;

use jiff::{
    ToSpan,
    civil::{Date, Time, Weekday},
};
use regex::{Captures, Regex};

use super::DateOrder;

/// An appointment further away than this is taken for a slip of the pen.
const DAYS_AHEAD_MAX: i32 = 366;
/// A day without a year that would be so far away may as well be one of the last weeks.
const YEARLESS_DAYS_AHEAD_MAX: i32 = 270;

/// One day that a text names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    /// The day, taken for one to come.
    pub(super) coming: Option<Date>,
    /// The day, taken for one that was.
    pub(super) gone: Option<Date>,
    /// Why it is not plain which day to come it is.
    pub(super) doubt: Option<&'static str>,
}

/// One time of day that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// The time, where it can be one.
    pub(super) time: Option<Time>,
    /// Why it is not plain.
    pub(super) doubt: Option<&'static str>,
}

/// A text with its days and times replaced by marks.
#[derive(Debug, Default)]
pub(super) struct Marked {
    pub(super) text: String,
    pub(super) days: Vec<Day>,
    pub(super) clocks: Vec<Clock>,
}

const MONTHS: &str = "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|\
                      nov(?:ember)?|dec(?:ember)?";
const WEEKDAYS: &str = "mon(?:day)?|tues?(?:day)?|wed(?:s|nesday)?|thu(?:rs?)?(?:day)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?";

static DAY: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = format!(
        r"(?x)\b(?:(?P<weekday>{WEEKDAYS})\.?,?\s(?:the\s)?)?(?:
            (?P<iy>\d{{4}})-(?P<im>\d{{1,2}})-(?P<id>\d{{1,2}})(?:t(?P<it>\d\d:\d\d)(?::\d\d)?)?\b
          | (?P<dd>\d{{1,2}})\.(?P<dm>\d{{1,2}})\.(?P<dy>\d{{4}}|\d{{2}})\b
          | (?P<na>\d{{1,2}})/(?P<nb>\d{{1,2}})(?:/(?P<ny>\d{{4}}|\d{{2}}))?\b
          | (?P<ha>\d{{1,2}})-(?P<hb>\d{{1,2}})-(?P<hy>\d{{4}}|\d{{2}})\b
          | (?P<mm>{MONTHS})\.?\s(?P<md>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s(?P<my>20\d\d)\b)?
          | (?P<ed>\d{{1,2}})(?:st|nd|rd|th|\.)?\s(?:of\s)?(?P<em>{MONTHS})\b\.?(?:,?\s(?P<ey>20\d\d)\b)?
          | (?P<near>today|tomorrow|yesterday)\b
        )
        | \b(?:next\s|this\s|coming\s)?(?P<vague>{WEEKDAYS}|next\sweek|next\smonth|this\sweek|this\smonth)\b"
    );
    Regex::new(&pattern).expect("the pattern is fixed and compiles")
});

static CLOCK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)(?:\b(?P<at>at)\s|\B@\s?)?(?:
            \b(?P<h>\d{1,2})[:.](?P<m>\d{2})(?::\d{2})?(?:\s?(?P<half>am|pm|a|p)\b|\s?(?:hrs|hours|h|uhr)\b|\b)
          | \b(?P<hh>\d{1,2})\s?(?P<hhalf>am|pm)\b
          | \b(?P<ch>\d{1,2})(?P<cm>[0-5]\d)\s?(?P<chalf>am|pm)\b
          | \b(?P<mil>[0-2]\d[0-5]\d)\s?(?:hrs|hours|h)\b
          | \b(?P<noon>12\snoon|noon)\b
        )
        | \bat\s(?P<bare>\d{1,2})(?:\so'clock)?\b",
    )
    .expect("the pattern is fixed and compiles")
});

/// Replaces the days and times of a lower-case text by marks.
pub(super) fn mark(text: &str, sent_on: Date, order: DateOrder) -> Marked {
    let mut marked = Marked::default();
    let days = DAY.replace_all(text, |captures: &Captures<'_>| {
        marked.days.push(day(captures, sent_on, order));
        let clock = captures.name("it").map(|time| format!(" {}", time.as_str())).unwrap_or_default();
        format!("@d{}{clock}", marked.days.len() - 1)
    });
    let text = CLOCK.replace_all(&days, |captures: &Captures<'_>| {
        let mut clock = clock(captures, order);
        let rest = captures.get(0).and_then(|whole| days.get(whole.end()..)).unwrap_or_default();
        if captures.name("bare").is_some() && !may_follow_a_time(rest) {
            clock.doubt = Some("a number that may be no time");
        }
        marked.clocks.push(clock);
        format!("@t{}", marked.clocks.len() - 1)
    });
    marked.text = text.into_owned();
    marked
}

/// Whether these words can follow a bare number that is a time: `at 10 with Dr. Ames`, but not `at 12 Elm Street`.
fn may_follow_a_time(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty()
        || rest.starts_with([',', '.', ';', ')', '@'])
        || ["with ", "on ", "for ", "in ", "sharp", "thanks", "and "].iter().any(|word| rest.starts_with(word))
}

/// A number as it was written, and whether a year stood with it.
struct Written {
    year: Option<i16>,
    month: i8,
    day: i8,
}

fn day(captures: &Captures<'_>, sent_on: Date, order: DateOrder) -> Day {
    if captures.name("vague").is_some() {
        return Day { doubt: Some("a weekday or week without a date"), ..Day::default() };
    }
    if let Some(near) = captures.name("near") {
        let (coming, gone) = match near.as_str() {
            "today" => (Some(sent_on), Some(sent_on)),
            "tomorrow" => (sent_on.checked_add(1.day()).ok(), None),
            _ => (None, sent_on.checked_sub(1.day()).ok()),
        };
        let doubt = coming.is_none().then_some("a day that is past");
        return Day { coming, gone, doubt };
    }
    let Some(written) = written(captures, order) else {
        return Day { doubt: Some("an impossible date"), ..Day::default() };
    };
    let mut day = resolve(&written, sent_on);
    // With points the day stands first where that is the custom, and anything stands first where it is not.
    let either = captures.name("dd").is_some() && written.day <= 12 && written.day != written.month;
    if order == DateOrder::MonthFirst && either {
        day.doubt = Some("a day and a month that may be the other way round");
    }
    if let Some(weekday) = captures.name("weekday").and_then(|name| weekday(name.as_str())) {
        let fits = |date: Option<Date>| date.is_none_or(|date| date.weekday() == weekday);
        if !fits(day.coming) {
            day.doubt = Some("a weekday that does not fit the date");
        }
        if !fits(day.gone) {
            day.gone = None;
        }
    }
    day
}

fn written(captures: &Captures<'_>, order: DateOrder) -> Option<Written> {
    let number = |name: &str| captures.name(name).and_then(|found| found.as_str().parse::<i8>().ok());
    let year = |name: &str| captures.name(name).and_then(|found| year(found.as_str()));
    if let Some(month) = number("im") {
        return Some(Written { year: year("iy"), month, day: number("id")? });
    }
    if let Some(day) = number("dd") {
        return Some(Written { year: year("dy"), month: number("dm")?, day });
    }
    for (first, second, with) in [("na", "nb", "ny"), ("ha", "hb", "hy")] {
        if let (Some(first), Some(second)) = (number(first), number(second)) {
            let (month, day) = match order {
                DateOrder::MonthFirst => (first, second),
                DateOrder::DayFirst => (second, first),
            };
            return Some(Written { year: year(with), month, day });
        }
    }
    for (name, day, with) in [("mm", "md", "my"), ("em", "ed", "ey")] {
        if let Some(name) = captures.name(name) {
            return Some(Written { year: year(with), month: month(name.as_str())?, day: number(day)? });
        }
    }
    None
}

fn year(text: &str) -> Option<i16> {
    let year: i16 = text.parse().ok()?;
    Some(if text.len() == 2 { 2000 + year } else { year })
}

fn month(name: &str) -> Option<i8> {
    const NAMES: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let at = NAMES.iter().position(|known| name.starts_with(known))?;
    i8::try_from(at + 1).ok()
}

fn weekday(name: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];
    NAMES.iter().find(|(known, _)| name.starts_with(known)).map(|(_, weekday)| *weekday)
}

/// A year left out is the next such date after the reply was sent; for what is said to be past, the latest one before.
fn resolve(written: &Written, sent_on: Date) -> Day {
    let at = |year: i16| Date::new(year, written.month, written.day).ok();
    let (coming, gone) = match written.year {
        Some(year) => (at(year), at(year).filter(|date| *date <= sent_on)),
        None => (
            (sent_on.year()..=sent_on.year().saturating_add(1)).filter_map(at).find(|date| *date >= sent_on),
            (sent_on.year().saturating_sub(1)..=sent_on.year()).rev().filter_map(at).find(|date| *date <= sent_on),
        ),
    };
    let away = coming.and_then(|date| sent_on.until(date).ok()).map(|span| span.get_days());
    let doubt = match away {
        None => Some("an impossible date"),
        Some(days) if days < 0 => Some("a day that is past"),
        Some(0) if written.year.is_none() => Some("the very day of the reply, without a year"),
        Some(days) if written.year.is_none() && days > YEARLESS_DAYS_AHEAD_MAX => {
            Some("a day without a year that may be one of the last weeks")
        }
        Some(days) if days > DAYS_AHEAD_MAX => Some("a day more than two years away"),
        Some(_) => None,
    };
    Day { coming, gone, doubt }
}

fn clock(captures: &Captures<'_>, order: DateOrder) -> Clock {
    let number = |name: &str| captures.name(name).and_then(|found| found.as_str().parse::<i8>().ok());
    if captures.name("noon").is_some() {
        return Clock { time: Time::new(12, 0, 0, 0).ok(), doubt: None };
    }
    if let Some(military) = captures.name("mil").and_then(|found| found.as_str().parse::<i16>().ok()) {
        let parts = (i8::try_from(military / 100).ok(), i8::try_from(military % 100).ok());
        let time = if let (Some(hour), Some(minute)) = parts { Time::new(hour, minute, 0, 0).ok() } else { None };
        return Clock { doubt: time.is_none().then_some("an impossible time"), time };
    }
    let half =
        captures.name("half").or_else(|| captures.name("hhalf")).or_else(|| captures.name("chalf")).map(|half| half.as_str());
    let hour = number("h").or_else(|| number("hh")).or_else(|| number("ch")).or_else(|| number("bare")).unwrap_or(-1);
    let minute = number("m").or_else(|| number("cm")).unwrap_or(0);
    let (hour, doubt) = match half {
        Some(half) if (1..=12).contains(&hour) => (hour % 12 + if half.starts_with('p') { 12 } else { 0 }, None),
        // 14:30 pm is said often enough and can only be one time; 0:30 pm cannot.
        Some("pm" | "p") if hour > 12 => (hour, None),
        Some(_) => (-1, None),
        // No clinic opens at two in the morning. Where the day has twice twelve hours, 2:30 is an everyday way to write the afternoon; elsewhere
        // it may be a slip for 12:30 as well, as a bare 2 may be anywhere: a person decides.
        None if (1..=5).contains(&hour) && order == DateOrder::MonthFirst && captures.name("h").is_some() => (hour + 12, None),
        None if (0..=6).contains(&hour) => (hour, Some("a time that may be morning or afternoon")),
        None => (hour, None),
    };
    let time = Time::new(hour, minute, 0, 0).ok();
    Clock { doubt: if time.is_none() { Some("an impossible time") } else { doubt }, time }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, order: DateOrder) -> (Option<String>, Option<String>, bool) {
        let marked = mark(text, Date::constant(2026, 11, 21), order);
        let day = marked.days.first().and_then(|day| day.coming).map(|date| date.to_string());
        let clock = marked.clocks.first().and_then(|clock| clock.time).map(|time| time.strftime("%H:%M").to_string());
        let doubt = marked.days.iter().any(|day| day.doubt.is_some()) || marked.clocks.iter().any(|clock| clock.doubt.is_some());
        (day, clock, doubt)
    }

    #[test]
    fn days_and_times_are_read_as_front_desks_write_them() {
        for text in [
            "12/14/2026 10:30",
            "12/14/26 at 10:30am",
            "12/14 @ 10:30",
            "dec 14 at 10:30am",
            "december 14th, 2026 at 10.30 am",
            "14 december 2026 10:30",
            "14th of december 10:30",
            "mon, dec 14 2026 10:30 am",
            "monday 12/14 at 10:30",
            "2026-12-14 10:30",
            "2026-12-14t10:30:00",
            "12-14-2026 1030 hrs",
            "14.12.2026 10:30",
        ] {
            assert_eq!(
                read(text, DateOrder::MonthFirst),
                (Some("2026-12-14".to_owned()), Some("10:30".to_owned()), false),
                "{text}"
            );
        }
        assert_eq!(read("14/12/2026 2pm", DateOrder::DayFirst), (Some("2026-12-14".into()), Some("14:00".into()), false));
        assert_eq!(read("12/14 at 2:30", DateOrder::MonthFirst), (Some("2026-12-14".into()), Some("14:30".into()), false));
        assert!(read("14/12/2026 2:30", DateOrder::DayFirst).2, "there it may be a slip");
        assert_eq!(read("1/5 at noon", DateOrder::MonthFirst), (Some("2027-01-05".into()), Some("12:00".into()), false));
    }

    #[test]
    fn what_is_not_plain_carries_a_doubt() {
        for text in [
            "02/30/2027",
            "14/12/2026",
            "tuesday 12/14/2026",
            "next tuesday",
            "11/20/2026",
            "11/20",
            "11/21",
            "12/14/2031",
            "12/14/2026 6:30",
            "12/14/2026 0:30",
            "12/14/2026 at 3",
            "12/14/2026 25:00",
            "yesterday",
            "0:30 pm",
        ] {
            assert!(read(text, DateOrder::MonthFirst).2, "{text}");
        }
    }
}
