//! How the commands print: aligned columns for people, JSON for programs, and quiet when nobody reads any more.

use std::{
    borrow::Cow,
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use serde_json::Value;

/// Why a text is no id of a `what`, and where those are to be found.
pub(super) fn no_id(text: &str, what: &str, listed_by: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{text} is no {what} id: one has 26 letters and digits, such as 01ARZ3NDEKTSV4RRFFQ69G5FAV; `{listed_by}` lists them"
    )
}

/// A moment as it is typed: a day (its begin) or a time, in the machine's time zone.
pub(super) fn since(text: &str) -> Result<Timestamp, String> {
    match text.parse::<Date>() {
        Ok(day) if text.len() <= DAY_CHARS => local(day.at(0, 0, 0, 0)),
        _ => moment(text),
    }
}

/// Likewise, but for a day its end.
pub(super) fn until(text: &str) -> Result<Timestamp, String> {
    match text.parse::<Date>() {
        Ok(day) if text.len() <= DAY_CHARS => local(day.tomorrow().map_err(|error| error.to_string())?.at(0, 0, 0, 0)),
        _ => moment(text),
    }
}

/// `2026-11-20`
const DAY_CHARS: usize = 10;

fn moment(text: &str) -> Result<Timestamp, String> {
    let as_typed = || text.parse::<DateTime>().map_err(|_| "write 2026-11-20 or 2026-11-20T08:30".to_owned());
    text.parse::<Timestamp>().or_else(|_| local(as_typed()?))
}

fn local(at: DateTime) -> Result<Timestamp, String> {
    at.to_zoned(TimeZone::system()).map(|at| at.timestamp()).map_err(|error| error.to_string())
}

/// Prints JSON, indented.
pub(super) fn json(value: &Value) {
    say(&format!("{value:#}"));
}

/// Prints a table with aligned columns; `empty` where there are no rows.
pub(super) fn table(head: &[&str], rows: &[Vec<String>], empty: &str) {
    if rows.is_empty() {
        say(empty);
        return;
    }
    write(aligned(head, rows).as_bytes());
}

/// A table as text, each line ended.
pub(super) fn aligned(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| shown(cell, false)).collect()).collect();
    let mut widths: Vec<usize> = head.iter().map(|title| title.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(|title| (*title).to_owned()).collect();
    std::iter::once(&head).chain(&rows).map(|row| line(row, &widths)).collect()
}

/// A text for a terminal: what a sender wrote must not clear the screen, or make itself look like something else. What would is written
/// as `\u{1b}`.
fn shown(text: &str, with_lines: bool) -> String {
    let steers = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        turns || (c.is_control() && !(with_lines && matches!(c, '\n' | '\t')))
    };
    // In a cell, lines stand one behind the other.
    let text = &*if with_lines { Cow::Borrowed(text) } else { Cow::Owned(text.lines().collect::<Vec<_>>().join(" / ")) };
    if !text.contains(steers) {
        return text.to_owned();
    }
    let mut shown = String::new();
    for c in text.chars() {
        if steers(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        text.push_str(cell);
        text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
    }
    format!("{}\n", text.trim_end())
}

/// Prints one line. A reader that went away (`| head`) ends the program without a complaint, as other programs do.
pub(super) fn say(text: &str) {
    write(format!("{}\n", shown(text, true)).as_bytes());
}

/// Prints to standard error what goes beside a result.
pub(super) fn aside(text: &str) {
    // A terminal that is gone is no reason to fail.
    io::stderr().write_all(shown(text, true).as_bytes()).ok();
}

/// Writes bytes as they are, likewise.
pub fn write(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        std::process::exit(i32::from(error.kind() != io::ErrorKind::BrokenPipe));
    }
}

/// Writes what was exported to a file of its own, or to standard output.
pub(super) fn exported(bytes: &[u8], to: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = to else { return Ok(io::stdout().write_all(bytes)?) };
    // It holds patient data: for whoever exports it alone.
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot make the file {}: name one that is not there yet", path.display()))?;
    file.write_all(bytes).with_context(|| format!("cannot write the file {}", path.display()))?;
    file.sync_all().with_context(|| format!("cannot write the file {}", path.display()))
}

/// The bytes at a JSON pointer, which are base64.
pub(super) fn decoded(value: &Value, pointer: &str) -> anyhow::Result<Vec<u8>> {
    use base64::Engine as _;
    Ok(base64::engine::general_purpose::STANDARD.decode(text(value, pointer))?)
}

/// Says that there may be more than was asked for.
pub(super) fn more(printed: usize, limit: usize) {
    if limit > 0 && printed == limit {
        say(&format!("the newest {limit}; `--limit 0` lists all"));
    }
}

/// A string at a JSON pointer, or nothing.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    }
}

/// A timestamp to the second, in the machine's time zone.
pub(super) fn time(value: &Value, pointer: &str) -> String {
    let text = text(value, pointer);
    match text.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_begin_or_its_end_and_a_time_is_itself() {
        let seconds = |from: &str, to: &str| until(to).unwrap().duration_since(since(from).unwrap()).as_secs();
        assert_eq!(seconds("2026-11-20", "2026-11-20"), 86_400);
        assert_eq!(seconds("2026-11-20T08:30", "2026-11-20T09:00:05"), 1_805);
        assert_eq!(since("2026-11-20T08:30:00Z").unwrap(), "2026-11-20T08:30:00Z".parse().unwrap());
        assert!(since("20.11.2026").unwrap_err().contains("2026-11-20T08:30") && until("yesterday").is_err());
    }

    #[test]
    fn what_would_steer_a_terminal_is_written_out() {
        assert_eq!(shown("Esc\u{1b}[2J Quag\u{202e}mirez\n", false), "Esc\\u{1b}[2J Quag\\u{202e}mirez");
        assert_eq!(shown("one\ntwo\rthree", false), "one / two\\u{d}three");
        assert_eq!(shown("two\nlines, José", true), "two\nlines, José");
    }
}
