//! Our own pages come back: which referral they are about, which boxes are ticked, where something is written by hand.
//!
//! ```text
//! codes and words ─▶ whose page it is ─ marks ─▶ where our page lies on the image ─ boxes ─▶ ticks, writing ─ meaning ─▶ Reply
//! ```
//!
//! # Design notes
//! The token in the QR code proves that a page is ours, and whose: a sender's token on a specialist's page proves nothing. The bar code and
//! the printed reference can be made by anybody, and only propose. What is written by hand is cut out and shown to a person, never read. Several of our pages in one fax are several replies;
//! pages that are not ours, or that could not be read, are for a person, whatever ours say.

mod bitmap;
mod boxes;
mod margins;
mod marks;
mod meaning;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use self::{
    bitmap::{Bitmap, Patch},
    boxes::Seen,
    marks::Placement,
};
use crate::{
    compose::{
        acknowledgement,
        cover_page::layout::{self, Area},
    },
    ids::Named,
    normalize::{Kind, Outcome},
    reader::{PageReading, Reading, Word},
    referral::{Answerer, Handwriting, PageForm, PageKind, Problem, Reference, Reply, ReturnedBox, ReturnedPage, Tick, TokenKey},
};

/// Pages of one document whose boxes are looked for: a desk that answers many referrals by one fax is read as far as this.
const PAGES_MAX: usize = 50;
/// The code of the problem that a document has where pages that are not ours came with ours.
pub(crate) const OTHER_PAGES: &str = "other-pages";
/// Resolutions that are believed, in dots an inch.
const DPI: std::ops::RangeInclusive<f32> = 60.0..=1_200.0;

/// How sure it is that a page is about a referral of ours, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    /// The token, which only we can make.
    Token,
    /// A QR or bar code with the reference.
    Code,
    /// The printed reference.
    Printed,
}

impl Proof {
    fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Code => "code",
            Self::Printed => "reference",
        }
    }

    fn confidence(self) -> f32 {
        match self {
            Self::Token | Self::Code => 0.99,
            Self::Printed => 0.9,
        }
    }
}

/// A page that bears a reference of ours.
struct Ours<'a> {
    page: &'a PageReading,
    reference: Reference,
    proof: Proof,
    /// Whose token it is.
    answerer: Option<Answerer>,
    /// What the QR code says behind the token: which fields the page asks about.
    asked: Option<String>,
}

/// What a document is if one of its pages bears a reference of ours: a reply, or a batch of replies and what came with them.
pub(super) fn outcome(reading: &Reading, key: Option<&TokenKey>) -> Option<Outcome> {
    let ours: Vec<Ours<'_>> = reading.pages.iter().filter_map(|page| identified(page, key)).collect();
    let mut references: Vec<&Reference> = Vec::new();
    for one in &ours {
        if !references.contains(&&one.reference) {
            references.push(&one.reference);
        }
    }
    let mut items: Vec<Outcome> = Vec::new();
    let mut looked_at = 0;
    for reference in references {
        let pages: Vec<&Ours<'_>> = ours.iter().filter(|one| one.reference == *reference).collect();
        items.push(answer(&pages, &mut looked_at));
    }
    let is_form =
        |item: &Outcome| item.reply.as_ref().and_then(|reply| reply.page.as_ref()).is_some_and(|page| page.form.is_some());
    let others = others(reading, &ours);
    let unread = reading.problems.iter().any(|problem| problem.code != "blank-page");
    if (unread || !others.is_empty()) && items.iter().any(is_form) {
        items.push(of_others(&others));
    }
    match items.len() {
        0 | 1 => items.pop(),
        _ => Some(Outcome { items, ..Outcome::of(Kind::Batch) }),
    }
}

