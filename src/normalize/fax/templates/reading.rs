//! What stands in the regions of a known form, as candidates beside those by labels.

use super::{FormRegion, Frame, KINDS, Kind, Match, Place, matching::Scale};
use crate::{
    normalize::fax::{
        FaxRules,
        candidates::{Candidate, Candidates, Field, InForm, Rank},
        choose::same,
        forms::{self, LIKELY_TRUST, Ticked, listed_confidence, ticked_boxes},
        labels::{Label, Marks},
        layout::{Area, Sheet},
        lists,
    },
    reader::Word,
};

/// How far the words in a region are trusted to be its value, where no label says the same.
const REGION_TRUST: f32 = 0.985;
/// How far a value is trusted that a region's edge goes through: a part of it may stand outside.
const CUT_TRUST: f32 = 0.9;
/// How much of a word must lie in a region, for the region's edge to go through it.
const CUT_SHARE: f64 = 0.25;
/// So many digits are meant to be a date, a telephone number or an NPI.
const DIGITS_MIN: usize = 4;

/// Reads the regions of a form that a page was found to be.
pub(in crate::normalize::fax) fn read(sheet: &Sheet, marks: &Marks, form: &Match, rules: &FaxRules, found: &mut Candidates) {
    let Some(scale) = Scale::of(sheet) else { return };
    let page = Page { sheet, marks, form, rules, scale };
    for region in &form.template.regions {
        let Some(kind) = KINDS.get(region.kind) else { continue };
        let before = found.all.len();
        page.region(kind, region, found);
        let mut own = found.all.split_off(before);
        for candidate in &mut own {
            candidate.form = Some(InForm { region: format!("{}: {}", form.template.name, kind.path), agreed: false });
            // The form says whose it is.
            if candidate.rank == Rank::Label {
                candidate.rank = Rank::OwnLabel;
            }
        }
        own.into_iter().for_each(|candidate| add(candidate, &mut found.all));
    }
}

/// Adds a reading. Where a label found the same in the same place it is one reading, as sure as the words allow.
fn add(own: Candidate, all: &mut Vec<Candidate>) {
    let known = all.iter_mut().find(|known| {
        let together = known.field == own.field && known.page == own.page && overlap(known.bounds, own.bounds);
        together && (same(known, &own) || goes_on(known, &own))
    });
    match known {
        Some(known) => {
            known.confidence = known.confidence.max(own.confidence);
            known.rank = known.rank.max(own.rank);
            known.form = own.form.map(|form| InForm { agreed: true, ..form });
        }
        None => all.push(own),
    }
}

fn overlap(a: [u32; 4], b: [u32; 4]) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

/// Whether running text by its label is longer than the region, and the same as far as the region goes.
fn goes_on(known: &Candidate, own: &Candidate) -> bool {
    let prose = matches!(own.field, Field::Reason | Field::Note);
    prose && !own.value.is_empty() && known.value.contains(&own.value)
}

struct Page<'a> {
    sheet: &'a Sheet,
    marks: &'a Marks,
    form: &'a Match,
    rules: &'a FaxRules,
    scale: Scale,
}

/// How a word lies to a region.
#[derive(Clone, Copy, PartialEq)]
enum Lies {
    In,
    /// The region's edge goes through it.
    Cut,
    Out,
    /// It is the form's own.
    Printed,
}

/// The words of a region.
struct Held {
    words: Vec<Word>,
    /// Whether the region's edge goes through one of them.
    cut: bool,
    /// Whether the text that they are a part of goes on outside.
    runs_on: bool,
}

