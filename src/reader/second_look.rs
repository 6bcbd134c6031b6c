//! A second look at a page whose words were hardly recognized, with another idea of how it is laid out.
//!
//! Read as one column, a label of two rows beside a value of one row comes out as neither. Looked for as words anywhere, both are found.
//! Only a clearly better reading replaces the first.
//!
//! # Design notes
//! The whole page is looked at again. A band around the doubtful words would cost less, and found nothing new: how a row is laid out
//! is only to be seen from the rows around it.

use crate::protocols::ocr::{OcrError, OcrWord, Region};

/// A word below this confidence is worth the time of a second look at its page.
const LOOK_AGAIN_BELOW: f32 = 0.35;
/// Below this confidence a word is replaced by a better reading, once the page is looked at.
const DOUBT: f32 = 0.6;
/// How much surer the second reading must be.
const GAIN_MIN: f32 = 0.1;
/// How much of a doubtful word's width the second reading must account for: half a name is worse than a doubtful one.
const COVERED_MIN: f32 = 0.6;
/// The share of a page, from its top, where the lines that fax machines add stand: small, often cut, and not worth a second look.
const HEADER_SHARE: u32 = 40;

/// Gives the words of a page with the doubtful ones read again by `look`, which recognizes scattered words.
pub(super) fn second_look(
    words: Vec<OcrWord>,
    page_height: u32,
    look: impl FnOnce() -> Result<Vec<OcrWord>, OcrError>,
) -> Result<Vec<OcrWord>, OcrError> {
    let doubtful = |word: &OcrWord| word.confidence < LOOK_AGAIN_BELOW && word.region.top > page_height / HEADER_SHARE;
    if !words.iter().any(doubtful) {
        return Ok(words);
    }
    let lines = words.iter().map(|word| word.line + 1).max().unwrap_or(0);
    let fits = |word: &OcrWord| {
        word.confidence >= DOUBT && !words.iter().any(|first| first.confidence >= DOUBT && overlap(first.region, word.region))
    };
    let found: Vec<OcrWord> = look()?.into_iter().filter(fits).map(|word| OcrWord { line: word.line + lines, ..word }).collect();
    Ok(merge(words, &found))
}

/// Puts what was found in the place of the doubtful words it covers.
fn merge(words: Vec<OcrWord>, found: &[OcrWord]) -> Vec<OcrWord> {
    let mut used = vec![false; found.len()];
    let mut merged = Vec::with_capacity(words.len());
    let rows: Vec<(u32, Region)> =
        words.iter().filter(|word| word.confidence >= DOUBT).map(|word| (word.line, word.region)).collect();
    for word in words {
        let better: Vec<usize> = (0..found.len())
            .filter(|index| {
                found
                    .get(*index)
                    .is_some_and(|other| other.confidence >= word.confidence + GAIN_MIN && overlap(other.region, word.region))
            })
            .collect();
        if word.confidence >= DOUBT || !covered(&word, better.iter().filter_map(|index| found.get(*index))) {
            merged.push(word);
            continue;
        }
        for index in better {
            if let (Some(used), Some(other)) = (used.get_mut(index), found.get(index))
                && !std::mem::replace(used, true)
            {
                // A word level with the rest of the old line is on it; one above or below has a line of its own.
                let level = rows.iter().any(|(line, region)| *line == word.line && is_level(*region, other.region));
                let line = if level { word.line } else { other.line };
                merged.push(OcrWord { line, block: word.block, ..other.clone() });
            }
        }
    }
    merged
}

fn covered<'a>(word: &OcrWord, others: impl Iterator<Item = &'a OcrWord>) -> bool {
    let width = word.region.right.saturating_sub(word.region.left).max(1);
    let reach = others.fold(None, |reach: Option<(u32, u32)>, other| {
        let (left, right) = (other.region.left.max(word.region.left), other.region.right.min(word.region.right));
        Some(reach.map_or((left, right), |(first, last)| (first.min(left), last.max(right))))
    });
    reach.is_some_and(|(left, right)| right.saturating_sub(left) as f32 >= COVERED_MIN * width as f32)
}

fn is_level(a: Region, b: Region) -> bool {
    let middle = a.top.midpoint(a.bottom);
    (b.top..b.bottom).contains(&middle)
}

fn overlap(a: Region, b: Region) -> bool {
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, confidence: f32, [left, top, right, bottom]: [u32; 4], line: u32) -> OcrWord {
        OcrWord { text: text.to_owned(), confidence, region: Region { left, top, right, bottom }, line, block: 0 }
    }

    fn texts(words: &[OcrWord]) -> Vec<&str> {
        words.iter().map(|word| word.text.as_str()).collect()
    }

    #[test]
    fn a_label_of_two_rows_beside_its_value_is_found_again() {
        let first = vec![
            word("oro", 0.2, [185, 710, 243, 786], 4),
            word("eis", 0.0, [238, 708, 324, 776], 4),
            word("Sampleton,", 0.95, [400, 730, 560, 760], 4),
        ];
        let second = vec![word("Ordering", 0.97, [185, 708, 324, 742], 0), word("provider:", 0.93, [186, 749, 323, 786], 1)];
        let read = second_look(first, 2244, || Ok(second.clone())).unwrap();
        assert_eq!(texts(&read), ["Ordering", "provider:", "Sampleton,"]);
    }

    #[test]
    fn a_page_read_without_doubt_is_not_looked_at_again() {
        let first = vec![word("Referral", 0.9, [10, 10, 90, 30], 0)];
        let read = second_look(first, 100, || panic!("there is nothing to look at")).unwrap();
        assert_eq!(texts(&read), ["Referral"]);
    }

    #[test]
    fn half_a_name_never_replaces_a_doubtful_one() {
        let first = vec![word("Placeho1der", 0.3, [100, 10, 300, 40], 0)];
        let read = second_look(first, 100, || Ok(vec![word("Place", 0.9, [100, 10, 180, 40], 0)])).unwrap();
        assert_eq!(texts(&read), ["Placeho1der"]);
    }
}
