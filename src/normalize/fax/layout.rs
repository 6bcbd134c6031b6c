//! From the words of a page to lines, and within a line to segments: runs of words with no wide gap between them.
//!
//! A segment is what a person sees as one thing: the text of a cell, a label, a phrase. The recognizer's own lines are the start; lines that
//! stand side by side (cells of one row, two columns) are joined into one row, so that "right of" and "below" can be asked of any two segments.

use crate::reader::{PageReading, Word};

/// Specks that the recognizer took for words: no letter or digit, and little confidence.
const NOISE_CONFIDENCE_MAX: f32 = 0.5;

/// A box: left, top, right, bottom, in pixels of the stored page image.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) right: f32,
    pub(super) bottom: f32,
}

impl Area {
    fn of(word: &Word) -> Self {
        let [left, top, right, bottom] = word.bounds.map(|edge| edge as f32);
        Self { left, top, right, bottom }
    }

    pub(super) fn around(words: &[Word]) -> Self {
        let mut areas = words.iter().map(Self::of);
        let first = areas.next().unwrap_or(Self { left: 0.0, top: 0.0, right: 0.0, bottom: 0.0 });
        areas.fold(first, Self::with)
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    pub(super) fn height(self) -> f32 {
        self.bottom - self.top
    }

    pub(super) fn middle(self) -> f32 {
        f32::midpoint(self.top, self.bottom)
    }

    /// How much of the lower of the two heights is shared.
    fn shares_line(self, other: Self) -> bool {
        let shared = self.bottom.min(other.bottom) - self.top.max(other.top);
        shared > 0.5 * self.height().min(other.height())
    }

    pub(super) fn overlaps_sideways(self, other: Self) -> bool {
        self.left < other.right && other.left < self.right
    }
}

/// A run of words with no wide gap.
pub(super) struct Segment {
    pub(super) words: Vec<Word>,
    pub(super) area: Area,
    /// Which row of the page it is in.
    pub(super) row: usize,
}

impl Segment {
    pub(super) fn text(&self) -> String {
        text_of(&self.words)
    }
}

/// A page as rows of segments.
pub(super) struct Sheet {
    pub(super) page: u32,
    pub(super) height: f32,
    /// Pixels an inch.
    pub(super) dpi: f32,
    /// What was taken for no word: signs of little confidence. A grid's lines are not among them.
    pub(super) specks: Vec<Word>,
    /// In reading order: by row, then from the left.
    pub(super) segments: Vec<Segment>,
    /// Height of ordinary text.
    pub(super) text_height: f32,
    /// Left and right edge of what is printed.
    pub(super) left: f32,
    pub(super) right: f32,
    /// The line that the sending fax machine printed above the page, set apart.
    pub(super) header: Option<Vec<Word>>,
}

/// Words as one text.
pub(super) fn text_of(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

impl Sheet {
    pub(super) fn of(reading: &PageReading) -> Self {
        let (words, specks) = clean(&reading.words);
        let text_height = median(words.iter().map(|word| Area::of(word).height())).max(6.0);
        let mut rows = rows(lines(words));
        let header = take_header(&mut rows, reading.height as f32);
        let segments: Vec<Segment> =
            rows.into_iter().enumerate().flat_map(|(row, words)| split(words, row, text_height)).collect();
        let left = segments.iter().map(|segment| segment.area.left).fold(f32::MAX, f32::min);
        let right = segments.iter().map(|segment| segment.area.right).fold(0.0, f32::max);
        Self {
            page: reading.number,
            height: reading.height as f32,
            dpi: reading.dpi,
            specks,
            segments,
            text_height,
            left,
            right,
            header,
        }
    }

    /// The segments of one row.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = (usize, &Segment)> {
        self.segments.iter().enumerate().filter(move |(_, segment)| segment.row == row)
    }
}

pub(super) fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Sets specks apart, strips the grid lines glued to words, and parts a label from a value glued to it (`DOB:11/01/1934`).
fn clean(words: &[Word]) -> (Vec<Word>, Vec<Word>) {
    let height = median(words.iter().map(|word| Area::of(word).height()));
    let mut kept = Vec::with_capacity(words.len());
    let mut specks = Vec::new();
    for word in words {
        let text = word.text.trim_matches(|c: char| matches!(c, '|' | '_' | '~' | '\u{2014}' | '\u{a6}' | '\u{201c}' | '`'));
        let solid = text.chars().any(char::is_alphanumeric);
        let tall = Area::of(word).height();
        let speck = (!solid && word.confidence < NOISE_CONFIDENCE_MAX && !text.contains(['[', ']', '(', ')']))
            || text.chars().all(|c| ".,'".contains(c))
            || (tall < 0.35 * height && word.confidence < NOISE_CONFIDENCE_MAX)
            || (tall > 4.0 * height && text.chars().count() < 3);
        if !speck {
            part(Word { text: text.to_owned(), ..word.clone() }, &mut kept);
        } else if !text.is_empty() {
            specks.push(word.clone());
        }
    }
    (brackets(kept), specks)
}

/// Makes one word of the brackets of a printed tick box, and of the cross between them: `[`, `X`, `]`.
fn brackets(words: Vec<Word>) -> Vec<Word> {
    const GAP_HEIGHTS_MAX: f32 = 2.0;
    let opens = |text: &str| matches!(text, "[" | "(" | "{" | "{[" | "([");
    let closes = |text: &str| matches!(text, "]" | ")" | "}" | "]}" | "])");
    let cross = |text: &str| matches!(text, "x" | "X" | "\u{d7}");
    let mut joined: Vec<Word> = Vec::with_capacity(words.len());
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let near = |from: usize| match (words.get(from), words.get(from + 1)) {
            (Some(one), Some(next)) => {
                let (one, next_area) = (Area::of(one), Area::of(next));
                let tall = one.height().max(next_area.height());
                next.line == word.line && next_area.left - one.right < GAP_HEIGHTS_MAX * tall
            }
            _ => false,
        };
        let text = |from: usize| words.get(from).map_or("", |word| word.text.as_str());
        let first = word.text.trim_start_matches(['[', '(', '{']);
        let (taken, ticked) = match () {
            () if opens(&word.text) && near(at) && closes(text(at + 1)) => (2, false),
            () if opens(&word.text) && near(at) && cross(text(at + 1)) && near(at + 1) && closes(text(at + 2)) => (3, true),
            () if first.len() < word.text.len() && cross(first) && near(at) && closes(text(at + 1)) => (2, true),
            () if opens(&word.text) && near(at) && cross(text(at + 1).trim_end_matches([']', ')', '}'])) => (2, true),
            () => (1, false),
        };
        let end = at + taken;
        if taken > 1 {
            let area = words.get(at..end).unwrap_or_default().iter().map(Area::of).reduce(Area::with).unwrap_or(Area::of(word));
            let bounds = [area.left, area.top, area.right, area.bottom].map(|edge| edge as u32);
            joined.push(Word { text: if ticked { "[X]" } else { "[ ]" }.to_owned(), bounds, ..word.clone() });
        } else if !(matches!(word.text.as_str(), "(" | ")") && word.confidence < NOISE_CONFIDENCE_MAX) {
            joined.push(word.clone());
        }
        at = end;
    }
    joined
}

