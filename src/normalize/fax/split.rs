//! Which pages of a fax belong together: one document for each patient, each page by whom it is about.
//!
//! # Design notes
//! Another patient's pages must never go out with a referral. So a fax is taken apart without a person only where every page says whose it
//! is, each document has its own referral, and nothing stands between; whatever else looks like two patients is a proposal. A page without
//! a name belongs to the page before it as long as the fax is about one patient, which nearly all are; behind several it may be any of theirs.

use std::collections::BTreeSet;

use super::{
    candidates::{Candidates, Field, Rank},
    choose::{self, Choice},
    counted::Count,
};
use crate::referral::PageKind;

/// A reading that is less sure says nothing of whose page it is.
const READ_MIN: f32 = 0.5;
/// What tells two patients apart must be read at least so surely on both pages.
const SURE_MIN: f32 = 0.85;
/// Names this alike are one name, misread.
const NAME_ALIKE_MIN: f64 = 0.75;
const GIVEN_ALIKE_MIN: f64 = 0.7;
/// Names less alike than this are two.
const NAME_OTHER_MAX: f64 = 0.6;
/// Two birth dates that differ in so many characters are two.
const BIRTH_OTHER_MIN: usize = 2;

/// A page without a patient that has so many labels of the form before it is that form once more, filled in for who knows whom.
const FORM_AGAIN_MIN: usize = 3;

/// A value as it was read, and how surely.
type Read = (String, f32);

/// Whom a page, or a document, is about, as far as it says so.
#[derive(Clone, Default)]
pub(super) struct Person {
    family: Option<Read>,
    given: Option<Read>,
    birth: Option<Read>,
}

/// What is known of a page before it is given to a document.
pub(super) struct Facts {
    pub(super) page: u32,
    pub(super) kind: PageKind,
    pub(super) person: Person,
    /// The specialty that it asks for, where that is plain.
    pub(super) asks: Option<String>,
    /// The labels of a request that it has.
    pub(super) labels: BTreeSet<u8>,
    /// "Page 2 of 3", printed by whoever wrote it.
    pub(super) count: Option<Count>,
}

/// Pages that belong together, as positions.
#[derive(Clone, Default)]
pub(super) struct Document {
    pub(super) pages: Vec<usize>,
    /// The cover pages in front of it.
    pub(super) covers: Vec<usize>,
    /// Its pages that may be another patient's.
    pub(super) strangers: Vec<usize>,
    person: Person,
    asks: Option<String>,
    /// The labels of its first form.
    labels: BTreeSet<u8>,
    forms: usize,
}

/// A fax taken apart.
#[derive(Default)]
pub(super) struct Division {
    pub(super) documents: Vec<Document>,
    /// Why a person must say whether it is right; empty: it is plain.
    pub(super) doubts: Vec<String>,
    /// The cover pages that came last: those of every document until others come.
    covers: Vec<usize>,
    /// Pages before the first that says whose it is.
    leading: Vec<usize>,
    /// Pages that say not whose they are.
    loose: Vec<usize>,
    /// Pages that say it so that it may be the patient before them or another.
    unclear: Vec<usize>,
}

enum Likeness {
    Same,
    Other,
    Unclear,
}

/// Takes a fax apart.
pub(super) fn divide(facts: &[Facts]) -> Division {
    let mut division = Division::default();
    for (at, page) in facts.iter().enumerate() {
        match page.kind {
            PageKind::Cover => division.cover(at),
            PageKind::Blank | PageKind::Returned => division.behind(at),
            PageKind::Referral | PageKind::Continuation | PageKind::Lab | PageKind::Note | PageKind::InsuranceCard => {
                division.place(at, facts);
            }
        }
    }
    division.finish(facts)
}

impl Division {
    fn cover(&mut self, at: usize) {
        if self.covers.last().is_none_or(|last| last + 1 < at) {
            self.covers.clear();
        }
        self.covers.push(at);
    }

