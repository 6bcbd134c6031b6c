//! One fax, one document or several: its pages laid out, given to their documents, and each document read by itself.

use super::{
    FaxRules, announced, build,
    candidates::{Candidate, Candidates, Field, Rank},
    choose,
    counted::{self, Counted},
    dates, elsewhere, kinds,
    labels::Marks,
    layout::{Sheet, text_of},
    nothing,
    places::Shape,
    read_page,
    split::{self, Division, Document, Facts, Person},
    templates,
};
use crate::{
    normalize::{Kind, Outcome},
    reader::{PageReading, Reading},
    referral::{FaxPage, HeldReason, PageKind, Problem},
};

/// The code of the problem that a fax has which may hold several documents: its outcome is a proposal for a person.
pub(crate) const SPLIT_PROPOSED: &str = "split-proposed";
/// The specialty that a page asks for is plain from this confidence on.
const ASKS_MIN: f32 = 0.9;

/// A page laid out.
pub(super) struct Leaf {
    pub(super) sheet: Sheet,
    pub(super) marks: Marks,
    pub(super) shape: Shape,
    /// The known forms that it is.
    pub(super) forms: Vec<templates::Match>,
}

impl Leaf {
    pub(super) fn of(page: &PageReading, rules: &FaxRules) -> Self {
        let sheet = Sheet::of(page);
        let marks = Marks::of(&sheet, &rules.labels);
        let shape = Shape::of(&sheet, &marks, rules);
        let forms = templates::matches(&sheet, &rules.forms);
        Self { sheet, marks, shape, forms }
    }
}

/// What a page is, and what says so. One with ink on it and not a word that can be read is not blank: it may be anything, and anybody's.
fn kind(page: &PageReading, leaf: &Leaf) -> (PageKind, Vec<String>) {
    let (kind, mut evidence) = kinds::kind(&leaf.sheet, &leaf.marks, &leaf.shape);
    evidence.extend(leaf.forms.iter().map(templates::Match::told));
    // Who sent it, and when, as the machine printed it.
    evidence.extend(leaf.sheet.header.as_deref().map(|words| format!("the sending machine's line: {}", text_of(words))));
    match kind {
        PageKind::Blank if page.look.is_some() => (PageKind::Continuation, Vec::new()),
        PageKind::Continuation if !leaf.forms.is_empty() => (PageKind::Referral, evidence),
        kind => (kind, evidence),
    }
}

/// The kinds of the pages, as far as their words tell.
pub(super) fn pages(reading: &Reading, rules: &FaxRules) -> Vec<FaxPage> {
    let kind = |page: &PageReading| {
        let (kind, evidence) = kind(page, &Leaf::of(page, rules));
        FaxPage { page: page.number, kind, evidence, document: None }
    };
    reading.pages.iter().map(kind).collect()
}

/// What a fax is that is none of our pages: a referral, several, a proposal, or nothing that refers anybody.
pub(super) fn outcome(reading: &Reading, rules: &FaxRules) -> Outcome {
    let leaves: Vec<Leaf> = reading.pages.iter().map(|page| Leaf::of(page, rules)).collect();
    let rules = &*dates::rules_of_fax(leaves.iter().map(|leaf| &leaf.sheet), rules);
    let kinds: Vec<(PageKind, Vec<String>)> = reading.pages.iter().zip(&leaves).map(|(page, leaf)| kind(page, leaf)).collect();
    let facts = facts(&leaves, &kinds, rules);
    let mut division = match &rules.documents {
        Some(said) => Division::said(said, &facts),
        None => split::divide(&facts),
    };
    let mut outcome = if division.documents.len() == 1 && rules.documents.is_none() {
        alone(reading, &leaves, &kinds, &division.documents[0], rules)
    } else {
        several(reading, &leaves, &kinds, &mut division, rules)
    };
    let set_apart = division.documents.len() > 1 || rules.documents.is_some();
    let home =
        |at: usize| division.documents.iter().position(|one| one.pages.contains(&at) || (!set_apart && one.covers.contains(&at)));
    let counted: Vec<Counted> = facts
        .iter()
        .zip(&leaves)
        .enumerate()
        .map(|(at, (page, leaf))| {
            let (printed, sent) = (page.count, counted::sent(&leaf.sheet));
            Counted { page: page.page, kind: page.kind, home: home(at), printed, sent }
        })
        .collect();
    announced::heed(&mut outcome, &leaves, &counted);
    outcome.pages = (reading.pages.iter().zip(kinds).enumerate())
        .map(|(at, (page, (kind, evidence)))| {
            let document = home(at).and_then(|home| u32::try_from(home + 1).ok());
            FaxPage { page: page.number, kind, evidence, document }
        })
        .collect();
    outcome
}