/// Parts a word behind its first colon or number sign, or before an opening bracket.
fn part(word: Word, into: &mut Vec<Word>) {
    let chars: Vec<char> = word.text.chars().collect();
    let boxed = ["[x]", "(x)", "[]", "()"].into_iter().find(|mark| word.text.to_lowercase().starts_with(mark)).map(str::len);
    let boxed = boxed.filter(|end| chars.get(*end).is_some_and(|c| c.is_alphabetic()));
    let cut = boxed.or_else(|| {
        (1..chars.len()).find(|&at| {
            let (before, here) = (chars[at - 1], chars[at]);
            let label = chars[..at].iter().any(|c| c.is_alphabetic());
            match before {
                ':' | '#' => label && !matches!(here, ':' | '#' | '/'),
                _ => {
                    here == '('
                        && (before.is_alphabetic() || (label && before == '.'))
                        && chars.get(at + 1).is_some_and(char::is_ascii_digit)
                }
            }
        })
    });
    let Some(cut) = cut else {
        into.push(word);
        return;
    };
    let [left, top, right, bottom] = word.bounds;
    let share = u32::try_from(cut).unwrap_or(0) * right.saturating_sub(left) / u32::try_from(chars.len()).unwrap_or(1).max(1);
    let half = |text: String, left, right| Word { text, bounds: [left, top, right, bottom], ..word.clone() };
    into.push(half(chars[..cut].iter().collect(), left, left + share));
    part(half(chars[cut..].iter().collect(), left + share, right), into);
}