/// Says of the pages that were read as ours that they are.
pub(super) fn mark_ours(outcome: &mut Outcome) {
    let replies = outcome.items.iter().chain(std::iter::once(&*outcome)).filter_map(|one| one.reply.as_ref());
    let ours: Vec<u32> = replies.filter_map(|reply| reply.page.as_ref()).map(|page| page.page).collect();
    for page in outcome.pages.iter_mut().filter(|page| ours.contains(&page.page)) {
        page.kind = PageKind::Returned;
        page.evidence = vec!["our code, boxes or reference".to_owned()];
    }
}

/// The pages with something on them that are not ours: that bear no reference, or one beside which somebody else wrote a letter.
fn others(reading: &Reading, ours: &[Ours<'_>]) -> Vec<u32> {
    let is_ours = |page: &PageReading| {
        ours.iter().filter(|one| one.page.number == page.number).any(|one| {
            let is_best = !ours.iter().any(|other| other.reference == one.reference && other.proof < one.proof);
            is_best || one.proof != Proof::Printed || is_behind(page)
        })
    };
    let others = reading.pages.iter().filter(|page| !is_ours(page) && (!page.words.is_empty() || page.look.is_some()));
    others.map(|page| page.number).collect()
}

/// Whether a page is one of those behind our cover page: on its top it says our reference, and which page of how many it is.
fn is_behind(page: &PageReading) -> bool {
    let top: Vec<&str> =
        page.words.iter().filter(|word| word.bounds[3] < page.height / 8).map(|word| word.text.as_str()).collect();
    let counted = |at: usize| {
        let word = top.get(at).map(|word| word.to_lowercase()).unwrap_or_default();
        let number = top.get(at + 1).is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        strsim::levenshtein(&word, "page") <= 1 && number
    };
    let heads = |at: usize| (at + 1..at + 5).any(counted);
    (0..top.len()).any(|at| top.get(at).is_some_and(|word| word.to_uppercase().contains("LL-")) && heads(at))
}

fn of_others(pages: &[u32]) -> Outcome {
    let list = pages.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let mut outcome = Outcome::of(Kind::Unknown);
    let text = if pages.is_empty() {
        "pages of ours came back, and not all of the document could be read: look at the original".to_owned()
    } else {
        format!("pages of ours came back, and with them others that were not read: look at page {list}")
    };
    outcome.problems.push(Problem::new(OTHER_PAGES, text));
    outcome
}

fn identified<'a>(page: &'a PageReading, key: Option<&TokenKey>) -> Option<Ours<'a>> {
    let token = page.codes.iter().find_map(|code| Some((key?.find(&code.text)?, &code.text)));
    let coded = || page.codes.iter().find_map(|code| Some((reference_in(&code.text)?, &code.text)));
    let answerer = token.as_ref().map(|(token, _)| token.answerer());
    let (reference, proof, text) = match token {
        Some((token, text)) => (token.reference().clone(), Proof::Token, Some(text)),
        None => match coded() {
            Some((reference, text)) => (reference, Proof::Code, Some(text)),
            None => (printed(page)?, Proof::Printed, None),
        },
    };
    let asked = text.and_then(|text| text.split_once(acknowledgement::ASKED_MARK)).map(|(_, asked)| asked.to_ascii_uppercase());
    Some(Ours { page, reference, proof, answerer, asked })
}

fn printed(page: &PageReading) -> Option<Reference> {
    page.words.iter().enumerate().find_map(|(at, word)| {
        let whole = || reference_in(&joined(&[word]));
        // The recognizer may part it at its dashes, and take the parts for words of several lines.
        let parted = || {
            let next = page.words.get(at..).unwrap_or_default().iter().take(PARTS_MAX).collect();
            let begun = [next, on_its_level(page, word)].into_iter().filter(|_| word.text.to_uppercase().starts_with("LL"));
            let mut parts = begun.flat_map(|parts: Vec<&Word>| (2..=parts.len()).map(move |count| joined(&parts[..count])));
            parts.find_map(|text| reference_in(&text))
        };
        whole().or_else(parted)
    })
}

/// The parts of a reference.
const PARTS_MAX: usize = 3;