/// What each page says of whose it is. Of a fax of one page, or of one behind its cover, nobody asks.
fn facts(leaves: &[Leaf], kinds: &[(PageKind, Vec<String>)], rules: &FaxRules) -> Vec<Facts> {
    let several = kinds.iter().filter(|(kind, _)| !matches!(kind, PageKind::Cover | PageKind::Blank)).count() > 1;
    let facts = |(leaf, (kind, _)): (&Leaf, &(PageKind, Vec<String>))| {
        let mut found = Candidates::default();
        if several && *kind != PageKind::Cover && rules.documents.is_none() {
            read_page(leaf, rules, false, &mut found);
        }
        let asks = choose::field(&found.all, Field::Specialty)
            .filter(|choice| choice.candidate.rank >= Rank::Place && choice.confidence >= ASKS_MIN)
            .map(|choice| choice.candidate.value.clone());
        let labels = kinds::asks(&leaf.marks);
        Facts {
            page: leaf.sheet.page,
            kind: *kind,
            person: Person::of(&found),
            asks,
            labels,
            count: counted::printed(&leaf.sheet),
        }
    };
    leaves.iter().zip(kinds).map(facts).collect()
}

/// A fax about one patient: all its pages are the referral's.
fn alone(
    reading: &Reading,
    leaves: &[Leaf],
    kinds: &[(PageKind, Vec<String>)],
    document: &Document,
    rules: &FaxRules,
) -> Outcome {
    let mut found = Candidates::default();
    read_in_order(leaves.iter(), rules, &mut found);
    heed_the_form(reading, kinds, &mut found);
    elsewhere::check(&mut found, reading.pages.iter());
    let Some(mut record) = build::record(&found, rules) else {
        return nothing(
            reading,
            "no-referral-found",
            "no patient, no birth date and no reason can be read: a person must look at the original",
        );
    };
    if !document.strangers.is_empty() {
        let pages = numbers(reading, &document.strangers);
        record.hold(HeldReason::SecondPatient);
        record
            .problems
            .push(Problem::new("page-of-another", format!("{pages} may be about another patient: look at the original")));
    }
    let all: Vec<usize> = (0..reading.pages.len()).collect();
    with_pages(reading, kinds, &all, Outcome::referral(record))
}

/// A fax of several documents: a batch of referrals where it is plain, or else what would become of it.
fn several(
    reading: &Reading,
    leaves: &[Leaf],
    kinds: &[(PageKind, Vec<String>)],
    division: &mut Division,
    rules: &FaxRules,
) -> Outcome {
    let mut items = Vec::new();
    let mut unread = Vec::new();
    for document in &division.documents {
        let mut found = Candidates::default();
        read_in_order(document.covers.iter().filter_map(|at| leaves.get(*at)), rules, &mut found);
        // A cover page may name the patients of all.
        found.all.retain(|candidate| is_of_providers(candidate.field));
        read_in_order(document.pages.iter().filter_map(|at| leaves.get(*at)), rules, &mut found);
        heed_the_form(reading, kinds, &mut found);
        elsewhere::check(&mut found, document.pages.iter().filter_map(|at| reading.pages.get(*at)));
        let pages = numbers(reading, &document.pages);
        let Some(mut record) = build::record(&found, rules) else {
            let text = format!("{pages}: no patient, no birth date and no reason can be read");
            items.push(nothing(reading, "no-referral-found", &format!("{text}: a person must look at the original")));
            unread.push(text);
            continue;
        };
        let all = reading.pages.len();
        let text = format!("it is {pages} of a fax of {all} pages; the others are not its patient's");
        record.problems.push(Problem::new("part-of-a-fax", text));
        items.push(with_pages(reading, kinds, &document.pages, Outcome::referral(record)));
    }
    division.doubts.extend(unread);
    let mut outcome = if items.len() == 1 { items.remove(0) } else { Outcome { items, ..Outcome::of(Kind::Batch) } };
    if !division.doubts.is_empty() && rules.documents.is_none() {
        let text = format!("it may hold {} documents: {}", division.documents.len(), division.doubts.join("; "));
        outcome.problems.push(Problem::new(SPLIT_PROPOSED, text));
    }
    outcome
}