/// The recognizer's lines, parted where a line holds words of two heights on the page.
fn lines(words: Vec<Word>) -> Vec<Vec<Word>> {
    let mut lines: Vec<(u32, Vec<Word>)> = Vec::new();
    for word in words {
        let area = Area::of(&word);
        let home = lines
            .iter_mut()
            .rev()
            .find(|(line, words)| *line == word.line && words.last().is_some_and(|last| near_level(Area::of(last), area)));
        match home {
            Some((_, words)) => words.push(word),
            None => lines.push((word.line, vec![word])),
        }
    }
    lines.into_iter().map(|(_, words)| words).collect()
}

fn near_level(last: Area, next: Area) -> bool {
    (last.middle() - next.middle()).abs() < 0.9 * last.height().max(next.height())
}

/// Joins lines that stand side by side, from the top of the page down.
fn rows(mut lines: Vec<Vec<Word>>) -> Vec<Vec<Word>> {
    lines.sort_by(|a, b| Area::around(a).middle().total_cmp(&Area::around(b).middle()));
    let mut rows: Vec<Vec<Word>> = Vec::new();
    for line in lines {
        let area = Area::around(&line);
        let beside = rows.iter_mut().rev().take(4).find(|row| {
            let other = Area::around(row);
            !row.iter().any(|word| line.iter().any(|mine| Area::of(word).overlaps_sideways(Area::of(mine))))
                && other.shares_line(area)
        });
        match beside {
            Some(row) => row.extend(line),
            None => rows.push(line),
        }
    }
    for row in &mut rows {
        row.sort_by_key(|word| word.bounds[0]);
    }
    rows.sort_by(|a, b| Area::around(a).middle().total_cmp(&Area::around(b).middle()));
    rows
}

/// Splits a row at its wide gaps.
fn split(words: Vec<Word>, row: usize, text_height: f32) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for word in words {
        let area = Area::of(&word);
        match segments.last_mut() {
            Some(last) if area.left - last.area.right < 1.3 * text_height.max(area.height().min(last.area.height())) => {
                last.area = last.area.with(area);
                last.words.push(word);
            }
            _ => segments.push(Segment { area, words: vec![word], row }),
        }
    }
    segments
}

/// The sending machine's line: first on the page, at its very top, with a page count (`P. 1/2`) or a sender and a time of day.
fn take_header(rows: &mut Vec<Vec<Word>>, page_height: f32) -> Option<Vec<Word>> {
    let first = rows.first()?;
    if Area::around(first).top > 0.04 * page_height {
        return None;
    }
    let text = text_of(first).to_lowercase();
    let clock = text.split_whitespace().any(|word| {
        word.split_once(':').is_some_and(|(hour, minute)| {
            hour.len() <= 2 && minute.len() >= 2 && hour.parse::<u8>().is_ok() && minute.starts_with(|c: char| c.is_ascii_digit())
        })
    });
    let count = ["p.", "page", "pg", "p:"].iter().any(|mark| text.contains(mark));
    let sender = text.contains("from") || text.contains("fax");
    // Half cut off at the very edge of the paper, where no form begins.
    let at_the_edge = sender && Area::around(first).top < 0.01 * page_height;
    if at_the_edge || usize::from(clock) + usize::from(count) + usize::from(sender) >= 2 { Some(rows.remove(0)) } else { None }
}
