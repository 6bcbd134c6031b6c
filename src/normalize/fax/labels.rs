//! Finding labels: which words of a page name a field, by the table in `labels.toml` and what a site adds to it.

pub(super) use super::label_table::{LABEL_WORDS_MAX, Labels, Meaning, Subject};
use super::{
    faint,
    layout::{Area, Segment, Sheet, text_of},
    regions,
};

/// Letters and digits alone, in one case, with the characters that OCR confuses made one.
#[must_use]
pub fn fold(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '|' | '!' => Some('l'),
            c if !c.is_alphanumeric() => None,
            c => Some(match c.to_ascii_lowercase() {
                '0' => 'o',
                '1' | 'i' => 'l',
                '5' => 's',
                '8' => 'b',
                other => other,
            }),
        })
        .collect::<String>()
        .replace("rn", "m")
}

/// How alike two folded texts are, 0 to 1; short texts must be equal.
pub(super) fn likeness(text: &str, variant: &str) -> f64 {
    if text == variant {
        return 1.0;
    }
    let length = text.len().abs_diff(variant.len());
    if variant.len() < 6 || length > 2 || (variant.len() < 9 && length > 0) {
        return 0.0;
    }
    strsim::normalized_levenshtein(text, variant)
}

/// How alike a text must be to what it is taken for.
pub(super) const LIKENESS_MIN: f64 = 0.82;

/// A label on a page.
#[derive(Clone)]
pub(super) struct Label {
    pub(super) meaning: Meaning,
    /// The segment it begins in, and which of its words are the label.
    pub(super) segment: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    /// A second segment below that the label runs on into.
    pub(super) below: Option<usize>,
    pub(super) area: Area,
    /// Whether a colon follows.
    pub(super) colon: bool,
    /// Whether it matched to the letter.
    pub(super) exact: bool,
    /// Whether it is hardly legible, and only more like this label than any other: what it announces is for a person to check.
    pub(super) faint: bool,
}

/// A heading that says whom the lines under it are about.
pub(super) struct Heading {
    pub(super) subject: Subject,
    pub(super) segment: usize,
    pub(super) area: Area,
}

/// The labels and headings of a page.
pub(super) struct Marks {
    pub(super) labels: Vec<Label>,
    pub(super) headings: Vec<Heading>,
    /// Segments that begin with a label of which nothing is known.
    strange: Vec<usize>,
    /// Whether what is filled in stands above its label, on a line that is labelled from below.
    pub(super) under_values: bool,
}

impl Marks {
    pub(super) fn of(sheet: &Sheet, table: &Labels) -> Self {
        let mut labels = Vec::new();
        let mut headings = Vec::new();
        for (at, segment) in sheet.segments.iter().enumerate() {
            if let Some(subject) = heading(sheet, at, table) {
                headings.push(Heading { subject, segment: at, area: segment.area });
            }
            labels.extend(labels_in(sheet, at, table));
        }
        join_broken(sheet, table, &mut labels);
        head_columns(sheet, &mut labels, &mut headings);
        labels.extend(faint::labels(sheet, table, &labels, &headings));
        let mut marks = Self { labels, headings, strange: Vec::new(), under_values: false };
        marks.under_values = regions::stand_under_values(sheet, &marks);
        let Self { labels, headings, under_values, .. } = &mut marks;
        labels.retain(|label| {
            // "Insurance" alone above labelled lines is a heading, not a label with a value below.
            label.colon
                || *under_values
                || !headings
                    .iter()
                    .any(|heading| heading.segment == label.segment && announces(sheet, table, &labels_at(sheet, heading)))
        });
        marks.strange = strange(sheet, &marks.labels);
        marks
    }

    /// The label that holds this word, if any.
    pub(super) fn at(&self, segment: usize, word: usize) -> Option<&Label> {
        self.labels.iter().find(|label| label.segment == segment && (label.from..label.to).contains(&word))
    }

