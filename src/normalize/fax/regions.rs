//! Where the value of a label is: behind it, right of it, or below it; one line or several.

use super::{
    labels::{Label, Marks},
    layout::{Area, Segment, Sheet, text_of},
    lists,
    tables::{TABLE_GAP_HEIGHTS_MAX, is_columned},
};
use crate::reader::Word;

/// How a value lies to its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// Behind it, in the same segment.
    Behind,
    /// In the next segment of the row.
    RightOf,
    /// Under it.
    Below,
    /// Over it, on the line that it names from below.
    Above,
}

/// The words that may be a label's value.
pub(super) struct Region {
    pub(super) words: Vec<Word>,
    pub(super) relation: Relation,
}

/// The regions where a label's value may be, the likeliest first. `lines` is how many lines it may run over.
pub(super) fn regions(sheet: &Sheet, marks: &Marks, label: &Label, lines: usize) -> Vec<Region> {
    let mut found = Vec::new();
    let mut push = |words: Vec<Word>, relation| {
        if words.iter().any(|word| word.text.chars().any(char::is_alphanumeric) || word.text.contains('[') || is_box(word)) {
            found.push(Region { words, relation });
        }
    };
    if marks.under_values && is_in_caption(sheet, marks, label) {
        if label.from == 0 {
            push(above(sheet, marks, label, lines), Relation::Above);
        }
        return found;
    }
    push(behind(sheet, marks, label, lines), Relation::Behind);
    let right = right_of(sheet, marks, label, lines);
    let below = below(sheet, marks, label, lines);
    let smaller = below.first().is_some_and(|word| word_height(word) > 1.15 * label.area.height());
    let columns = sheet.row(row_of(sheet, label)).filter(|(at, _)| marks.begins(*at)).count() > 1;
    if !label.colon && (smaller || columns) {
        push(below, Relation::Below);
        push(right, Relation::RightOf);
    } else {
        push(right, Relation::RightOf);
        push(below, Relation::Below);
    }
    found
}

/// Whether a label is all that its segment says, without a colon: what it names may stand anywhere around it.
fn is_caption(sheet: &Sheet, label: &Label) -> bool {
    !label.colon
        && label.below.is_none()
        && label.from == 0
        && sheet.segments.get(label.segment).is_some_and(|segment| ends_as_caption(&segment.words, label.to))
}

/// Whether a label is a caption, or a further word of one ("Emergency contact / *phone*").
fn is_in_caption(sheet: &Sheet, marks: &Marks, label: &Label) -> bool {
    marks.at(label.segment, 0).is_some_and(|first| is_caption(sheet, first)) && !label.colon
}

/// Behind a caption there may be a remark in brackets, or what else is filled in there ("Emergency contact / phone").
fn ends_as_caption(words: &[Word], to: usize) -> bool {
    words.get(to).is_none_or(|next| next.text.starts_with(['(', '/', '&']))
}

/// Whether the labels of a page stand under what is filled in, as they do where a form has lines to write on: all but a few of its captions are
/// nearer to what is printed above them, and that is larger.
pub(super) fn stand_under_values(sheet: &Sheet, marks: &Marks) -> bool {
    const CAPTIONS_MIN: usize = 3;
    const SHARE_MIN: f32 = 0.7;
    let captions: Vec<&Label> = marks.labels.iter().filter(|label| is_caption(sheet, label)).collect();
    let under = captions.iter().filter(|label| {
        let value = above(sheet, marks, label, 1);
        let next = below(sheet, marks, label, 1);
        let over = label.area.top - Area::around(&value).bottom;
        let to_next = if next.is_empty() { f32::MAX } else { Area::around(&next).top - label.area.bottom };
        value.first().is_some_and(|word| is_larger(word, label)) && over < to_next
    });
    let under = under.count();
    under >= CAPTIONS_MIN && under as f32 >= SHARE_MIN * captions.len() as f32 && !are_cells(sheet, marks, &captions)
}