impl Page<'_> {
    fn region(&self, kind: &Kind, region: &FormRegion, found: &mut Candidates) {
        match &region.place {
            Place::Whole(frame) => self.written(kind, *frame, found),
            Place::Ticks(options) => self.ticked(kind, options, found),
        }
    }

    /// What is written in a region, by the reader of the label that would announce it.
    fn written(&self, kind: &Kind, frame: Frame, found: &mut Candidates) {
        let Held { words, cut, runs_on } = self.held(frame);
        if words.is_empty() {
            return;
        }
        let (sheet, marks, rules) = (self.sheet, self.marks, self.rules);
        let area = Area::around(&words);
        let label = Label {
            meaning: kind.meaning,
            segment: usize::MAX,
            from: 0,
            to: 0,
            below: None,
            area,
            colon: true,
            exact: true,
            faint: false,
        };
        let subject = Some(kind.subject);
        let context = forms::Context { sheet, marks, rules, subject, cover: false, letter: false, given: Some(&words) };
        let before = found.all.len();
        forms::read(&context, &label, found);
        // A value that has a shape of its own is whole where it has that.
        let trust = if cut || (runs_on && kind.shaped.is_none()) { CUT_TRUST } else { REGION_TRUST };
        found.all.iter_mut().skip(before).for_each(|candidate| candidate.confidence *= trust);
        if found.all.len() == before {
            self.unread(kind, &words, found);
        }
    }

    /// What has not the shape of what the region is for, and was not read by a label either, is for a person.
    fn unread(&self, kind: &Kind, words: &[Word], found: &mut Candidates) {
        let Some(field) = kind.shaped else { return };
        let digits = words.iter().flat_map(|word| word.text.chars()).filter(char::is_ascii_digit).count();
        let area = Area::around(words);
        let bounds = [area.left as u32, area.top as u32, area.right as u32, area.bottom as u32];
        let known =
            found.all.iter().any(|known| known.field == field && known.page == self.sheet.page && overlap(known.bounds, bounds));
        if digits >= DIGITS_MIN && !known {
            let candidate = found.add(field, String::new(), words, self.sheet.page, Rank::OwnLabel, 0.3);
            candidate.failed =
                Some(("region-unreadable", "what stands in the form's region cannot be read: check it on the page"));
        }
    }

    /// Which of the boxes is ticked.
    fn ticked(&self, kind: &Kind, options: &[(String, Frame)], found: &mut Candidates) {
        let field = match kind.path {
            "priority" => Field::Priority,
            "patient.sex" => Field::Sex,
            _ => Field::Specialty,
        };
        let places: Vec<Vec<Word>> = options.iter().map(|(_, frame)| self.held(*frame).words).collect();
        if places.iter().all(Vec::is_empty) {
            return;
        }
        let (at, trust) = match ticked_boxes(&places) {
            Ticked::Sure(at) => (at, REGION_TRUST),
            Ticked::Likely(at) => (at, LIKELY_TRUST),
            Ticked::Unclear => {
                let words = places.concat();
                let value = if field == Field::Priority { "unknown" } else { "" };
                let candidate = found.add(field, value.to_owned(), &words, self.sheet.page, Rank::OwnLabel, 0.3);
                candidate.failed = Some(("tick-unclear", "it cannot be told which box is ticked: check it on the page"));
                return;
            }
        };
        let (Some((value, _)), Some(words)) = (options.get(at), places.get(at)) else { return };
        let value = if field == Field::Specialty {
            lists::specialty(value).map_or_else(|| value.clone(), |listed| listed.name)
        } else {
            value.clone()
        };
        let words = if words.is_empty() { places.concat() } else { words.clone() };
        found.add(field, value, &words, self.sheet.page, Rank::OwnLabel, 1.0).confidence = listed_confidence(1.0) * trust;
    }

    /// The words in a frame that are not printed on the form itself.
    fn held(&self, frame: Frame) -> Held {
        let mut held = Held { words: Vec::new(), cut: false, runs_on: false };
        for (at, segment) in self.sheet.segments.iter().enumerate() {
            let lies = |(place, word): (usize, &Word)| self.lies(at, place, Area::around(std::slice::from_ref(word)), frame);
            let lies: Vec<Lies> = segment.words.iter().enumerate().map(lies).collect();
            // Words without a wide gap between them are one text, and the rest of it may belong to the value.
            let goes_on = lies.iter().zip(lies.iter().skip(1)).zip(&segment.words).any(|((one, next), word)| match (one, next) {
                (Lies::In | Lies::Cut, Lies::Out) => true,
                (Lies::Out, Lies::In | Lies::Cut) => !word.text.ends_with(':'),
                _ => false,
            });
            held.runs_on |= goes_on;
            held.cut |= lies.contains(&Lies::Cut);
            let words = segment.words.iter().zip(&lies).filter(|(_, lies)| matches!(lies, Lies::In | Lies::Cut));
            held.words.extend(words.map(|(word, _)| word.clone()));
        }
        held
    }

    fn lies(&self, segment: usize, place: usize, area: Area, frame: Frame) -> Lies {
        let share = self.share(area, frame);
        let inside = frame.holds(self.form.fit.to_form(self.scale.middle(area)));
        let label = self.marks.at(segment, place);
        if self.is_anchor(area) || label.is_some_and(|label| label.colon || !inside) {
            Lies::Printed
        } else if share > 1.0 - CUT_SHARE {
            Lies::In
        } else if inside || share > CUT_SHARE {
            Lies::Cut
        } else {
            Lies::Out
        }
    }

    /// How much of a word's width lies in a frame; none of it where its middle is above or below.
    fn share(&self, area: Area, frame: Frame) -> f64 {
        let middle = self.scale.middle(area);
        let [left, _, right, _] = self.scale.edges(area);
        let on_form = |x: f64| self.form.fit.to_form(super::fit::Point { x, y: middle.y });
        let (from, to) = (on_form(left), on_form(right));
        let y = f64::midpoint(from.y, to.y);
        if y < frame.top || y > frame.bottom || to.x <= from.x {
            return 0.0;
        }
        (to.x.min(frame.right) - from.x.max(frame.left)).max(0.0) / (to.x - from.x)
    }

    /// Whether a word is one of the form's own.
    fn is_anchor(&self, area: Area) -> bool {
        let (x, y) = (f32::midpoint(area.left, area.right), area.middle());
        let is_in = |printed: &Area| (printed.left..=printed.right).contains(&x) && (printed.top..=printed.bottom).contains(&y);
        self.form.printed.iter().any(is_in)
    }
}