    /// Whether a segment begins with a label of which nothing is known.
    pub(super) fn is_strange(&self, segment: usize) -> bool {
        self.strange.contains(&segment)
    }

    /// Whether a segment is a heading.
    pub(super) fn heads(&self, segment: usize) -> bool {
        self.headings.iter().any(|heading| heading.segment == segment)
    }

    /// Whether a segment begins with a label or is the rest of one.
    pub(super) fn begins(&self, segment: usize) -> bool {
        self.at(segment, 0).is_some()
            || self.strange.contains(&segment)
            || self.labels.iter().any(|label| label.below == Some(segment))
    }
}

/// "Patient" beside a caption of birth dates or record numbers is no section's title: it heads a column of names.
fn head_columns(sheet: &Sheet, labels: &mut Vec<Label>, headings: &mut Vec<Heading>) {
    let row = |segment: usize| sheet.segments.get(segment).map(|segment| segment.row);
    let is_column = |heading: &Heading| {
        let alone = sheet.segments.get(heading.segment).is_some_and(|segment| segment.words.len() == 1);
        let beside = |label: &Label| {
            matches!(label.meaning, Meaning::BirthDate | Meaning::PatientMrn)
                && !label.colon
                && label.segment != heading.segment
                && row(label.segment) == row(heading.segment)
        };
        heading.subject == Subject::Patient && alone && labels.iter().any(beside)
    };
    let (columns, kept): (Vec<Heading>, Vec<Heading>) = std::mem::take(headings).into_iter().partition(is_column);
    *headings = kept;
    labels.extend(columns.into_iter().map(|Heading { segment, area, .. }| {
        let meaning = Meaning::PatientName;
        Label { meaning, segment, from: 0, to: 1, below: None, area, colon: false, exact: true, faint: false }
    }));
}

/// Whether the segments right under a heading carry labels of their own.
fn announces(sheet: &Sheet, table: &Labels, below: &[usize]) -> bool {
    below.iter().any(|&at| labels_in(sheet, at, table).iter().any(|label| label.from == 0))
}

fn labels_at(sheet: &Sheet, heading: &Heading) -> Vec<usize> {
    let row = sheet.segments.get(heading.segment).map_or(0, |segment| segment.row);
    let alone = sheet.row(row).count() == 1;
    sheet
        .segments
        .iter()
        .enumerate()
        .filter(|(_, segment)| {
            segment.row > row
                && (alone || segment.area.overlaps_sideways(heading.area))
                && segment.area.top - heading.area.bottom < 2.5 * sheet.text_height
        })
        .map(|(at, _)| at)
        .take(if alone { 2 } else { 1 })
        .collect()
}

/// A whole segment that is a section's title.
fn heading(sheet: &Sheet, at: usize, table: &Labels) -> Option<Subject> {
    let segment = sheet.segments.get(at)?;
    let words = unnumbered(&segment.words);
    if words.len() > 6 {
        return None;
    }
    let text = fold(&text_of(words));
    let best = table.sections.iter().map(|variant| (likeness(&text, &variant.folded), variant.of));
    best.filter(|(like, _)| *like >= LIKENESS_MIN).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, subject)| subject)
}

/// A title without what numbers it: `3.`, `B)`, `Section 2:`, `PART 1 -`, `IV.`
fn unnumbered(words: &[crate::reader::Word]) -> &[crate::reader::Word] {
    const PARTS: [&str; 4] = ["section", "part", "step", "box"];
    let text = |at: usize| words.get(at).map_or("", |word| word.text.as_str());
    let named = PARTS.contains(&text(0).to_lowercase().as_str());
    let number = text(usize::from(named));
    let plain = number.trim_end_matches(['.', ')', ':']).trim_start_matches('(');
    let counted = (!plain.is_empty() && plain.chars().count() <= 2 && plain.chars().all(|c| c.is_ascii_digit()))
        || (plain.chars().count() == 1 && plain.chars().all(|c| c.is_ascii_uppercase()))
        || ["II", "III", "IV", "VI", "VII"].contains(&plain);
    if !counted || !(named || plain.len() < number.len()) {
        return words;
    }
    let from = usize::from(named) + 1;
    let dash = !text(from).is_empty() && !text(from).contains(char::is_alphanumeric);
    words.get(from + usize::from(dash)..).filter(|rest| !rest.is_empty()).unwrap_or(words)
}

