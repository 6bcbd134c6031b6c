//! AL1, IAM, ACC, NK1, GT1 and CTD, and further PRD: what the record has no field for. Each becomes a note with evidence, as what a fax says
//! of allergies does: the specialist reads notes.
//!
//! # Design notes
//! Allergies stand before all other notes, since whoever shows only some shows the first. They are put there after the mapping of the
//! profile, whose positions of notes are those of NTE and OBX.

use smol_str::SmolStr;

use super::{
    draft::{Draft, REPETITIONS_MAX, e164, location, number_text, some},
    patient::person_name,
};
use crate::{
    protocols::hl7::{Repetition, Segment},
    referral::{Allergy, Evidence, Note, PersonName, Problem},
};

/// The segments that an allergy is read from.
pub(crate) const ALLERGY_SEGMENTS: [&str; 2] = ["AL1", "IAM"];
/// The segments that other notes about the patient are read from.
pub(crate) const CIRCUMSTANCE_SEGMENTS: [&str; 4] = ["ACC", "NK1", "GT1", "CTD"];
/// The code of the problem that says that the sender deletes the allergies.
pub(crate) const ALLERGIES_DELETED: &str = "allergies-deleted";

/// The most segments of one kind that are read.
const SEGMENTS_MAX: usize = 200;

fn read_at(place: SmolStr) -> Option<Evidence> {
    Some(Evidence { confidence: 1.0, location: Some(place), ..Evidence::default() })
}

impl<'t, 'm> Draft<'t, 'm> {
    /// Reads them all into notes.
    pub(super) fn clinical(&mut self) {
        let allergies = self.allergies();
        self.record.put_notes_first(allergies);
        let mut others = self.further_targets();
        others.extend(self.accidents());
        others.extend(self.relations());
        others.extend(self.contact_persons());
        self.record.put_notes_last(others);
    }

    /// The first segments of a name, numbered from 1; what is over is said.
    fn some_of(&mut self, name: &'static str) -> Vec<(Segment<'t, 'm>, usize)> {
        let found: Vec<_> = self.message.all(name).zip(1..).take(SEGMENTS_MAX + 1).collect();
        if found.len() > SEGMENTS_MAX {
            let text = format!("the message has more than {SEGMENTS_MAX} {name} segments: see the message for the others");
            self.record.problems.push(Problem::new("segments-too-many", text));
        }
        found.into_iter().take(SEGMENTS_MAX).collect()
    }

    fn allergies(&mut self) -> Vec<Note> {
        let mut notes: Vec<Note> = Vec::new();
        for name in ALLERGY_SEGMENTS {
            for (segment, occurrence) in self.some_of(name) {
                if segment.field(3).raw().trim() == "\"\"" {
                    let text = format!("{} deletes the allergies", location(name, occurrence, 3));
                    self.record.problems.push(Problem::new(ALLERGIES_DELETED, text));
                    continue;
                }
                // IAM-6: it is taken back.
                if name == "IAM" && segment.value(6, 1).eq_ignore_ascii_case("D") {
                    let text = format!("{} takes an allergy back: it was left out", location(name, occurrence, 6));
                    self.record.problems.push(Problem::new("allergy-taken-back", text));
                    continue;
                }
                let Some(allergy) = allergy(&segment, name) else { continue };
                let note = allergy.to_string();
                if notes.iter().all(|(known, _)| *known != note) && !self.record.notes.contains(&note) {
                    let coded = segment.field(3).first();
                    let text = Some(coded.raw().trim().into()).filter(|_| coded.len() > 1);
                    let evidence = read_at(location(name, occurrence, 3)).map(|evidence| Evidence { text, ..evidence });
                    notes.push((note, evidence));
                }
            }
        }
        notes
    }

    fn accidents(&mut self) -> Vec<Note> {
        let mut notes = Vec::new();
        for (acc, occurrence) in self.some_of("ACC") {
            let day = crate::protocols::hl7::read_date(&acc.value(1, 1)).ok().map(|date| date.iso);
            let job = acc.value(5, 1).eq_ignore_ascii_case("Y").then(|| "at work".to_owned());
            let parts = [day, words(&acc.field(2).first()), some(acc.value(3, 1)), some(acc.value(8, 1)), job];
            if let Some(text) = joined(parts) {
                notes.push((format!("Accident: {text}"), read_at(location("ACC", occurrence, 1))));
            }
        }
        notes
    }

    /// Who is near to the patient, and who pays for them.
    fn relations(&mut self) -> Vec<Note> {
        let mut notes = Vec::new();
        for (nk1, occurrence) in self.some_of("NK1") {
            let emergency = matches!(nk1.value(7, 1).to_ascii_uppercase().as_str(), "C" | "EP");
            let heading = if emergency { "Emergency contact" } else { "Next of kin" };
            notes.extend(self.related(&nk1, occurrence, heading, [2, 3, 4], &[5, 6]));
        }
        for (gt1, occurrence) in self.some_of("GT1") {
            notes.extend(self.related(&gt1, occurrence, "Guarantor", [3, 11, 5], &[6, 7]));
        }
        notes
    }