/// Whether captions stand at the top of cells, however near to what is in the cells above them: over the first of them stands at most a
/// title, and under the last what is filled in.
fn are_cells(sheet: &Sheet, marks: &Marks, captions: &[&Label]) -> bool {
    let rows = || captions.iter().map(|label| row_of(sheet, label));
    let of_row = |row: Option<usize>| captions.iter().filter(move |label| Some(row_of(sheet, label)) == row);
    let has_value_above = |label: &&&Label| {
        let value = above(sheet, marks, label, 1);
        !value.is_empty() && !lists::looks_like_title(&text_of(&value))
    };
    let has_value_below = |label: &&&Label| {
        sheet.segments.iter().enumerate().any(|(at, segment)| {
            let (area, gap) = (segment.area, segment.area.top - label.area.bottom);
            let under =
                gap > 0.0 && gap < CELL_GAP_HEIGHTS_MAX * area.height() && (area.left - label.area.left).abs() < area.height();
            under && segment.words.first().is_some_and(|word| is_larger(word, label)) && !marks.begins(at) && !marks.heads(at)
        })
    };
    let (first, last) = (of_row(rows().min()), of_row(rows().max()));
    let (count, filled) = (first.clone().count(), first.filter(has_value_above).count());
    filled * 2 < count && last.filter(has_value_below).count() > 0
}

/// Whether a word is larger than a label, as what is filled in is larger than its caption.
fn is_larger(word: &Word, label: &Label) -> bool {
    word_height(word) > 1.1 * label.area.height()
}

fn word_height(word: &Word) -> f32 {
    word.bounds[3].saturating_sub(word.bounds[1]) as f32
}

fn row_of(sheet: &Sheet, label: &Label) -> usize {
    sheet.segments.get(label.segment).map_or(0, |segment| segment.row)
}

/// The words of a segment from one on, up to the next label.
fn until_label(marks: &Marks, segment: &Segment, at: usize, from: usize) -> Vec<Word> {
    segment
        .words
        .iter()
        .enumerate()
        .skip(from)
        .take_while(|(word, _)| marks.at(at, *word).is_none())
        .map(|(_, word)| word.clone())
        .collect()
}

fn behind(sheet: &Sheet, marks: &Marks, label: &Label, lines: usize) -> Vec<Word> {
    let Some(segment) = sheet.segments.get(label.segment) else { return Vec::new() };
    if label.below.is_some() {
        return Vec::new();
    }
    let mut words = until_label(marks, segment, label.segment, label.to);
    let whole = label.to + words.len() == segment.words.len();
    if words.is_empty() {
        return words;
    }
    if whole && lines > 1 {
        words.extend(rest_of_row(sheet, marks, label.segment));
        let rest = continuation(sheet, marks, segment, Area::around(&words), lines - 1);
        words.extend(rest);
    }
    words
}

/// What follows on the row behind a gap, when it is no label: the rest of a line that is justified, or of which a part could not be read.
fn rest_of_row(sheet: &Sheet, marks: &Marks, from: usize) -> Vec<Word> {
    const GAP_HEIGHTS_MAX: f32 = 5.0;
    let Some(segment) = sheet.segments.get(from) else { return Vec::new() };
    let mut right = segment.area.right;
    let mut words = Vec::new();
    for (at, next) in sheet.row(segment.row).filter(|(at, _)| *at > from) {
        let near = next.area.left - right < GAP_HEIGHTS_MAX * sheet.text_height;
        if !near || marks.begins(at) || marks.headings.iter().any(|heading| heading.segment == at) {
            break;
        }
        words.extend(until_label(marks, next, at, 0));
        right = next.area.right;
    }
    words
}

/// What a label offers to choose from: everything behind it on its row, or a column of tick boxes under it.
pub(super) fn options(sheet: &Sheet, marks: &Marks, label: &Label) -> Vec<Word> {
    if marks.under_values && is_caption(sheet, label) {
        return above(sheet, marks, label, 1);
    }
    let row = options_of_row(sheet, marks, label);
    if row.iter().any(is_box_or_brackets) {
        return row;
    }
    let column = options_below(sheet, marks, label);
    if column.is_empty() { row } else { column }
}

/// Everything behind a label on its row, up to the next label, and the rows of tick boxes under it that go on with them.
fn options_of_row(sheet: &Sheet, marks: &Marks, label: &Label) -> Vec<Word> {
    const ROWS_MAX: usize = 4;
    let Some(own) = sheet.segments.get(label.segment) else { return Vec::new() };
    let mut words = until_label(marks, own, label.segment, label.to);
    if label.to + words.len() < own.words.len() {
        return words;
    }
    let mut left = f32::MAX;
    for (at, segment) in sheet.row(own.row).filter(|(_, segment)| segment.area.left >= label.area.right - 2.0) {
        if at == label.segment {
            continue;
        }
        let free = until_label(marks, segment, at, 0);
        left = left.min(segment.area.left);
        let whole = free.len() == segment.words.len();
        words.extend(free);
        if !whole {
            return words;
        }
    }
    for row in own.row + 1..=own.row + ROWS_MAX {
        let boxed: Vec<(usize, &Segment)> = sheet.row(row).collect();
        // A box that a pen has hidden may not have been found.
        let goes_on = boxed.iter().all(|(at, segment)| segment.area.left > left - 2.0 * sheet.text_height && !marks.begins(*at))
            && boxed.iter().any(|(_, segment)| starts_with_box(segment));
        if !goes_on {
            break;
        }
        words.extend(boxed.iter().flat_map(|(at, segment)| until_label(marks, segment, *at, 0)));
    }
    words
}

