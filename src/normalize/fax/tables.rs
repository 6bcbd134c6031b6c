//! Tables: rows of cells that begin where the captions of their head begin.

use super::{
    labels::Marks,
    layout::{Segment, Sheet},
};

/// How far under a table's head its first row may stand, in heights of text.
pub(super) const TABLE_GAP_HEIGHTS_MAX: f32 = 3.0;

/// Whether one row stands under another as a table's row under its head: each thing in it begins where one of the head does.
pub(super) fn is_columned(sheet: &Sheet, head: usize, row: usize) -> bool {
    const COLUMNS_MIN: usize = 2;
    let begins = |segment: &Segment| {
        sheet.row(head).any(|(_, above)| (above.area.left - segment.area.left).abs() < 0.7 * sheet.text_height)
    };
    sheet.row(row).count() >= COLUMNS_MIN && sheet.row(row).all(|(_, segment)| begins(segment))
}

/// The rows of a table under its head, each with its cells, as far as they follow each other.
pub(super) fn rows<'a>(sheet: &'a Sheet, marks: &Marks, head: usize) -> Vec<Vec<&'a Segment>> {
    let bottom = |row: usize| sheet.row(row).map(|(_, segment)| segment.area.bottom).fold(0.0, f32::max);
    let mut rows = Vec::new();
    let mut last = bottom(head);
    for row in head + 1.. {
        let cells: Vec<(usize, &Segment)> = sheet.row(row).collect();
        let Some((_, first)) = cells.first() else { break };
        let follows = first.area.top - last < TABLE_GAP_HEIGHTS_MAX * sheet.text_height && is_columned(sheet, head, row);
        if !follows || cells.iter().any(|(at, _)| marks.begins(*at) || marks.heads(*at)) {
            break;
        }
        last = bottom(row);
        rows.push(cells.into_iter().map(|(_, segment)| segment).collect());
    }
    rows
}
