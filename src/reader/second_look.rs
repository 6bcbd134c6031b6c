//! A second look at the words that were hardly recognized, with another idea of how the page is laid out.
//!
//! Read as one column, a label of two rows beside a value of one row comes out as neither. Looked for as words anywhere, both are found.
//! Only the bands of the page with doubtful words are looked at again, and only a clearly better reading replaces the first.

use crate::protocols::ocr::{OcrError, OcrWord, Region};

/// Below this confidence a word is looked at again.
const DOUBT: f32 = 0.6;
/// How much surer the second reading must be.
const GAIN_MIN: f32 = 0.1;
/// How much of a doubtful word's width the second reading must account for: half a name is worse than a doubtful one.
const COVERED_MIN: f32 = 0.6;
/// Space around a doubtful word that belongs to the band, in pixels: a row of text.
const MARGIN_PIXELS: u32 = 28;
/// More bands than this are one: the whole page.
const BANDS_MAX: usize = 8;

/// Gives the words of a page with the doubtful ones read again by `look`, which recognizes scattered words in a region.
pub(super) fn second_look(
    words: Vec<OcrWord>,
    (width, height): (u32, u32),
    mut look: impl FnMut(Region) -> Result<Vec<OcrWord>, OcrError>,
) -> Result<Vec<OcrWord>, OcrError> {
    let mut bands = bands(&words, height);
    if bands.len() > BANDS_MAX {
        bands = vec![(0, height)];
    }
    let mut line = words.iter().map(|word| word.line + 1).max().unwrap_or(0);
    let mut found: Vec<OcrWord> = Vec::new();
    for (top, bottom) in bands {
        let band = look(Region { left: 0, top, right: width, bottom })?;
        let lines = band.iter().map(|word| word.line + 1).max().unwrap_or(0);
        let fits = |word: &OcrWord| {
            word.confidence >= DOUBT && !words.iter().any(|first| first.confidence >= DOUBT && overlap(first.region, word.region))
        };
        found.extend(band.into_iter().filter(fits).map(|word| OcrWord { line: word.line + line, ..word }));
        line += lines;
    }
    Ok(merge(words, &found))
}

/// The rows of the page around doubtful words, from top to bottom, those that touch taken together.
fn bands(words: &[OcrWord], height: u32) -> Vec<(u32, u32)> {
    let mut bands: Vec<(u32, u32)> = words
        .iter()
        .filter(|word| word.confidence < DOUBT)
        .map(|word| (word.region.top.saturating_sub(MARGIN_PIXELS), word.region.bottom.saturating_add(MARGIN_PIXELS).min(height)))
        .collect();
    bands.sort_unstable();
    bands.dedup_by(|next, band| {
        let touches = next.0 <= band.1;
        if touches {
            band.1 = band.1.max(next.1);
        }
        touches
    });
    bands
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
        let read = second_look(first, (1734, 2244), |_| Ok(second.clone())).unwrap();
        assert_eq!(texts(&read), ["Ordering", "provider:", "Sampleton,"]);
    }

    #[test]
    fn a_page_read_without_doubt_is_not_looked_at_again() {
        let first = vec![word("Referral", 0.9, [10, 10, 90, 30], 0)];
        let read = second_look(first, (100, 100), |_| panic!("there is nothing to look at")).unwrap();
        assert_eq!(texts(&read), ["Referral"]);
    }

    #[test]
    fn half_a_name_never_replaces_a_doubtful_one() {
        let first = vec![word("Placeho1der", 0.4, [100, 10, 300, 40], 0)];
        let read = second_look(first, (400, 100), |_| Ok(vec![word("Place", 0.9, [100, 10, 180, 40], 0)])).unwrap();
        assert_eq!(texts(&read), ["Placeho1der"]);
    }
}