/// The segments that begin with words and a colon that no table knows: what stands behind is theirs, and nobody else's value.
fn strange(sheet: &Sheet, labels: &[Label]) -> Vec<usize> {
    const WORDS_MAX: usize = 4;
    let line_goes_on = |segment: &Segment| {
        sheet.segments.iter().any(|above| {
            above.row + 1 == segment.row
                && above.area.right > sheet.left + 0.7 * (sheet.right - sheet.left)
                && segment.area.top - above.area.bottom < sheet.text_height
                && !labels
                    .iter()
                    .any(|label| label.segment < sheet.segments.len() && label.colon && label.area.top == above.area.top)
        })
    };
    let begins = |at: usize, segment: &Segment| {
        let Some(colon) = segment.words.iter().take(WORDS_MAX).position(|word| word.text.ends_with(':')) else { return false };
        let words = segment.words.get(..=colon).unwrap_or_default();
        let named = words.iter().all(|word| !word.text.contains(|c: char| c.is_ascii_digit()))
            && words.first().is_some_and(|word| word.text.starts_with(char::is_uppercase) && word.text.chars().count() > 2);
        named && !labels.iter().any(|label| label.segment == at && label.from <= colon) && !line_goes_on(segment)
    };
    sheet.segments.iter().enumerate().filter(|(at, segment)| begins(*at, segment)).map(|(at, _)| at).collect()
}

/// Every label that a segment holds, from the left, the longest match at each place.
fn labels_in(sheet: &Sheet, at: usize, table: &Labels) -> Vec<Label> {
    let Some(segment) = sheet.segments.get(at) else { return Vec::new() };
    let mut found = Vec::new();
    let mut from = 0;
    while from < segment.words.len() {
        match longest(&segment.words, from, table) {
            Some((meaning, to, colon, exact)) => {
                let before =
                    from.checked_sub(1).filter(|at| !found.iter().any(|label: &Label| (label.from..label.to).contains(at)));
                let other = before.and_then(|at| anothers(meaning, &segment.words.get(at)?.text));
                // "14 Main St" is no fourteenth cell.
                let closes = colon || segment.words.get(to).is_none_or(|next| next.text.starts_with('('));
                let number = before.filter(|at| *at == 0 && closes).and_then(|at| segment.words.get(at));
                let numbered = number.is_some_and(|word| is_number_of_cell(&word.text));
                let start = if other.is_some() || numbered { from - 1 } else { from };
                let area = Area::around(segment.words.get(start..to).unwrap_or_default());
                let meaning = other.unwrap_or(meaning);
                found.push(Label { meaning, segment: at, from: start, to, below: None, area, colon, exact, faint: false });
                from = to;
            }
            None => from += 1,
        }
    }
    let starts: Vec<usize> = found.iter().map(|label: &Label| label.from).collect();
    // Behind a label with a colon stands its value, not another label of a row.
    let ends: Vec<usize> = found.iter().filter(|label| !label.colon).map(|label: &Label| label.to).collect();
    found.retain(|label| label.colon || !in_running_text(&segment.words, label, &starts, &ends));
    found
}

/// Whether a word numbers a cell of a form: `4`, `13a.`, `7)`.
fn is_number_of_cell(text: &str) -> bool {
    let plain = text.trim_end_matches(['.', ')']);
    let digits = plain.chars().take_while(char::is_ascii_digit).count();
    (1..=2).contains(&digits) && plain.chars().count() <= digits + 1 && plain.chars().skip(digits).all(|c| c.is_ascii_lowercase())
}