    /// `of`: the fields of name, relationship and address.
    fn related(
        &self,
        segment: &Segment<'_, '_>,
        occurrence: usize,
        heading: &str,
        of: [usize; 3],
        phones: &[usize],
    ) -> Option<Note> {
        let [name, relationship, address] = of;
        let person = full_name(&person_name(&segment.field(name).first(), 1));
        let relationship = words(&segment.field(relationship).first());
        let who = match (person, relationship) {
            (Some(person), Some(relationship)) => Some(format!("{person} ({relationship})")),
            (person, relationship) => person.or(relationship),
        };
        let place = segment.field(address).first();
        let place = joined([1, 2, 3, 4, 5].map(|part| some(place.value(part))));
        let reach = phones.iter().flat_map(|field| self.reach(segment, *field)).map(Some);
        let text = joined([who, place].into_iter().chain(reach))?;
        Some((format!("{heading}: {text}"), read_at(location(segment.name(), occurrence, name))))
    }

    /// CTD: it belongs to the PRD or AUT before it.
    fn contact_persons(&mut self) -> Vec<Note> {
        let mut heading = "Contact";
        let mut notes = Vec::new();
        let mut occurrence = 0;
        let message = self.message;
        for segment in message.segments() {
            if segment.is("PRD") {
                let asked = ["RT", "IR", "CP"].iter().any(|role| segment.value(1, 1).eq_ignore_ascii_case(role));
                heading = if asked { "Contact of the one referred to" } else { "Contact of the referrer" };
            } else if segment.is("AUT") {
                heading = "Contact of the payer";
            } else if segment.is("CTD") && occurrence < SEGMENTS_MAX {
                occurrence += 1;
                let role = words(&segment.field(1).first());
                let person = full_name(&person_name(&segment.field(2).first(), 1));
                let who = match (person, role) {
                    (Some(person), Some(role)) => Some(format!("{person} ({role})")),
                    (person, _) => person,
                };
                let place = segment.field(4).first();
                let place = [9, 4, 1].into_iter().find_map(|part| some(place.value(part)));
                let reach = self.reach(&segment, 5).into_iter().map(Some);
                if let Some(text) = joined([who, place].into_iter().chain(reach)) {
                    notes.push((format!("{heading}: {text}"), read_at(location("CTD", occurrence, 2))));
                }
            }
        }
        notes
    }

    /// Those whom the record has no place for, though they are referred to too.
    fn further_targets(&mut self) -> Vec<Note> {
        let mut notes = Vec::new();
        for (prd, occurrence) in self.other_targets() {
            let person = full_name(&person_name(&prd.field(2).first(), 1));
            let number = prd.field(7).first();
            let number = some(number.value(1)).map(|value| {
                let kind = some(number.value(2)).map(|kind| format!("{kind} ")).unwrap_or_default();
                format!("{kind}{value}")
            });
            let place = prd.field(4).first();
            let organization = [prd.value(10, 1), place.value(9), place.value(4)].into_iter().find_map(some);
            let reach = self.reach(&prd, 5).into_iter().map(Some);
            if let Some(text) = joined([person, organization, number].into_iter().chain(reach)) {
                notes.push((format!("Also referred to: {text}"), read_at(location("PRD", occurrence, 2))));
            }
        }
        notes
    }

    /// The phones and mail addresses of a field, as text.
    fn reach(&self, segment: &Segment<'_, '_>, field: usize) -> Vec<String> {
        let one = |contact: Repetition<'_, '_>| {
            let mail = [4, 1, 3].into_iter().map(|part| contact.value(part)).find(|text| text.contains('@'));
            mail.map(|mail| mail.into_owned()).or_else(|| {
                let number = number_text(&contact)?;
                Some(e164(&number, &self.rules.region).unwrap_or(number))
            })
        };
        segment.field(field).repetitions().take(REPETITIONS_MAX).filter_map(one).collect()
    }
}

/// What AL1 or IAM says; none: nothing.
fn allergy(segment: &Segment<'_, '_>, name: &str) -> Option<Allergy> {
    let coded = segment.field(3).first();
    let substance = [coded.component(2).text(), coded.value(9), coded.component(1).text()].into_iter().find_map(some);
    let kind = segment.field(2).first();
    let severity = segment.field(4).first();
    let known = |known: Option<&str>| known.map(str::to_owned);
    let reaction: Vec<String> = segment.field(5).repetitions().take(REPETITIONS_MAX).filter_map(|it| words(&it)).collect();
    let allergy = Allergy {
        kind: known(Allergy::kind_word(&kind.value(1))).or_else(|| words(&kind)),
        severity: known(Allergy::severity_word(&severity.value(1))).or_else(|| words(&severity)),
        reaction: Some(reaction.join(", ")).filter(|text| !text.is_empty()),
        status: if name == "IAM" { words(&segment.field(17).first()) } else { None },
        substance: substance.clone().unwrap_or_else(|| "not named".to_owned()),
    };
    (substance.is_some() || allergy.reaction.is_some()).then_some(allergy)
}

/// The text of a CE or CWE, else its code.
fn words(coded: &Repetition<'_, '_>) -> Option<String> {
    [coded.component(2).text(), coded.component(1).text()].into_iter().find_map(some)
}

fn full_name(name: &PersonName) -> Option<String> {
    let parts = [&name.prefix, &name.given, &name.middle, &name.family, &name.suffix];
    Some(parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
}

fn joined(parts: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
}
