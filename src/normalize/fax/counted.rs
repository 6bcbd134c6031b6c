//! Pages that number themselves: "Page 1 of 3" printed by whoever wrote them, `P. 1/3` in the line of the sending machine.
//!
//! # Design notes
//! A number that was not read is no page that did not come. So a page without one may be any that is wanted where it lies, and only what has
//! no page left for it is missing. Each document of a fax counts for itself, and a count that begins anew, or is of another total, is another
//! document's. Of a laboratory report or a note a few pages are often sent on purpose: of those only a gap counts.

use super::layout::{Segment, Sheet};
use crate::{reader::Word, referral::PageKind};

/// A number that was read less surely says nothing.
const SURENESS_MIN: f32 = 0.8;
/// More pages than a document has.
const PAGES_MAX: u32 = 500;

/// "2 of 3".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) number: u32,
    /// None: it does not say of how many.
    pub(super) of: Option<u32>,
}

/// What one page says of its place.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    /// Its place in the fax, from 1.
    pub(super) page: u32,
    pub(super) kind: PageKind,
    /// Which document of the fax it is in; none: it is set apart.
    pub(super) home: Option<usize>,
    pub(super) printed: Option<Count>,
    /// In the line of the sending machine.
    pub(super) sent: Option<Count>,
}

/// The pages that are missing by one count: of which document, and in words.
pub(super) struct Missing {
    /// None: of the whole fax.
    pub(super) home: Option<usize>,
    pub(super) said: String,
}

/// "Page 2 of 3", as whoever wrote the page printed it.
pub(super) fn printed(sheet: &Sheet) -> Option<Count> {
    let small = |word: &Word| word.text.starts_with(char::is_lowercase);
    // "See page 2 of 5" is of another.
    let is_told = |words: &[Word], at: usize| {
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        words.get(at).is_some_and(|word| word.text.len() > 1 && !(small(word) && before.is_some_and(small)))
    };
    let of_segment = |words: &[Word]| (0..words.len()).filter(|at| is_told(words, *at)).find_map(|at| said(words, at));
    let within = sheet.segments.iter().find_map(|segment| of_segment(&segment.words));
    within.or_else(|| {
        let (first, last) = (sheet.segments.first()?.row, sheet.segments.last()?.row);
        let at_the_edge = |segment: &&Segment| segment.row == first || segment.row == last;
        sheet.segments.iter().filter(at_the_edge).find_map(bare)
    })
}

/// `P. 2/3`, as the sending machine printed it.
pub(super) fn sent(sheet: &Sheet) -> Option<Count> {
    let words = sheet.header.as_ref()?;
    let counted = (0..words.len()).find_map(|at| said(words, at));
    counted.or_else(|| (0..words.len()).find_map(|at| numbered(words, at)))
}

/// "3 of 3" alone.
fn bare(segment: &Segment) -> Option<Count> {
    let signs = |c: char| c == '-' || c == '\u{2013}' || c == '\u{2014}';
    let words: Vec<&Word> = segment.words.iter().filter(|word| !word.text.chars().all(signs)).collect();
    let [number, of, all] = words.as_slice() else { return None };
    of.text.eq_ignore_ascii_case("of").then(|| count(number, &number.text, Some((all, &all.text))))?
}

/// A word for "page" at this place, and behind it, or glued to it, which of how many.
fn said(words: &[Word], at: usize) -> Option<Count> {
    let (first, text, next) = behind_page(words, at)?;
    if let Some((number, all)) = text.split_once('/') {
        return if all.is_empty() {
            let all = words.get(next)?;
            count(first, number, Some((all, &all.text)))
        } else {
            count(first, number, Some((first, all)))
        };
    }
    let of = words.get(next)?;
    let all = words.get(next + 1)?;
    let parts = of.text.eq_ignore_ascii_case("of") || of.text == "/";
    parts.then(|| count(first, text, Some((all, &all.text))))?
}

/// `P.2`, which does not say of how many.
fn numbered(words: &[Word], at: usize) -> Option<Count> {
    let (word, text, _) = behind_page(words, at)?;
    count(word, text, None)
}

/// The word that holds the number behind a word for "page", its text from the number on, and the place behind it.
fn behind_page(words: &[Word], at: usize) -> Option<(&Word, &str, usize)> {
    const PAGE: [&str; 4] = ["page", "pg", "p", "pge"];
    let word = words.get(at)?;
    let split = word.text.find(|c: char| c.is_ascii_digit());
    let (before, glued) = word.text.split_at_checked(split.unwrap_or(word.text.len()))?;
    let name = before.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    if !PAGE.contains(&name.as_str()) {
        return None;
    }
    if !glued.is_empty() {
        return Some((word, glued, at + 1));
    }
    let is_sign = |word: &Word| !word.text.contains(char::is_alphanumeric);
    let next = (at + 1..words.len()).find(|next| words.get(*next).is_some_and(|word| !is_sign(word)))?;
    let word = words.get(next)?;
    word.text.starts_with(|c: char| c.is_ascii_digit()).then_some((word, word.text.as_str(), next + 1))
}