/// What a label of the specialist means behind a word that says that it is another one: "Previous *specialist*", "Sending *department*".
fn anothers(meaning: Meaning, before: &str) -> Option<Meaning> {
    const OTHERS: [&str; 11] =
        ["previous", "previously", "prior", "former", "past", "current", "present", "existing", "old", "earlier", "other"];
    let before = before.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    match meaning {
        Meaning::ReferredName | Meaning::ReferredTo | Meaning::ReferredOrganization if OTHERS.contains(&before.as_str()) => {
            Some(Meaning::OtherPerson)
        }
        // "Other specialty" is one that is asked for and stands on no list.
        Meaning::Specialty
            if before != "other" && (OTHERS.contains(&before.as_str()) || ["from", "sending"].contains(&before.as_str())) =>
        {
            Some(Meaning::Ignore)
        }
        _ => None,
    }
}

/// Whether the words of a label without a colon are only words of a phrase: "Briar *Street* Pediatrics", "*Allergy* testing requested".
/// `starts` and `ends` are those of all labels of the segment: labels in a row, as over the columns of a table, are no phrase.
fn in_running_text(words: &[crate::reader::Word], label: &Label, starts: &[usize], ends: &[usize]) -> bool {
    let next = words.get(label.to);
    if starts.contains(&label.to) || ends.contains(&label.from) {
        return false;
    }
    // A small j may be a capital one.
    let small = |word: &crate::reader::Word| word.text.starts_with(|c: char| c.is_lowercase() && c != 'j');
    let number = |word: &crate::reader::Word| word.text.chars().any(|c| c.is_ascii_digit()) || word.text.starts_with(['#', '(']);
    if is_bracketed_behind_number(words, label) {
        return false;
    }
    match next {
        Some(next) if number(next) => false,
        Some(next) if small(next) => true,
        Some(_) | None if label.from > 0 => !(label.meaning == Meaning::Sex && next.is_some()),
        Some(_) => words.get(label.from).is_some_and(small),
        None => false,
    }
}

/// Whether a label says in brackets what the number before it is: `503-555-0148 (fax)`.
pub(super) fn is_bracketed_behind_number(words: &[crate::reader::Word], label: &Label) -> bool {
    const DIGITS_MIN: usize = 4;
    let own = words.get(label.from..label.to).unwrap_or_default();
    let opens = own.first().is_some_and(|word| word.text.starts_with('('));
    let closes = own.last().is_some_and(|word| word.text.trim_end_matches([',', ';', '.', ':']).ends_with(')'));
    let before = label.from.checked_sub(1).and_then(|at| words.get(at));
    let digits = before.map_or(0, |word| word.text.chars().filter(char::is_ascii_digit).count());
    opens && closes && digits >= DIGITS_MIN
}

/// The best label that begins at a word: meaning, end, whether a colon follows, whether it is exact.
fn longest(words: &[crate::reader::Word], from: usize, table: &Labels) -> Option<(Meaning, usize, bool, bool)> {
    let mut best: Option<(f64, Meaning, usize, bool, bool)> = None;
    let mut printed = String::new();
    for to in from + 1..=words.len().min(from + LABEL_WORDS_MAX) {
        let last = words.get(to - 1)?;
        // The box of the first option is no word of the label before it.
        if regions::is_box_or_brackets(last) {
            break;
        }
        // Folded as a whole, as the table is: "Member no" has an rn in it that two words share.
        printed.push_str(&last.text);
        let text = fold(&printed);
        if text.is_empty() {
            return None;
        }
        let ends = last.text.ends_with([':', ';']);
        let next = words.get(to).is_some_and(|word| matches!(word.text.as_str(), ":" | ";"));
        let colon = ends || next;
        for variant in &table.labels {
            if variant.colon && !colon {
                continue;
            }
            let like = likeness(&text, &variant.folded);
            // More words of the page outweigh fewer; of the same words the nearer variant.
            let better = best.is_none_or(|(known, _, end, _, _)| to + usize::from(next) > end || like > known);
            if like >= LIKENESS_MIN && better {
                best = Some((like, variant.of, to + usize::from(next), colon, like >= 1.0));
            }
        }
        if ends {
            break;
        }
    }
    let (_, meaning, to, colon, exact) = best?;
    // A bracket behind a label is part of it: "Diagnosis (ICD-10):", "Name (last, first):".
    let close = words.iter().enumerate().skip(to).take(4).find(|(_, word)| word.text.contains(')'));
    let taken = words.get(from..to).unwrap_or_default();
    let opens = taken.iter().skip(1).any(|word| word.text.starts_with('('));
    let is_open = opens && !taken.iter().any(|word| word.text.contains(')'));
    match (words.get(to), close) {
        // A part of the bracket may be in the table: "Name (last, first, *middle initial)*".
        (_, Some((end, last))) if is_open => Some((meaning, end + 1, colon || last.text.ends_with(':'), exact)),
        (Some(open), Some((end, last))) if asks_to_choose(&open.text) => {
            Some((meaning, end + 1, colon || last.text.ends_with(':'), exact))
        }
        (Some(open), Some((end, last))) if open.text.starts_with('(') && last.text.ends_with([':', ';']) => {
            Some((meaning, end + 1, true, exact))
        }
        _ => Some((meaning, to, colon, exact)),
    }
}