/// A word and those right of it on its level, from the left, as many as a reference may have parts.
fn on_its_level<'a>(page: &'a PageReading, word: &'a Word) -> Vec<&'a Word> {
    let [_, top, right, bottom] = word.bounds;
    let level = |other: &&Word| {
        let middle = other.bounds[1].midpoint(other.bounds[3]);
        (top..bottom).contains(&middle) && other.bounds[0] + (bottom - top) / 2 > right && !std::ptr::eq(*other, word)
    };
    let mut beside: Vec<&Word> = page.words.iter().filter(level).collect();
    beside.sort_by_key(|other| other.bounds[0]);
    std::iter::once(word).chain(beside).take(PARTS_MAX).collect()
}

/// The parts of a reference in one text, with one dash between two of them.
fn joined(parts: &[&Word]) -> String {
    let is_dash = |c: char| matches!(c, '-' | '\u{2010}'..='\u{2015}');
    let pieces = parts.iter().flat_map(|part| part.text.split(is_dash)).filter(|text| !text.is_empty());
    pieces.collect::<Vec<_>>().join("-")
}

/// The first well-formed reference in a text, `LL` and dashes included: eight letters alone are any word.
fn reference_in(text: &str) -> Option<Reference> {
    let upper = text.to_ascii_uppercase();
    upper.match_indices("LL-").find_map(|(at, _)| {
        let candidate: String = upper.get(at..)?.chars().filter(|c| !c.is_whitespace()).take(12).collect();
        let dashed = candidate.chars().nth(7) == Some('-');
        dashed.then(|| candidate.parse().ok())?
    })
}

