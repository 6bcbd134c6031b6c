//! Notes that come and go together with where they were read: their evidence, marks and problems name them by position.
//!
//! # Design notes
//! A note is shown and sent on as it stands, without who wrote it. So a note of whoever answered the referral says that in front: it would be
//! taken for one of whoever refers.

use smol_str::format_smolstr;

use super::{
    record::{Evidence, Record},
    reply::ReplyOutcome,
};

/// A note, and where it was read, where that is known.
pub type Note = (String, Option<Evidence>);

const ANSWER: &str = "Answer of the specialist (";
const ANSWER_END: &str = "): ";
const REPORT: &str = "Report of the specialist: ";

/// In what a note came that the specialist wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialistsNote {
    /// An answer that comes to this.
    Answer(ReplyOutcome),
    /// The report.
    Report,
}

impl SpecialistsNote {
    fn headed(self, note: &str) -> String {
        match self {
            Self::Answer(outcome) => format!("{ANSWER}{}{ANSWER_END}{note}", outcome.in_words()),
            Self::Report => format!("{REPORT}{note}"),
        }
    }

    /// What stands behind the heading; none: the note has no such heading.
    fn words(note: &str) -> Option<&str> {
        let answer = note.strip_prefix(ANSWER).and_then(|rest| rest.split_once(ANSWER_END)).map(|(_, words)| words);
        answer.or_else(|| note.strip_prefix(REPORT))
    }
}

impl Record {
    /// Puts notes before those that are there, whose paths move along.
    pub fn put_notes_first(&mut self, first: Vec<Note>) {
        let by = first.len();
        if by == 0 {
            return;
        }
        let moved = |path: &str| {
            let at: usize = path.strip_prefix("notes.")?.parse().ok()?;
            Some(format!("notes.{}", at + by))
        };
        let evidence = std::mem::take(&mut self.evidence);
        self.evidence = evidence.into_iter().map(|(path, it)| (moved(&path).map_or(path, Into::into), it)).collect();
        for path in &mut self.review {
            if let Some(to) = moved(path) {
                *path = to;
            }
        }
        for problem in &mut self.problems {
            if let Some(to) = problem.field.as_deref().and_then(moved) {
                problem.field = Some(to);
            }
        }
        let (notes, evidence): (Vec<_>, Vec<_>) = first.into_iter().unzip();
        self.notes.splice(0..0, notes).for_each(drop);
        let known = evidence.into_iter().zip(0..).filter_map(|(it, at)| Some((format_smolstr!("notes.{at}"), it?)));
        self.evidence.extend(known);
    }

    /// Puts notes behind those that are there.
    pub fn put_notes_last(&mut self, last: Vec<Note>) {
        for (note, evidence) in last {
            let path = format_smolstr!("notes.{}", self.notes.len());
            self.evidence.extend(evidence.map(|evidence| (path, evidence)));
            self.notes.push(note);
        }
    }

    /// Adds the notes of a record that came about this one, but those that are known: an answer often repeats what it was asked with. `from`:
    /// what the specialist wrote them in; the notes of segments that say themselves what they are, such as an allergy, stay as they are.
    pub fn add_notes_of(&mut self, brought: &Self, from: Option<SpecialistsNote>) {
        for (at, note) in brought.notes.iter().enumerate() {
            let is_known = |known: &String| known == note || SpecialistsNote::words(known) == Some(note.as_str());
            if self.notes.iter().any(is_known) {
                continue;
            }
            let is_words = matches!(brought.segment_of_note(at), None | Some("NTE" | "OBX"));
            self.notes.push(match from.filter(|_| is_words) {
                Some(from) => from.headed(note),
                None => note.clone(),
            });
        }
    }

    /// The HL7 segment that a note was read from.
    fn segment_of_note(&self, at: usize) -> Option<&str> {
        self.evidence.get(format_smolstr!("notes.{at}").as_str())?.location.as_deref()?.split('^').next()
    }