fn count(word: &Word, number: &str, of: Option<(&Word, &str)>) -> Option<Count> {
    let read = |word: &Word, text: &str| {
        let digits = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let plain = word.confidence >= SURENESS_MIN && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u32>().ok())?.filter(|number| (1..=PAGES_MAX).contains(number))
    };
    let number = read(word, number)?;
    match of {
        None => Some(Count { number, of: None }),
        Some((word, text)) => read(word, text).filter(|all| number <= *all).map(|all| Count { number, of: Some(all) }),
    }
}

/// What of a count is missing, document by document.
pub(super) fn missing(pages: &[Counted]) -> Vec<Missing> {
    let printed = runs(pages, |page| page.printed, |page| page.home);
    let sent = runs(pages, |page| page.sent, |_| None);
    let of_documents = printed.iter().filter_map(|run| run.missing(pages, true)).map(|said| said.of(|page| page.home));
    let of_all = sent.iter().filter_map(|run| run.missing(pages, false)).map(|said| said.of(|_| None));
    of_documents.chain(of_all).collect()
}

/// Pages of one count, one behind the other.
struct Run {
    /// Each page's position, and its number.
    pages: Vec<(usize, u32)>,
    of: Option<u32>,
    /// Where the count before it ends and the next one begins: the positions between are free.
    free: (usize, usize),
}

/// Words for what is missing, and a page of the document.
struct Said<'a> {
    text: String,
    page: &'a Counted,
}

impl Said<'_> {
    fn of(self, home: impl Fn(&Counted) -> Option<usize>) -> Missing {
        Missing { home: home(self.page), said: self.text }
    }
}

fn runs(pages: &[Counted], count: impl Fn(&Counted) -> Option<Count>, home: impl Fn(&Counted) -> Option<usize>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (at, page) in pages.iter().enumerate() {
        let Some(count) = count(page) else { continue };
        let goes_on = runs.last().is_some_and(|run| {
            let same = run.pages.first().and_then(|(first, _)| pages.get(*first)).is_some_and(|first| home(first) == home(page));
            same && run.of == count.of && !run.pages.iter().any(|(_, number)| *number == count.number)
        });
        match runs.last_mut() {
            Some(run) if goes_on => run.pages.push((at, count.number)),
            _ => {
                let ended = runs.last().and_then(|run| run.pages.last()).map_or(0, |(last, _)| last + 1);
                if let Some(before) = runs.last_mut() {
                    before.free.1 = at;
                }
                runs.push(Run { pages: vec![(at, count.number)], of: count.of, free: (ended, pages.len()) });
            }
        }
    }
    runs
}

impl Run {
    /// What no page can be that came.
    fn missing<'a>(&self, pages: &'a [Counted], may_be_parts: bool) -> Option<Said<'a>> {
        let place = |position: usize| pages.get(position).map_or(0, |page| page.page);
        let mut numbers = self.pages.clone();
        // Sheets that were fed from the last to the first.
        let falls = numbers.len() > 1 && numbers.windows(2).all(|two| matches!(two, [(_, one), (_, next)] if one > next));
        if falls {
            numbers.reverse();
        }
        let (first, last) = (*numbers.first()?, *numbers.last()?);
        let page = pages.get(first.0)?;
        let between = numbers.windows(2).find_map(|two| {
            let [(at, number), (next_at, next)] = two else { return None };
            let room = place(*at).abs_diff(place(*next_at));
            (next.saturating_sub(*number) > room).then(|| (number + 1, next - 1))
        });
        let is_part = |kind: PageKind| matches!(kind, PageKind::Lab | PageKind::Note | PageKind::InsuranceCard);
        let parts = may_be_parts && self.pages.iter().all(|(at, _)| pages.get(*at).is_some_and(|page| is_part(page.kind)));
        let free = (self.free.0..self.free.1).filter(|at| !self.pages.iter().any(|(own, _)| own == at)).count();
        let at_the_ends = self.of.filter(|_| !parts).and_then(|of| {
            let came = u32::try_from(self.pages.len() + free).unwrap_or(u32::MAX);
            match (last.1 < of, first.1 > 1) {
                _ if of <= came => None,
                (true, _) => Some((last.1 + 1, of)),
                (false, true) => Some((1, first.1 - 1)),
                (false, false) => None,
            }
        });
        let (from, to) = between.or(at_the_ends)?;
        let which = if from == to { format!("page {from} is") } else { format!("pages {from} to {to} are") };
        let of = self.of.map(|of| format!(" of {of}")).unwrap_or_default();
        let text = format!("its pages are counted, and {which} not among those that came{of}: ask the sender");
        Some(Said { text, page })
    }
}