    /// Gives a page to the document of its patient, or begins one.
    fn place(&mut self, at: usize, facts: &[Facts]) {
        let page = &facts[at];
        let likenesses: Vec<Option<Likeness>> =
            self.documents.iter().map(|document| compare(&document.person, &page.person)).collect();
        let last = self.documents.len().saturating_sub(1);
        let is = |wanted: fn(&Likeness) -> bool| likenesses.iter().rposition(|one| one.as_ref().is_some_and(wanted));
        if let Some(home) = is(|one| matches!(one, Likeness::Same)) {
            return if self.asks_again(home, page) { self.begin(at, page) } else { self.add(home, at, page) };
        }
        // Whoever subscribes to an insurance is often not the patient.
        let card_of_another = page.kind == PageKind::InsuranceCard && page.person.birth.is_none();
        match likenesses.get(last) {
            None if page.person.is_nobody() => self.leading.push(at),
            None => self.begin(at, page),
            Some(None) => {
                let before = self.documents[last].pages.last().filter(|before| **before + 1 == at);
                let counted = page.count.zip(before.and_then(|before| facts[*before].count));
                let follows = counted.is_some_and(|(own, before)| own.of == before.of && own.number == before.number + 1);
                if !follows && self.is_form_again(last, page) {
                    self.doubts.push(format!("page {} is a form once more, and it cannot be read for whom", page.page));
                    return self.begin(at, page);
                }
                if !follows {
                    self.loose.push(at);
                }
                self.add(last, at, page);
            }
            Some(Some(_)) if card_of_another => {
                self.add(last, at, page);
                self.loose.push(at);
            }
            Some(Some(Likeness::Other)) => {
                if is(|one| matches!(one, Likeness::Unclear)).is_some() {
                    self.doubts.push(format!("page {} may be about the patient of an earlier page or about another", page.page));
                }
                self.begin(at, page);
            }
            Some(Some(Likeness::Unclear)) if self.may_be_another(last, page) => {
                self.doubts.push(format!("page {} may be about the patient of the pages before it or about another", page.page));
                self.begin(at, page);
            }
            Some(Some(Likeness::Same | Likeness::Unclear)) => {
                self.add(last, at, page);
                self.unclear.push(at);
                if page.person.is_whole() {
                    self.documents[last].strangers.push(at);
                }
            }
        }
    }

    /// Whether a page is a form that has the labels of one which the document has already.
    fn is_form_again(&self, home: usize, page: &Facts) -> bool {
        page.kind == PageKind::Referral && self.documents[home].labels.intersection(&page.labels).count() >= FORM_AGAIN_MIN
    }

    /// Whether a page whose patient may be that of the document or not is a referral of its own.
    fn may_be_another(&self, home: usize, page: &Facts) -> bool {
        let second = page.kind == PageKind::Referral && self.documents[home].forms > 0;
        second && (page.person.is_whole() || self.is_form_again(home, page))
    }

    /// Whether a page is another request for the patient of a document that has one.
    fn asks_again(&mut self, home: usize, page: &Facts) -> bool {
        let document = &self.documents[home];
        let other = document.asks.as_ref().zip(page.asks.as_ref()).is_some_and(|(one, other)| one != other);
        let again = page.kind == PageKind::Referral && document.forms > 0 && other;
        if again {
            let text = format!("page {} asks for the patient of the pages before it once more, for another specialty", page.page);
            self.doubts.push(text);
        }
        again
    }

    fn begin(&mut self, at: usize, page: &Facts) {
        self.documents.push(Document { covers: self.covers.clone(), ..Document::default() });
        self.add(self.documents.len() - 1, at, page);
    }

    fn add(&mut self, home: usize, at: usize, page: &Facts) {
        let Some(document) = self.documents.get_mut(home) else { return };
        document.pages.push(at);
        document.person.learn(&page.person);
        if page.kind == PageKind::Referral {
            document.forms += 1;
            document.asks = document.asks.take().or_else(|| page.asks.clone());
            if document.labels.is_empty() {
                document.labels.clone_from(&page.labels);
            }
        }
    }

    /// A page that says nothing at all: it lies behind the one before it.
    fn behind(&mut self, at: usize) {
        match self.documents.last_mut() {
            Some(last) => last.pages.push(at),
            None => self.leading.push(at),
        }
    }

    fn finish(mut self, facts: &[Facts]) -> Self {
        let numbers = |pages: &[usize]| {
            let numbers: Vec<String> = pages.iter().map(|at| facts[*at].page.to_string()).collect();
            let page = if numbers.len() == 1 { "page" } else { "pages" };
            format!("{page} {}", numbers.join(", "))
        };
        if self.documents.len() < 2 {
            let mut only = self.documents.pop().unwrap_or_default();
            only.pages = (0..facts.len()).filter(|at| facts[*at].kind != PageKind::Cover).collect();
            only.covers = (0..facts.len()).filter(|at| facts[*at].kind == PageKind::Cover).collect();
            self.documents = vec![only];
            self.doubts.clear();
            return self;
        }
        self.loose.extend(self.leading.iter().filter(|at| facts[**at].kind != PageKind::Blank));
        self.loose.sort_unstable();
        if !self.loose.is_empty() {
            self.doubts.push(format!("{} without a name or birth date: whose?", numbers(&self.loose)));
        }
        if !self.unclear.is_empty() {
            self.doubts.push(format!("{}: of the patient before, or of another?", numbers(&self.unclear)));
        }
        // A cover page has something behind it, or is a note to what came before.
        let ended = self.documents.iter().flat_map(|document| &document.pages).max().copied();
        let trailing: Vec<usize> = self.covers.iter().copied().filter(|cover| Some(*cover) > ended).collect();
        if !trailing.is_empty() {
            self.doubts.push(format!("{} with nothing behind: whose?", numbers(&trailing)));
        }
        for document in &self.documents {
            if document.forms == 0 {
                self.doubts.push(format!("{}: another patient's, with no referral", numbers(&document.pages)));
            }
            if !document.strangers.is_empty() {
                self.doubts.push(format!("{} may be about another patient", numbers(&document.strangers)));
            }
        }
        let leading = std::mem::take(&mut self.leading);
        if let Some(first) = self.documents.first_mut() {
            first.pages.splice(0..0, leading);
        }
        for document in &mut self.documents {
            document.pages.sort_unstable();
        }
        self
    }