    /// The notes that the specialist wrote, in answers and in the report.
    #[must_use]
    pub fn specialists_notes(&self) -> Vec<Note> {
        self.notes_that(|_, note| SpecialistsNote::words(note).is_some())
    }

    /// The notes whose HL7 segment fits, and where each was read. None: it is from no segment, or nobody knows.
    #[must_use]
    pub fn notes_where(&self, fits: impl Fn(Option<&str>) -> bool) -> Vec<Note> {
        self.notes_that(|at, _| fits(self.segment_of_note(at)))
    }

    fn notes_that(&self, fit: impl Fn(usize, &str) -> bool) -> Vec<Note> {
        let evidence = |at: usize| self.evidence.get(format_smolstr!("notes.{at}").as_str());
        let fitting = self.notes.iter().enumerate().filter(|(at, note)| fit(*at, note));
        fitting.map(|(at, note)| (note.clone(), evidence(at).cloned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::Problem;

    fn at(location: &str) -> Option<Evidence> {
        Some(Evidence { confidence: 1.0, location: Some(location.into()), ..Evidence::default() })
    }

    #[test]
    fn what_is_known_of_a_note_moves_along_with_it() {
        let mut record = Record::default();
        record.put_notes_last(vec![("first".to_owned(), at("NTE^1^3")), ("second".to_owned(), at("AL1^9^3"))]);
        record.mark("notes.1");
        record.problems.push(Problem::at("note-shortened", "notes.0", "x"));
        record.put_notes_first(vec![("one".to_owned(), at("AL1^1^3")), ("two".to_owned(), at("IAM^1^3"))]);
        assert_eq!(record.notes, ["one", "two", "first", "second"]);
        assert_eq!(record.evidence["notes.2"].location.as_deref(), Some("NTE^1^3"));
        assert_eq!((record.review[0].as_str(), record.problems[0].field.as_deref()), ("notes.3", Some("notes.2")));
        record.put_notes_last(vec![("third".to_owned(), None)]);
        assert!(record.notes_where(|segment| segment.is_none()).into_iter().map(|(note, _)| note).eq(["third"]));
        let allergies = record.notes_where(|segment| segment.is_some_and(|name| ["AL1", "IAM"].contains(&name)));
        let allergies: Vec<String> = allergies.into_iter().map(|(note, _)| note).collect();
        assert_eq!(allergies, ["one", "two", "second"]);
    }

    #[test]
    fn a_note_of_the_specialist_says_so_and_is_known_again() {
        let mut record = Record { notes: vec!["Please see.".to_owned()], ..Record::default() };
        let mut answer =
            Record { notes: ["Please see.", "No room", "Allergy: Nuts"].map(str::to_owned).to_vec(), ..Record::default() };
        let at = |location: &str| Evidence { location: Some(location.into()), ..Evidence::default() };
        answer.evidence.insert("notes.1".into(), at("NTE^2^3"));
        answer.evidence.insert("notes.2".into(), at("AL1^1^3"));
        record.add_notes_of(&answer, Some(SpecialistsNote::Answer(ReplyOutcome::Declined)));
        let known = ["Please see.", "Answer of the specialist (declined): No room", "Allergy: Nuts"];
        assert_eq!(record.notes, known);
        record.add_notes_of(&answer, Some(SpecialistsNote::Answer(ReplyOutcome::Accepted)));
        // As it comes back from a system that it was handed on to.
        let echoed = Record { notes: record.notes.clone(), ..Record::default() };
        record.add_notes_of(&echoed, Some(SpecialistsNote::Report));
        assert_eq!(record.notes, known);
        let report = Record { notes: vec!["Seen today".to_owned()], ..Record::default() };
        record.add_notes_of(&report, Some(SpecialistsNote::Report));
        record.add_notes_of(&report, None);
        assert_eq!(record.notes[3..], ["Report of the specialist: Seen today"]);
    }
}
