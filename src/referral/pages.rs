//! The pages of a fax: what kind each is, which document of the fax it belongs to, and what it looks like from afar.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What kind of page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageKind {
    /// The sender's cover sheet: to, from, how many pages.
    Cover,
    /// A referral form or letter.
    Referral,
    /// More of what stands before it, or nothing that is known by its words.
    Continuation,
    /// Results of a laboratory.
    Lab,
    /// A visit or progress note, a summary of a stay.
    Note,
    /// A copy of an insurance card.
    InsuranceCard,
    /// A page of ours that came back.
    Returned,
    /// Nothing on it.
    Blank,
}

/// One page of a fax, as it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaxPage {
    /// From 1.
    pub page: u32,
    /// What it is.
    pub kind: PageKind,
    /// The printed words that say so: words of forms, never of a patient.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// Which document of the fax it belongs to, from 1; absent: it was set apart, and goes to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<u32>,
}

/// How a person took a fax apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The pages of each document; a page in none of them is set apart.
    pub documents: Vec<Vec<u32>>,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What a page looks like from afar: how dark each of 18 by 24 places is, row by row, a hexadecimal digit each.
///
/// # Design notes
/// The same sheet scanned twice differs in every byte, by its skew, its noise and the line of the sending machine. How its ink is spread
/// stays: measured on the bench's forms at five levels of degradation, two scans of one sheet agree to 0.69 at least, different forms to
/// 0.65 at most. The same form filled in for somebody else agrees as well as a second scan, so a look alone never says "the same".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Look(String);

impl Look {
    /// Places across.
    pub const COLUMNS: usize = 18;
    /// Places down.
    pub const ROWS: usize = 24;

    /// The look of a page of these darknesses, 0 to 15, row by row; none: there are not as many as places.
    #[must_use]
    pub fn of(darkness: &[u8]) -> Option<Self> {
        let digits = darkness.iter().filter_map(|dark| char::from_digit(u32::from(*dark), 16)).collect::<String>();
        Self::try_from(digits).ok()
    }

    /// How alike two pages look, up to 1, the better one of them a little shifted if need be.
    #[must_use]
    pub fn likeness(&self, other: &Self) -> f32 {
        let (one, other) = (self.places(), other.places());
        let shifts = (-1..=1).flat_map(|down| (-1..=1).map(move |across| (down, across)));
        shifts.map(|(down, across)| correlation(&one, &other, down, across)).fold(-1.0, f32::max)
    }

    fn places(&self) -> Vec<f32> {
        self.0.chars().filter_map(|digit| digit.to_digit(16)).map(|dark| dark as f32).collect()
    }
}

impl TryFrom<String> for Look {
    type Error = &'static str;

    fn try_from(digits: String) -> Result<Self, Self::Error> {
        let sound = digits.len() == Self::COLUMNS * Self::ROWS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if sound { Ok(Self(digits)) } else { Err("a page's look has one hexadecimal digit for each of its places") }
    }
}

impl From<Look> for String {
    fn from(look: Look) -> Self {
        look.0
    }
}

/// How one page's darkness goes with that of another shifted by so many places, without the outermost places.
fn correlation(one: &[f32], other: &[f32], down: isize, across: isize) -> f32 {
    let mut pairs = Vec::with_capacity(one.len());
    for row in 1..Look::ROWS - 1 {
        for column in 1..Look::COLUMNS - 1 {
            let there = row.saturating_add_signed(down) * Look::COLUMNS + column.saturating_add_signed(across);
            pairs.extend(one.get(row * Look::COLUMNS + column).copied().zip(other.get(there).copied()));
        }
    }
    let count = pairs.len().max(1) as f32;
    let (sum_one, sum_other) = pairs.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mean_one, mean_other) = (sum_one / count, sum_other / count);
    let (mut both, mut spread_one, mut spread_other) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (x, y) in pairs {
        both += (x - mean_one) * (y - mean_other);
        spread_one += (x - mean_one) * (x - mean_one);
        spread_other += (y - mean_other) * (y - mean_other);
    }
    both / (spread_one * spread_other).sqrt().max(f32::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(dark: impl Fn(usize, usize) -> u8) -> Look {
        let places = (0..Look::ROWS).flat_map(|row| (0..Look::COLUMNS).map(move |column| (row, column)));
        Look::of(&places.map(|(row, column)| dark(row, column)).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_page_a_little_lower_looks_the_same_and_another_layout_does_not() {
        let lines = |row: usize, column: usize| if row % 4 == 2 && column > 3 && column < 12 + row % 5 { 9 } else { 1 };
        let page = look(lines);
        assert!(page.likeness(&look(|row, column| lines(row.saturating_sub(1), column))) > 0.9);
        let columns = look(|row, column| if column % 5 == 1 && row > 8 { 9 } else { 1 });
        assert!(page.likeness(&columns) < 0.6, "{}", page.likeness(&columns));
        assert!(Look::of(&[1, 2, 3]).is_none());
        assert!(Look::try_from("x".repeat(Look::COLUMNS * Look::ROWS)).is_err());
    }
}