/// Reads pages into candidates; the first that is no cover may have a letterhead.
fn read_in_order<'a>(leaves: impl Iterator<Item = &'a Leaf>, rules: &FaxRules, found: &mut Candidates) {
    let mut first = true;
    for leaf in leaves {
        read_page(leaf, rules, first, found);
        if !leaf.shape.cover {
            first = false;
        }
    }
}

/// What a form asks outweighs what the pages that came with it say: a note has a complaint and a plan of its own.
fn heed_the_form(reading: &Reading, kinds: &[(PageKind, Vec<String>)], found: &mut Candidates) {
    let of_kind = |wanted: &[PageKind]| -> Vec<u32> {
        let pages = reading.pages.iter().zip(kinds).filter(|(_, (kind, _))| wanted.contains(kind));
        pages.map(|(page, _)| page.number).collect()
    };
    let forms = of_kind(&[PageKind::Referral]);
    let enclosed = of_kind(&[PageKind::Lab, PageKind::Note, PageKind::InsuranceCard]);
    let asked: Vec<Field> =
        found.all.iter().filter(|one| forms.contains(&one.page)).map(|one| one.field).filter(|field| is_asked(*field)).collect();
    // A laboratory report that was urgent says nothing of the referral.
    let kept = |one: &Candidate| !asked.contains(&one.field) && one.field != Field::Urgency;
    found.all.retain(|one| !enclosed.contains(&one.page) || kept(one));
}

/// Whether a field says what is asked, or who asks whom.
fn is_asked(field: Field) -> bool {
    let asks = matches!(
        field,
        Field::Specialty | Field::Priority | Field::Reason | Field::Diagnosis | Field::Procedure | Field::AuthoredAt
    );
    asks || is_of_providers(field)
}

fn is_of_providers(field: Field) -> bool {
    matches!(
        field,
        Field::ReferringFamily
            | Field::ReferringGiven
            | Field::ReferringNpi
            | Field::ReferringOrganization
            | Field::ReferringPhone
            | Field::ReferringFax
            | Field::ReferredFamily
            | Field::ReferredGiven
            | Field::ReferredOrganization
            | Field::ReferredPhone
            | Field::ReferredFax
    )
}

/// Keeps these pages with the referral, each with what it is and what it looks like.
fn with_pages(reading: &Reading, kinds: &[(PageKind, Vec<String>)], pages: &[usize], mut outcome: Outcome) -> Outcome {
    for at in pages {
        let (Some(page), Some((kind, _))) = (reading.pages.get(*at), kinds.get(*at)) else { continue };
        let name = format!("page-{}.png", page.number);
        let mut attachment = outcome.attach(Some(name), "image/png", page.image.clone());
        attachment.page = Some(page.number);
        attachment.kind = Some(*kind);
        attachment.look.clone_from(&page.look);
        if let Some(record) = &mut outcome.record {
            record.attachments.push(attachment);
        }
    }
    outcome
}

fn numbers(reading: &Reading, pages: &[usize]) -> String {
    let numbers: Vec<String> = pages.iter().filter_map(|at| reading.pages.get(*at)).map(|page| page.number.to_string()).collect();
    let page = if numbers.len() == 1 { "page" } else { "pages" };
    format!("{page} {}", numbers.join(", "))
}