    /// A fax as a person took it apart: by page numbers.
    pub(super) fn said(documents: &[Vec<u32>], facts: &[Facts]) -> Self {
        let at = |number: &u32| facts.iter().position(|page| page.page == *number);
        let covers: Vec<usize> = (0..facts.len()).filter(|at| facts[*at].kind == PageKind::Cover).collect();
        let document = |pages: &Vec<u32>| {
            let pages: Vec<usize> = pages.iter().filter_map(at).collect();
            // A cover page that was set apart still says who sent it.
            let covers = covers.iter().copied().filter(|cover| !documents.iter().flatten().any(|page| at(page) == Some(*cover)));
            Document { covers: covers.collect(), pages, ..Document::default() }
        };
        Self { documents: documents.iter().map(document).collect(), ..Self::default() }
    }
}

impl Person {
    /// Whom the candidates of one page name.
    pub(super) fn of(found: &Candidates) -> Self {
        let (family, given) = choose::name(&found.all, Field::Family, Field::Given);
        let read = |choice: Option<Choice<'_>>| {
            let choice = choice.filter(|choice| {
                choice.candidate.rank >= Rank::Place && choice.candidate.failed.is_none() && choice.confidence >= READ_MIN
            })?;
            Some((choice.candidate.value.to_lowercase(), choice.confidence))
        };
        Self { family: read(family), given: read(given), birth: read(choose::field(&found.all, Field::BirthDate)) }
    }

    fn is_nobody(&self) -> bool {
        self.family.is_none() && self.birth.is_none()
    }

    fn is_whole(&self) -> bool {
        self.family.is_some() && self.birth.is_some()
    }

    /// Whether name and birth date are read so surely that they can tell two patients apart.
    fn is_sure(&self) -> bool {
        let sure = |read: &Option<Read>| read.as_ref().is_some_and(|(_, confidence)| *confidence >= SURE_MIN);
        sure(&self.family) && sure(&self.birth)
    }

    fn learn(&mut self, other: &Self) {
        let better = |known: &mut Option<Read>, new: &Option<Read>| {
            let surer = new.as_ref().is_some_and(|new| known.as_ref().is_none_or(|known| known.1 < new.1));
            if surer {
                known.clone_from(new);
            }
        };
        better(&mut self.birth, &other.birth);
        // The parts of a name stay together.
        let sureness = |person: &Self| person.family.as_ref().map_or(0.0, |family| family.1);
        if sureness(self) < sureness(other) {
            self.family.clone_from(&other.family);
            self.given.clone_from(&other.given);
        }
    }
}

/// Whether two pages are about one patient; none: one of them says too little.
fn compare(one: &Person, other: &Person) -> Option<Likeness> {
    let both = |a: &Option<Read>, b: &Option<Read>| a.clone().zip(b.clone()).map(|(a, b)| (a.0, b.0));
    let family = both(&one.family, &other.family).map(|(a, b)| strsim::normalized_levenshtein(&a, &b));
    let given = both(&one.given, &other.given).map(|(a, b)| given_likeness(&a, &b));
    let birth = both(&one.birth, &other.birth).map(|(a, b)| strsim::levenshtein(&a, &b));
    let sure = one.is_sure() && other.is_sure();
    let (alike, different) = match (family, given) {
        (Some(family), given) => (
            family >= NAME_ALIKE_MIN && given.is_none_or(|given| given >= GIVEN_ALIKE_MIN),
            family < NAME_OTHER_MAX || given.is_some_and(|given| given < NAME_OTHER_MAX),
        ),
        (None, _) => (false, false),
    };
    match (family.is_some(), birth) {
        (false, None) => None,
        (false, Some(0)) => Some(Likeness::Same),
        (true, None | Some(0 | 1)) if alike => Some(Likeness::Same),
        (true, Some(0)) if !different => Some(Likeness::Same),
        (true, Some(apart)) if different && sure && apart >= BIRTH_OTHER_MIN => Some(Likeness::Other),
        (true | false, _) => Some(Likeness::Unclear),
    }
}

/// Given names: an initial is like any name that begins with it.
fn given_likeness(one: &str, other: &str) -> f64 {
    let plain = |name: &str| name.chars().filter(|c| c.is_alphabetic()).collect::<String>();
    let (one, other) = (plain(one), plain(other));
    let initial = |short: &str, long: &str| short.chars().count() == 1 && long.starts_with(short);
    if initial(&one, &other) || initial(&other, &one) { 1.0 } else { strsim::normalized_levenshtein(&one, &other) }
}
