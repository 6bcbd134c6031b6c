//! Notes that come and go together with where they were read: their evidence, marks and problems name them by position.

use super::record::{Evidence, Record};

/// A note, and where it was read, where that is known.
pub type Note = (String, Option<Evidence>);

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
        self.evidence = evidence.into_iter().map(|(path, it)| (moved(&path).unwrap_or(path), it)).collect();
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
        let known = evidence.into_iter().zip(0..).filter_map(|(it, at)| Some((format!("notes.{at}"), it?)));
        self.evidence.extend(known);
    }

    /// Puts notes behind those that are there.
    pub fn put_notes_last(&mut self, last: Vec<Note>) {
        for (note, evidence) in last {
            let path = format!("notes.{}", self.notes.len());
            self.evidence.extend(evidence.map(|evidence| (path, evidence)));
            self.notes.push(note);
        }
    }

    /// The notes whose HL7 segment fits, and where each was read. None: it is from no segment, or nobody knows.
    #[must_use]
    pub fn notes_where(&self, fits: impl Fn(Option<&str>) -> bool) -> Vec<Note> {
        let evidence = |at: usize| self.evidence.get(&format!("notes.{at}"));
        let notes = self.notes.iter().enumerate().map(|(at, note)| (note, evidence(at)));
        let fitting = notes.filter(|(_, evidence)| {
            let location = evidence.and_then(|evidence| evidence.location.as_deref());
            fits(location.and_then(|location| location.split('^').next()))
        });
        fitting.map(|(note, evidence)| (note.clone(), evidence.cloned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::Problem;

    fn at(location: &str) -> Option<Evidence> {
        Some(Evidence { confidence: 1.0, location: Some(location.to_owned()), ..Evidence::default() })
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
}