/// The column of tick boxes under a label that has nothing behind it and no value beside it, as far right as the next thing on its row.
fn options_below(sheet: &Sheet, marks: &Marks, label: &Label) -> Vec<Word> {
    const ROWS_MAX: usize = 40;
    const GAP_HEIGHTS_MAX: f32 = 2.5;
    let Some(own) = sheet.segments.get(label.segment).filter(|own| own.words.len() == label.to) else { return Vec::new() };
    let height = sheet.text_height;
    let beside = sheet.row(own.row).find(|(_, segment)| segment.area.left > label.area.right);
    if beside.is_some_and(|(at, _)| !marks.begins(at) && !marks.heads(at)) {
        return Vec::new();
    }
    let columns = left_edge(marks, own, label) - height..beside.map_or(f32::MAX, |(_, segment)| segment.area.left - 0.3 * height);
    let mut words: Vec<Word> = Vec::new();
    // A row whose box a pen has hidden: an option where another one follows.
    let mut boxless: Option<Vec<Word>> = None;
    let mut bottom = own.area.bottom;
    for row in own.row + 1..=own.row + ROWS_MAX {
        let mut cells = sheet.row(row).filter(|(_, segment)| columns.contains(&segment.area.left)).peekable();
        let Some((_, first)) = cells.peek().copied() else { continue };
        if first.area.top - bottom > GAP_HEIGHTS_MAX * height {
            break;
        }
        let is_labelled = |at: usize, segment: &Segment| marks.begins(at) || (marks.heads(at) && !starts_with_box(segment));
        let cells: Vec<(usize, &Segment)> = cells.take_while(|(at, segment)| !is_labelled(*at, segment)).collect();
        let taken: Vec<Word> = cells.iter().flat_map(|(at, segment)| until_label(marks, segment, *at, 0)).collect();
        let boxed = cells.iter().any(|(_, segment)| starts_with_box(segment));
        if taken.is_empty() || (!boxed && boxless.is_some()) {
            break;
        }
        bottom = first.area.bottom;
        if boxed {
            words.extend(boxless.take().into_iter().flatten().chain(taken));
        } else {
            boxless = Some(taken);
        }
    }
    words
}

/// Where a label begins. Words before it that are no label of their own are its beginning: "Presenting *concern*".
fn left_edge(marks: &Marks, own: &Segment, label: &Label) -> f32 {
    let another = marks.labels.iter().any(|other| other.segment == label.segment && other.from < label.from);
    if another { label.area.left } else { own.area.left }
}

fn starts_with_box(segment: &Segment) -> bool {
    segment.words.first().is_some_and(is_box_or_brackets)
}

/// Whether a word is a drawn tick box.
pub(super) fn is_box(word: &Word) -> bool {
    matches!(word.text.as_str(), "\u{2610}" | "\u{2612}" | "\u{25a3}")
}

/// Whether a word is a tick box, drawn, or printed as a pair of brackets with a cross or nothing in it.
pub(super) fn is_box_or_brackets(word: &Word) -> bool {
    is_box(word) || matches!(word.text.to_lowercase().as_str(), "[ ]" | "[]" | "[x]" | "( )" | "()" | "(x)")
}

/// The lines under a value that go on with it: they begin under it or under its label, close below, and the line before was full.
fn continuation(sheet: &Sheet, marks: &Marks, segment: &Segment, value: Area, lines: usize) -> Vec<Word> {
    let mut words = Vec::new();
    let (mut last, mut row) = (segment.area, segment.row);
    let height = sheet.text_height;
    for _ in 0..lines {
        let next = sheet.segments.iter().enumerate().find(|(_, next)| {
            next.row > row
                && next.area.top > last.middle()
                && next.area.top - last.bottom < 1.0 * height
                && ((next.area.left - segment.area.left).abs() < 1.5 * height
                    || (next.area.left - value.left).abs() < 1.5 * height)
        });
        let Some((at, next)) = next else { break };
        let full = last.right > sheet.left + 0.7 * (sheet.right - sheet.left);
        let under_value = (next.area.left - value.left).abs() < 1.5 * height && value.left - segment.area.left > 2.0 * height;
        if marks.begins(at) || marks.headings.iter().any(|heading| heading.segment == at) || !(full || under_value) {
            break;
        }
        words.extend(until_label(marks, next, at, 0));
        last = next.area;
        row = next.row;
    }
    words
}