/// What the pages about one referral say: the page with the boxes, or the same page twice.
fn answer(pages: &[&Ours<'_>], looked_at: &mut usize) -> Outcome {
    let best = pages.iter().map(|one| one.proof).min().unwrap_or(Proof::Printed);
    let mut read: Vec<Outcome> = Vec::new();
    // The pages behind a cover page bear the reference too, but no code.
    for one in pages.iter().filter(|one| one.proof == best || one.proof != Proof::Printed) {
        if *looked_at < PAGES_MAX {
            *looked_at += 1;
            read.extend(with_boxes(one));
        }
    }
    let same = |a: &Outcome, b: &Outcome| match (&a.reply, &b.reply) {
        (Some(a), Some(b)) => a.outcome == b.outcome && said(a) == said(b),
        _ => false,
    };
    let contradicts = read.first().is_some_and(|first| read.iter().any(|other| !same(first, other)));
    let mut read = read.into_iter();
    let Some(mut first) = read.next() else {
        let one = pages.iter().find(|one| one.proof == best).or(pages.first());
        return one.map_or_else(|| Outcome::of(Kind::Unknown), |one| without_boxes(one));
    };
    if let (true, Some(reply)) = (contradicts, &mut first.reply) {
        meaning::make_unclear(reply, "the page came back twice and does not say the same twice: look at both");
        first.contents.extend(read.flat_map(|other| other.contents));
    }
    first
}

/// What a page says, wherever it stands on its image.
fn said(reply: &Reply) -> Option<(Option<PageForm>, Vec<Tick>, Vec<&str>)> {
    let page = reply.page.as_ref()?;
    let written = page.writing.iter().map(|one| one.name.as_str());
    Some((page.form, page.boxes.iter().map(|one| one.tick).collect(), written.collect()))
}

/// A page of ours whose boxes could not be found: a person reads it.
fn without_boxes(one: &Ours<'_>) -> Outcome {
    let image = one.page.image.clone();
    let image = Named::from(image);
    let page = ReturnedPage {
        form: None,
        page: one.page.number,
        image: image.id(),
        boxes: Vec::new(),
        writing: Vec::new(),
        to_read: None,
        asked: None,
    };
    let mut reply = reply(one, page);
    meaning::make_unclear(&mut reply, "the boxes of the page were not found");
    Outcome { reply: Some(reply), contents: vec![image], ..Outcome::of(Kind::Reply) }
}

fn reply(one: &Ours<'_>, page: ReturnedPage) -> Reply {
    Reply {
        reference: Some(one.reference.as_str().to_owned()),
        matched_by: Some(one.proof.as_str().to_owned()),
        confidence: one.proof.confidence(),
        page: Some(Box::new(page)),
        ..Reply::unread()
    }
}

/// A page of ours as it lies on the image.
struct Recognized {
    form: PageForm,
    placement: Placement,
    seen: Vec<(String, Area, Option<Seen>)>,
}

fn with_boxes(one: &Ours<'_>) -> Option<Outcome> {
    let bitmap = Bitmap::of_png(&one.page.image)?;
    let dpi = one.page.dpi.clamp(*DPI.start(), *DPI.end());
    let found = recognized(&bitmap, dpi, one.asked.is_some())?;
    let bounds = |area: Area| bounds(&bitmap, &found.placement, area);
    let boxes: Vec<ReturnedBox> =
        found.seen.iter().map(|(name, area, seen)| boxes::read(name, seen.as_ref(), bounds(*area))).collect();
    let image = Named::from(one.page.image.clone());
    let image_id = image.id();
    let mut contents = vec![image];
    let mut writing = Vec::new();
    for (name, area) in blanks(found.form, one.asked.as_deref()) {
        let expected = meaning::expects_writing(&name, &boxes);
        if expected || boxes::is_written(&bitmap, &found.placement, &between_lines(&name, area)) {
            let png = cut_out(&bitmap, &found.placement, area);
            let png = Named::from(png);
            writing.push(Handwriting { name, bounds: bounds(with_room(area)), image: png.id() });
            contents.push(png);
        }
    }
    let white = margins::of(found.form, rows(one.asked.as_deref()), &boxes);
    let written = white.into_iter().filter(|area| margins::is_written(&bitmap, &found.placement, *area));
    for (area, number) in written.zip(1..) {
        let png = Named::from(cut_out(&bitmap, &found.placement, area));
        writing.push(Handwriting { name: format!("elsewhere-{number}"), bounds: bounds(with_room(area)), image: png.id() });
        contents.push(png);
    }
    let page = ReturnedPage {
        form: Some(found.form),
        page: one.page.number,
        image: image_id,
        boxes,
        writing,
        to_read: None,
        asked: one.asked.clone(),
    };
    let mut reply = reply(one, page);
    if one.answerer.is_some_and(|answerer| answerer != who_fills_in(found.form)) {
        reply.matched_by = Some(Proof::Code.as_str().to_owned());
    }
    meaning::conclude(&mut reply);
    Some(Outcome { reply: Some(reply), contents, ..Outcome::of(Kind::Reply) })
}

/// Whom a page is sent to.
fn who_fills_in(form: PageForm) -> Answerer {
    match form {
        PageForm::Cover | PageForm::Withdrawal => Answerer::Specialist,
        PageForm::Check => Answerer::Sender,
    }
}

/// Finds our page on the image: the placement at which its boxes stand where they were printed.
fn recognized(bitmap: &Bitmap, dpi: f32, asks: bool) -> Option<Recognized> {
    let forms: &[PageForm] = if asks { &[PageForm::Check] } else { &[PageForm::Cover, PageForm::Withdrawal, PageForm::Check] };
    let placements = marks::placements(bitmap, dpi);
    for form in forms {
        for placement in &placements {
            let look = |(name, area)| (name, area, boxes::frame(bitmap, placement, area));
            let mut seen: Vec<(String, Area, Option<Seen>)> = printed_boxes(*form).into_iter().map(look).collect();
            let found = seen.iter().filter(|(_, _, seen)| seen.is_some()).count();
            let fits = match form {
                PageForm::Cover => found + 1 >= layout::BOXES.len(),
                PageForm::Withdrawal => {
                    let others = layout::BOXES.iter().filter(|(_, area)| *area != layout::RECEIVED_YES);
                    found == 1 && others.filter_map(|(_, area)| boxes::frame(bitmap, placement, *area)).next().is_none()
                }
                PageForm::Check => found >= 1,
            };
            if fits {
                if *form == PageForm::Check {
                    // A row without a value has no box. Whether one is missing is seen where the record is.
                    seen.retain(|(_, _, seen)| seen.is_some());
                }
                return Some(Recognized { form: *form, placement: *placement, seen });
            }
        }
    }
    None
}

fn printed_boxes(form: PageForm) -> Vec<(String, Area)> {
    match form {
        PageForm::Cover => layout::BOXES.iter().map(|(name, area)| ((*name).to_owned(), *area)).collect(),
        PageForm::Withdrawal => vec![("received-yes".to_owned(), layout::RECEIVED_YES)],
        PageForm::Check => (0..acknowledgement::layout::ROWS_MAX)
            .map(|row| (format!("right-{row}"), acknowledgement::layout::right_box(row)))
            .collect(),
    }
}

/// Where something can be written on a page.
fn blanks(form: PageForm, asked: Option<&str>) -> Vec<(String, Area)> {
    let named = |(name, area): &(&str, Area)| ((*name).to_owned(), *area);
    match form {
        PageForm::Cover => layout::BLANKS.iter().chain(&layout::BESIDE).map(named).collect(),
        PageForm::Withdrawal => layout::BLANKS.iter().filter(|(name, _)| *name == "signed").map(named).collect(),
        PageForm::Check => {
            (0..rows(asked)).map(|row| (format!("correction-{row}"), acknowledgement::layout::correction(row))).collect()
        }
    }
}

/// How many fields a page asks about: what its code says behind the digest.
fn rows(asked: Option<&str>) -> usize {
    let last = asked.and_then(|asked| asked.chars().last()?.to_digit(10));
    last.map_or(acknowledgement::layout::ROWS_MAX, |rows| (rows as usize).min(acknowledgement::layout::ROWS_MAX))
}

/// A blank without the lines that are printed in it to write on.
fn between_lines(name: &str, area: Area) -> Vec<Area> {
    /// So much above and below the middle of a line is left to what a bad copy makes of it, in points.
    const AROUND: f32 = 5.0;
    let last = Area { height: area.height - AROUND, ..area };
    if name != "declined-reason" {
        return vec![last];
    }
    let first_line = layout::APPOINTMENT_DECLINED.bottom() - 2.0;
    let upper = Area { height: first_line - AROUND - area.top, ..area };
    let top = first_line + AROUND;
    vec![upper, Area { top, height: last.bottom() - top, ..area }]
}

/// A blank with what may stick out of it.
fn with_room(area: Area) -> Area {
    Area { left: area.left - 4.0, top: area.top - 8.0, width: area.width + 8.0, height: area.height + 14.0 }
}

fn cut_out(bitmap: &Bitmap, placement: &Placement, area: Area) -> Bytes {
    Patch::of(bitmap, placement, with_room(area)).png()
}

/// The rectangle of the image around an area of our page.
fn bounds(bitmap: &Bitmap, placement: &Placement, area: Area) -> [u32; 4] {
    let corners = [(area.left, area.top), (area.right(), area.top), (area.right(), area.bottom()), (area.left, area.bottom())];
    let corners = corners.map(|(x, y)| placement.at(x, y));
    let clamp = |value: f32, most: i32| (value.round() as i32).clamp(0, most) as u32;
    let least = |pick: fn(&(f32, f32)) -> f32| corners.iter().map(pick).fold(f32::MAX, f32::min);
    let most = |pick: fn(&(f32, f32)) -> f32| corners.iter().map(pick).fold(f32::MIN, f32::max);
    [
        clamp(least(|corner| corner.0), bitmap.width),
        clamp(least(|corner| corner.1), bitmap.height),
        clamp(most(|corner| corner.0), bitmap.width),
        clamp(most(|corner| corner.1), bitmap.height),
    ]
}