/// Whether a bracket behind a label says how its options are to be marked: "(check one)".
fn asks_to_choose(open: &str) -> bool {
    let word = open.strip_prefix('(').unwrap_or_default().to_lowercase();
    matches!(word.as_str(), "check" | "circle" | "select" | "choose" | "tick" | "mark" | "pick")
}

/// A label that is broken over two lines of one cell: "Ordering" above "provider:".
fn join_broken(sheet: &Sheet, table: &Labels, labels: &mut Vec<Label>) {
    for (at, upper) in sheet.segments.iter().enumerate() {
        if upper.words.len() > 3 || labels.iter().any(|label| label.segment == at && label.colon) {
            continue;
        }
        let below = sheet.segments.iter().enumerate().find(|(_, lower)| {
            lower.row > upper.row
                && lower.words.len() <= 3
                && (lower.area.left - upper.area.left).abs() < sheet.text_height
                && lower.area.top - upper.area.bottom < 1.1 * sheet.text_height
                && lower.area.top > upper.area.middle()
        });
        let Some((under, lower)) = below else { continue };
        if !lower.words.last().is_some_and(|word| word.text.ends_with([':', ';'])) {
            continue;
        }
        let words: Vec<_> = upper.words.iter().chain(&lower.words).cloned().collect();
        if let Some((meaning, to, true, exact)) = longest(&words, 0, table)
            && to == words.len()
        {
            labels.retain(|label| label.segment != under && label.segment != at);
            let area = upper.area.with(lower.area);
            labels.push(Label {
                meaning,
                segment: at,
                from: 0,
                to: upper.words.len(),
                below: Some(under),
                area,
                colon: true,
                exact,
                faint: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::label_table::{LabelFile, MEANINGS, SUBJECTS},
        *,
    };

    #[test]
    fn the_table_of_labels_reads_and_names_nothing_twice_with_two_meanings() {
        let mut seen = std::collections::BTreeMap::new();
        for variant in &Labels::shipped().labels {
            if let Some(other) = seen.insert((variant.folded.clone(), variant.colon), variant.of) {
                assert_eq!(other, variant.of, "{} has two meanings", variant.folded);
            }
        }
    }

    #[test]
    fn every_meaning_has_its_word_and_no_other_word_is_named() {
        let named = |why: String| why.split('`').skip(3).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let unknown = |text: &str| toml::from_str::<LabelFile>(text).unwrap_err().message().to_owned();
        assert_eq!(named(unknown("[[label]]\nmeaning = \"?\"\nvariants = []\n")), MEANINGS);
        assert_eq!(named(unknown("[[section]]\nsubject = \"?\"\nvariants = []\n")), SUBJECTS);
    }
}