/// Segments right of a label, on its level: one line, or the lines of a cell beside a label that stands at their middle.
fn right_of(sheet: &Sheet, marks: &Marks, label: &Label, lines: usize) -> Vec<Word> {
    let height = sheet.text_height;
    let row = row_of(sheet, label);
    let ends_segment =
        label.below.is_some() || sheet.segments.get(label.segment).is_some_and(|segment| segment.words.len() == label.to);
    if !ends_segment {
        return Vec::new();
    }
    let level = |area: Area| area.top < label.area.bottom + 0.3 * height && area.bottom > label.area.top - 0.3 * height;
    let mut beside: Vec<(usize, &Segment)> = sheet
        .segments
        .iter()
        .enumerate()
        .filter(|(at, segment)| {
            *at != label.segment && Some(*at) != label.below && segment.area.left >= label.area.right - 2.0 && level(segment.area)
        })
        .collect();
    beside.sort_by(|a, b| a.1.area.left.total_cmp(&b.1.area.left));
    let Some((first, nearest)) = beside.first().copied() else { return Vec::new() };
    // A label further left on its own row, with something between, is not this value's.
    let same_row = beside.iter().find(|(_, segment)| segment.row == row);
    if marks.begins(first)
        || marks.heads(first)
        || same_row.is_some_and(|(at, segment)| marks.begins(*at) && segment.area.left <= nearest.area.left + height)
    {
        return Vec::new();
    }
    let column = nearest.area.left;
    let mut cell: Vec<(usize, &Segment)> = beside
        .into_iter()
        .filter(|(at, segment)| (segment.area.left - column).abs() < 1.5 * height && !marks.begins(*at))
        .collect();
    if lines > 1 {
        extend_cell(sheet, marks, label, column, &mut cell);
    }
    cell.sort_by(|a, b| a.1.area.top.total_cmp(&b.1.area.top));
    if lines == 1 {
        // Of two lines on its level the nearer one is its value.
        cell.sort_by(|a, b| {
            let off = |segment: &Segment| (segment.area.middle() - label.area.middle()).abs();
            off(a.1).total_cmp(&off(b.1))
        });
        cell.truncate(1);
    }
    let line = |at: usize, segment: &Segment| {
        let mut words = until_label(marks, segment, at, 0);
        if lines > 1 && label.colon && words.len() == segment.words.len() {
            words.extend(rest_of_row(sheet, marks, at));
        }
        words
    };
    let mut words: Vec<Word> = cell.iter().flat_map(|(at, segment)| line(*at, segment)).collect();
    if lines == 1
        && let Some((at, segment)) = cell.first()
        && label.colon
    {
        // A value with a gap in it: "Lee,    Leslie". Take what follows on the row while it is no label.
        let rest =
            sheet.row(segment.row).filter(|(other, next)| *other > *at && next.area.left - segment.area.right < 4.0 * height);
        for (other, next) in rest.take(1) {
            if !marks.begins(other) && segment.words.iter().all(|word| word.text.chars().count() < 20) && words.len() < 3 {
                words.extend(until_label(marks, next, other, 0));
            }
        }
    }
    words
}

/// More lines of the same cell: aligned with it, close to it, and nearer to this label than to another.
fn extend_cell<'a>(sheet: &'a Sheet, marks: &Marks, label: &Label, column: f32, cell: &mut Vec<(usize, &'a Segment)>) {
    let height = sheet.text_height;
    loop {
        let Some(area) = cell.iter().map(|(_, segment)| segment.area).reduce(Area::with) else { return };
        let next = sheet.segments.iter().enumerate().find(|(at, segment)| {
            let gap = (segment.area.top - area.bottom).max(area.top - segment.area.bottom);
            let nearer =
                marks.labels.iter().filter(|other| other.segment != label.segment && other.area.right <= column).any(|other| {
                    (other.area.middle() - segment.area.middle()).abs() < (label.area.middle() - segment.area.middle()).abs()
                });
            !cell.iter().any(|(known, _)| known == at)
                && (segment.area.left - column).abs() < 1.5 * height
                && gap < 0.9 * height
                && !marks.begins(*at)
                && !nearer
        });
        match next {
            Some(found) if cell.len() < 12 => cell.push(found),
            _ => return,
        }
    }
}

/// The words over a label, as far right as the next thing on the label's row; several lines from the top.
fn above(sheet: &Sheet, marks: &Marks, label: &Label, lines: usize) -> Vec<Word> {
    let Some(own) = sheet.segments.get(label.segment) else { return Vec::new() };
    let height = sheet.text_height;
    let limit = sheet.row(own.row).map(|(_, segment)| segment.area.left).find(|left| *left > label.area.right);
    let limit = limit.map_or(f32::MAX, |limit| limit - 0.3 * height);
    let left = label.area.left - height;
    let (mut last, mut row) = (label.area, own.row);
    let mut found: Vec<Vec<Word>> = Vec::new();
    while let Some(upper) = row.checked_sub(1).filter(|_| found.len() < lines) {
        let mine = |segment: &Segment| segment.area.right > left && segment.area.left < limit;
        if sheet.row(upper).any(|(at, segment)| mine(segment) && (marks.begins(at) || marks.heads(at))) {
            break;
        }
        let words = sheet.row(upper).filter(|(_, segment)| mine(segment)).flat_map(|(_, segment)| &segment.words);
        let taken: Vec<Word> = words.filter(|word| (left..limit).contains(&(word.bounds[0] as f32))).cloned().collect();
        row = upper;
        // The row may be another column's.
        if taken.is_empty() {
            continue;
        }
        let area = Area::around(&taken);
        if last.top - area.bottom > 1.6 * height {
            break;
        }
        last = area;
        found.push(taken);
    }
    found.into_iter().rev().flatten().collect()
}

/// How far under a caption in small print at the top of a cell may stand what is filled in, in heights of that.
const CELL_GAP_HEIGHTS_MAX: f32 = 2.3;
/// The words under a label, as far right as the next thing on the label's row.
fn below(sheet: &Sheet, marks: &Marks, label: &Label, lines: usize) -> Vec<Word> {
    let Some(own) = sheet.segments.get(label.segment) else { return Vec::new() };
    let height = sheet.text_height;
    let in_segment = own.words.get(label.to).map(|word| word.bounds[0] as f32);
    let beside = sheet.row(own.row).map(|(_, segment)| segment.area.left).find(|left| *left > label.area.right);
    let limit = [in_segment, beside].into_iter().flatten().fold(f32::MAX, f32::min) - 0.3 * height;
    let begins = left_edge(marks, own, label);
    let caption = !label.colon && ends_as_caption(&own.words, label.to);
    let left = begins - height;
    let mut words: Vec<Word> = Vec::new();
    let mut last = label.area;
    let mut row = own.row;
    for line in 0..lines {
        let next_row = sheet.segments.iter().filter(|segment| {
            segment.row > row && segment.area.top > last.middle() && segment.area.right > left && segment.area.left < limit
        });
        let Some(next_row) = next_row.map(|segment| segment.row).min() else { break };
        let mut taken: Vec<Word> = Vec::new();
        let mut labelled = false;
        for (at, segment) in sheet.row(next_row) {
            for (place, word) in segment.words.iter().enumerate() {
                let x = word.bounds[0] as f32;
                if x >= left && x < limit {
                    labelled |= marks.at(at, place).is_some() || marks.heads(at) || marks.begins(at);
                    if !labelled {
                        taken.push(word.clone());
                    }
                }
            }
        }
        let area = Area::around(&taken);
        let gap = area.top - last.bottom;
        let reach = if line > 0 {
            1.1
        } else if is_columned(sheet, own.row, next_row) {
            TABLE_GAP_HEIGHTS_MAX
        } else {
            1.6
        };
        let in_cell = line == 0 && caption && taken.first().is_some_and(|word| is_larger(word, label));
        let near = gap < reach * height || (in_cell && gap < CELL_GAP_HEIGHTS_MAX * area.height());
        let aligned = line > 0 || area.left - begins < 2.5 * height;
        if taken.is_empty() || !near || !aligned || (line > 0 && labelled) {
            break;
        }
        last = area;
        row = next_row;
        words.extend(taken);
        if labelled {
            break;
        }
    }
    words
}
