//! What is ticked: sex and priority.

use super::{
    super::{
        candidates::{Candidates, Field, Rank, sureness},
        labels::{Label, Subject},
        layout::{Area, Sheet},
        lists, regions,
    },
    Context,
};
use crate::{
    reader::Word,
    referral::{Priority, Sex},
};

/// Which of several printed options is ticked, by its place among the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::normalize::fax) enum Ticked {
    /// Every option has its box, and one of them is ticked; or there is one option, and no box.
    Sure(usize),
    /// One seems ticked and not every box was found, or it is the only one whose box was not found.
    Likely(usize),
    /// It cannot be told.
    Unclear,
}

/// How far a tick is trusted that only seems to be one: a person must see it.
pub(in crate::normalize::fax) const LIKELY_TRUST: f32 = 0.6;

/// What stands beside an option.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Ticked,
    Empty,
    /// A box, or what the recognizer made of one, and not plainly either.
    Unclear,
    /// A lone letter X.
    Letter,
    Nothing,
}

fn mark(text: &str) -> Mark {
    match text.to_lowercase().as_str() {
        "[x]" | "(x)" | "[x" | "x]" | "\u{2612}" | "\u{2611}" | "\u{2713}" | "[xj" | "[*]" | "ixi" | "\u{2714}" | "[v]" => {
            Mark::Ticked
        }
        "\u{2610}" | "[" | "]" | "[]" | "[ ]" | "()" | "( )" | "(" | ")" => Mark::Empty,
        "\u{25a3}" | "lj" | "l]" | "o" => Mark::Unclear,
        "x" => Mark::Letter,
        _ => Mark::Nothing,
    }
}

/// Which of the options, each at its first and behind its last word, is ticked.
pub(super) fn ticked(words: &[Word], options: &[(usize, usize)]) -> Ticked {
    let (behind, plain) = stand_behind(words, options);
    let marks: Vec<Mark> = options
        .iter()
        .map(|(from, to)| {
            let own = words.get(*from).is_some_and(|word| word.text.to_lowercase().starts_with("[x]"));
            let beside = if behind { Some(*to) } else { from.checked_sub(1) };
            let beside = beside.and_then(|at| words.get(at)).map_or(Mark::Nothing, |word| mark(&word.text));
            if own { Mark::Ticked } else { beside }
        })
        .collect();
    let (boxes, marked) = (words.iter().any(is_boxlike), words.iter().any(regions::is_box_or_brackets));
    judged(&marks, Row { plain, drawn: words.iter().any(regions::is_box), marked, boxes })
}

/// Which of several boxes is ticked whose places are known, by what was recognized at each. Sure only where all of them were found.
pub(in crate::normalize::fax) fn ticked_boxes(places: &[Vec<Word>]) -> Ticked {
    let at = |words: &Vec<Word>| words.iter().map(|word| mark(&word.text)).find(|mark| *mark != Mark::Nothing);
    let marks: Vec<Mark> = places.iter().map(|words| at(words).unwrap_or(Mark::Nothing)).collect();
    judged(&marks, Row { plain: true, drawn: true, marked: true, boxes: true })
}

/// What is known of a row of options.
#[derive(Clone, Copy)]
struct Row {
    /// It is plain which mark belongs to which option.
    plain: bool,
    /// Some mark is a drawn box.
    drawn: bool,
    /// Some mark is a box, or brackets printed for one.
    marked: bool,
    /// Some mark may be a box.
    boxes: bool,
}

/// Which option is ticked, by what stands beside each.
fn judged(marks: &[Mark], row: Row) -> Ticked {
    let places = |wanted: Mark| marks.iter().enumerate().filter(move |(_, mark)| **mark == wanted).map(|(at, _)| at);
    let only = |wanted: Mark| places(wanted).next().filter(|_| places(wanted).count() == 1);
    let empty = places(Mark::Empty).count();
    match (only(Mark::Ticked), only(Mark::Letter), only(Mark::Nothing)) {
        (Some(at), _, _) if !row.plain => Ticked::Likely(at),
        (Some(at), _, _) if places(Mark::Unclear).count() > 0 && row.drawn => Ticked::Likely(at),
        // Printed brackets say enough by themselves; drawn ones must all have been found.
        (Some(at), _, _) if empty + 1 == marks.len() || !row.drawn => Ticked::Sure(at),
        (Some(at), _, _) => Ticked::Likely(at),
        (None, Some(at), _) if places(Mark::Ticked).count() == 0 => {
            if empty + 1 == marks.len() {
                Ticked::Sure(at)
            } else {
                Ticked::Likely(at)
            }
        }
        (None, None, Some(0)) if marks.len() == 1 && !row.boxes => Ticked::Sure(0),
        (None, None, Some(at)) if row.marked && marks.len() > 1 && empty + 1 == marks.len() => Ticked::Likely(at),
        _ => Ticked::Unclear,
    }
}

/// Whether the marks stand behind their words rather than before them, and whether that is plain: where a mark was lost, a row of them fits both
/// ways, and only the distances are left to tell.
fn stand_behind(words: &[Word], options: &[(usize, usize)]) -> (bool, bool) {
    let marked = |at: Option<usize>| {
        at.and_then(|at| words.get(at)).filter(|word| !matches!(mark(&word.text), Mark::Nothing | Mark::Letter))
    };
    let before: Vec<(&Word, usize)> =
        options.iter().filter_map(|(from, _)| Some((marked(from.checked_sub(1))?, *from))).collect();
    let behind: Vec<(&Word, usize)> = options.iter().filter_map(|(_, to)| Some((marked(Some(*to))?, to - 1))).collect();
    if before.len() != behind.len() || before.is_empty() {
        return (behind.len() > before.len(), true);
    }
    let gap = |(mark, option): &(&Word, usize)| {
        words.get(*option).map_or(0, |option| {
            option.bounds[0].saturating_sub(mark.bounds[2]).max(mark.bounds[0].saturating_sub(option.bounds[2]))
        })
    };
    (behind.iter().map(gap).sum::<u32>() < before.iter().map(gap).sum::<u32>(), false)
}

/// What was chosen, at which word, and whether by a tick; an error: it cannot be told.
type Choice<T> = Result<(T, usize, bool), ()>;

/// The ticked one of several printed words, or the only one: its value, its place, and whether that is sure. `Err` when it cannot be told.
fn chosen<T: PartialEq + Copy>(words: &[Word], read: impl Fn(&str) -> Option<T>) -> Option<Choice<T>> {
    let named = |word: &Word| read(&word.text).filter(|_| !regions::is_box_or_brackets(word));
    // A cross in brackets marks a word; where there is another one to choose, a lone X does so too.
    let is_word = |word: &Word| named(word).is_some() && mark(&word.text) != Mark::Letter;
    let several = words.iter().any(is_word);
    let options: Vec<(usize, T)> = (words.iter().enumerate())
        .filter(|(_, word)| !several || is_word(word))
        .filter_map(|(at, word)| Some((at, named(word)?)))
        .collect();
    let (first, value) = options.first().copied()?;
    let places: Vec<(usize, usize)> = options.iter().map(|(at, _)| (*at, at + 1)).collect();
    let at = |place: usize| options.get(place).map(|(at, value)| (*value, *at));
    Some(match ticked(words, &places) {
        Ticked::Sure(place) => at(place).map(|(value, at)| (value, at, true)).ok_or(()),
        Ticked::Likely(place) => at(place).map(|(value, at)| (value, at, false)).ok_or(()),
        // One thing said twice: "Urgent - ASAP".
        Ticked::Unclear if options.iter().all(|(_, other)| *other == value) && !words.iter().any(is_boxlike) => {
            Ok((value, first, true))
        }
        Ticked::Unclear => Err(()),
    })
}

fn is_boxlike(word: &Word) -> bool {
    regions::is_box(word) || matches!(mark(&word.text), Mark::Empty | Mark::Unclear)
}

/// Whether a word without a box is one of several options on its row of the page: a choice whose boxes were not seen.
fn is_one_of_several<T: PartialEq>(
    context: &Context<'_>,
    words: &[Word],
    word: &[Word],
    read: impl Fn(&str) -> Option<T>,
) -> bool {
    if words.iter().any(|word| mark(&word.text) != Mark::Nothing) {
        return false;
    }
    let Some(own) = word.first() else { return false };
    let row = context.sheet.segments.iter().find(|segment| segment.words.contains(own)).map(|segment| segment.row);
    let Some(value) = read(&own.text) else { return false };
    let others = row.into_iter().flat_map(|row| context.sheet.row(row)).flat_map(|(_, segment)| &segment.words);
    others.filter_map(|other| read(&other.text)).any(|other| other != value)
}

/// Whether another priority stands right under one, in a table whose head is the label: it asks for two things, each as urgent as it says.
fn is_of_first_row(context: &Context<'_>, label: &Label, word: &[Word]) -> bool {
    const GAP_HEIGHTS_MAX: f32 = 2.5;
    let (area, height) = (Area::around(word), context.sheet.text_height);
    let said = |words: &[Word]| words.first().and_then(|word| lists::priority(&word.text));
    !label.colon
        && context.sheet.segments.iter().any(|segment| {
            let gap = segment.area.top - area.bottom;
            let under = segment.area.top > area.middle() && gap < GAP_HEIGHTS_MAX * height;
            let aligned = (segment.area.left - area.left).abs() < height;
            under && aligned && said(&segment.words).is_some_and(|other| Some(other) != said(word))
        })
}

/// Whether a word that was chosen for want of another, with no mark beside it, is hardly the only thing printed there: another option stands on
/// its row, or something that could not be read. A circle drawn by pen leaves no more of the option in it.
fn is_what_is_left<T: PartialEq + Copy>(
    context: &Context<'_>,
    label: &Label,
    words: &[Word],
    at: usize,
    read: impl Fn(&str) -> Option<T>,
) -> bool {
    let Some(word) = words.get(at) else { return false };
    if words.iter().any(|word| !matches!(mark(&word.text), Mark::Nothing | Mark::Letter)) {
        return false;
    }
    let row = context.options(label);
    let same_row = row.contains(word);
    let beside = if same_row { row.as_slice() } else { words };
    let value = read(&word.text);
    let gap_max = GAP_HEIGHTS_MAX * context.sheet.text_height;
    let near = |other: &&Word| {
        let gap = other.bounds[0].saturating_sub(word.bounds[2]).max(word.bounds[0].saturating_sub(other.bounds[2]));
        (gap as f32) < gap_max
    };
    let others = || beside.iter().filter(|other| *other != word);
    let specks = context.sheet.specks.iter().filter(|speck| {
        let level = speck.bounds[1] < word.bounds[3] && speck.bounds[3] > word.bounds[1];
        let tall = speck.bounds[3].saturating_sub(speck.bounds[1]) as f32 > 0.8 * context.sheet.text_height;
        level && tall && (!same_row || speck.bounds[0] as f32 > label.area.right)
    });
    // "FX", an F and an X, is a label elsewhere.
    let row = context.sheet.segments.get(label.segment).map(|segment| segment.row).filter(|_| same_row);
    let mut whole_row = row.into_iter().flat_map(|row| context.sheet.row(row)).flat_map(|(_, segment)| &segment.words);
    others().any(|other| read(&other.text).is_some_and(|other| Some(other) != value))
        || others().filter(near).any(is_unread)
        || whole_row.any(|other| near(&other) && is_run_together(&other.text))
        || specks.into_iter().any(|speck| near(&speck))
}

/// The options that stand behind something that could not be read, where the value would be: which of them is meant, if any, cannot be told.
fn left_behind<T>(context: &Context<'_>, label: &Label, read: impl Fn(&str) -> Option<T>) -> Option<(Choice<T>, Vec<Word>)> {
    let row = context.options(label);
    let unread = row.first().is_some_and(is_unread);
    (unread && row.iter().any(|word| read(&word.text).is_some())).then_some((Err(()), row))
}

/// How far from an option what is left of another one may stand, in heights of text.
const GAP_HEIGHTS_MAX: f32 = 8.0;

/// Whether something is no word that was read: signs, a misread one, options that ran together.
fn is_unread(word: &Word) -> bool {
    const CONFIDENCE_MIN: f32 = 0.5;
    const SIGNS: &str = ".,;:-\u{2013}\u{2014}/\\'\"*+&=_|#";
    let text = word.text.as_str();
    let solid = text.chars().any(char::is_alphanumeric);
    let bracketed = solid
        && text.chars().count() <= 3
        && text.contains(['(', ')', '@', '\u{a9}', '\u{ae}'])
        && text.chars().filter(char::is_ascii_digit).count() < 2;
    (!solid && text.chars().any(|c| !SIGNS.contains(c)))
        || (solid && word.confidence < CONFIDENCE_MIN)
        || is_run_together(text)
        || bracketed
}

/// Whether a text is single letters that can be chosen, without a gap between them.
fn is_run_together(text: &str) -> bool {
    (2..=4).contains(&text.len()) && text.chars().all(|c| matches!(c, 'M' | 'F' | 'X' | 'U' | 'O'))
}

/// The "yes" behind a question: ticked, or printed alone; or the ticked box that alone stands for it.
pub(super) fn yes(context: &Context<'_>, label: &Label) -> Option<Word> {
    let answer = |text: &str| match text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().as_str() {
        "yes" | "y" | "true" => Some(true),
        "no" | "n" | "none" | "false" => Some(false),
        _ => None,
    };
    let row = boxed(context, label);
    if let Some([only]) = row.as_deref() {
        return (mark(&only.text) == Mark::Ticked).then(|| only.clone());
    }
    let boxed = row.and_then(|words| Some((chosen(&words, answer)?, words)));
    let plain = || context.parsed(label, |words| chosen(words.get(..words.len().min(8)).unwrap_or_default(), answer));
    let (read, words) = boxed.or_else(plain)?;
    let (said, at, _) = read.ok()?;
    words.get(at).filter(|_| said).cloned()
}

/// How far a value is trusted that stands before boxes: its own box may not have been found.
pub(super) const BEFORE_BOXES_TRUST: f32 = 0.9;

/// The words of an option and how far they are trusted; `Err`: all of them, where it cannot be told which one is ticked.
type Chosen = Result<(Vec<Word>, f32), Vec<Word>>;

/// The option that is ticked of those that a label's value offers. None: there is no box in the value.
pub(super) fn ticked_option(context: &Context<'_>, label: &Label, value: &[Word]) -> Option<Chosen> {
    if !value.iter().any(regions::is_box_or_brackets) {
        return None;
    }
    let words = boxed(context, label).unwrap_or_else(|| value.to_vec());
    let options = between_boxes(&words);
    let option = |at: usize| options.get(at).and_then(|(from, to)| words.get(*from..*to)).unwrap_or_default().to_vec();
    let framed = [words.first(), words.last()].into_iter().flatten().any(regions::is_box_or_brackets);
    if !framed {
        return Some(Ok((option(0), BEFORE_BOXES_TRUST)));
    }
    Some(match ticked(&words, &options) {
        Ticked::Sure(at) => Ok((option(at), 1.0)),
        Ticked::Likely(at) => Ok((option(at), LIKELY_TRUST)),
        Ticked::Unclear => Err(words),
    })
}

/// The texts between the boxes of a row, each at its first and behind its last word.
pub(super) fn between_boxes(words: &[Word]) -> Vec<(usize, usize)> {
    let mut texts = Vec::new();
    let mut from = 0;
    for end in 0..=words.len() {
        if words.get(end).is_none_or(regions::is_box_or_brackets) {
            let text = words.get(from..end).unwrap_or_default();
            if text.iter().any(|word| word.text.contains(char::is_alphanumeric)) {
                texts.push((from, end));
            }
            from = end + 1;
        }
    }
    texts
}

/// The row of boxes behind a label, drawn or printed, where there is one.
pub(super) fn boxed(context: &Context<'_>, label: &Label) -> Option<Vec<Word>> {
    let words = context.options(label);
    words.iter().any(regions::is_box_or_brackets).then_some(words)
}

pub(super) fn sex(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    if matches!(context.subject, Some(Subject::Other | Subject::SecondaryInsurance)) {
        return;
    }
    let boxed = boxed(context, label).and_then(|words| Some((chosen(&words, lists::sex)?, words)));
    let plain = || context.parsed(label, |words| chosen(words.get(..words.len().min(8)).unwrap_or_default(), lists::sex));
    let Some((read, words)) = boxed.or_else(plain).or_else(|| left_behind(context, label, lists::sex)) else { return };
    let read = read.and_then(|read| if is_what_is_left(context, label, &words, read.1, lists::sex) { Err(()) } else { Ok(read) });
    match read {
        Ok((sex, at, sure)) => {
            let word = words.get(at..=at).unwrap_or_default();
            let printed = word.first().map_or("", |word| word.text.as_str());
            // A whole word that is on the list was read right; of a single letter the recognizer's confidence decides.
            // Of "M" alone it cannot be told whether it is an option or an initial.
            let whole = |text: &str| lists::sex(text).filter(|_| text.len() > 2);
            let sure = sure && !is_one_of_several(context, &words, word, whole);
            let trust = if printed.len() > 2 { 1.0 / sureness(word).max(0.5) * 0.98 } else { 1.0 };
            let trust = if sure { trust } else { LIKELY_TRUST };
            let value = match sex {
                Sex::F => "F",
                Sex::M => "M",
                Sex::O => "O",
                Sex::U => "U",
            };
            found.add(Field::Sex, value.to_owned(), word, context.page(), Rank::OwnLabel, trust);
        }
        Err(()) => {
            let candidate = found.add(Field::Sex, String::new(), &words, context.page(), Rank::OwnLabel, 0.3);
            candidate.failed = Some(("tick-unclear", "it cannot be told which box is ticked: check it on the page"));
        }
    }
}

/// How far a priority is trusted that is said by denying another one.
const NEGATED_TRUST: f32 = 0.9;

/// The word of a priority.
pub(in crate::normalize::fax) fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::Stat => "stat",
        Priority::Urgent => "urgent",
        Priority::Routine => "routine",
        Priority::Unknown => "unknown",
    }
}

pub(super) fn priority(context: &Context<'_>, label: &Label, found: &mut Candidates) {
    let regions = context.regions(label, 1);
    let boxed = boxed(context, label).and_then(|words| Some((chosen(&words, lists::priority)?, words)));
    let read =
        boxed.or_else(|| regions.into_iter().find_map(|region| Some((chosen(&region.words, lists::priority)?, region.words))));
    let Some((choice, words)) = read.or_else(|| left_behind(context, label, lists::priority)) else { return };
    let choice = choice
        .and_then(|choice| if is_what_is_left(context, label, &words, choice.1, lists::priority) { Err(()) } else { Ok(choice) });
    let word = choice.ok().and_then(|(_, at, _)| words.get(at..=at)).unwrap_or_default();
    let several = is_one_of_several(context, &words, word, lists::priority);
    let first_row = is_of_first_row(context, label, word);
    let choice = choice
        .map(|(priority, at, sure)| (priority, at, sure && !several))
        .and_then(|one| if first_row { Err(()) } else { Ok(one) });
    add_priority(choice, &words, context.page(), Rank::OwnLabel, found);
}

fn add_priority(choice: Result<(Priority, usize, bool), ()>, words: &[Word], page: u32, rank: Rank, found: &mut Candidates) {
    let Ok((priority, at, sure)) = choice else {
        let candidate = found.add(Field::Priority, "unknown".to_owned(), words, page, rank, 0.3);
        candidate.failed = Some(("tick-unclear", "it cannot be told which priority is ticked: check it on the page"));
        return;
    };
    let word = words.get(at..=at).unwrap_or_default();
    let negated = at > 0 && words.get(at - 1).is_some_and(|before| matches!(before.text.to_lowercase().as_str(), "not" | "non"));
    // "Not urgent" is no urgent one: a person sees it all the same.
    let priority = match priority {
        Priority::Urgent if negated => Priority::Routine,
        _ if negated => Priority::Unknown,
        said => said,
    };
    let trust = if negated {
        NEGATED_TRUST
    } else if sure {
        0.985 / sureness(word).max(0.6)
    } else {
        LIKELY_TRUST
    };
    found.add(Field::Priority, priority_word(priority).to_owned(), word, page, rank, trust);
}

/// A choice of priorities under no label that is known ("Please see:"): boxes before words that say what they are.
pub(in crate::normalize::fax) fn unlabelled_priority(sheet: &Sheet, found: &mut Candidates) {
    /// Rows from the first option to the last: beside or under each other.
    const ROWS_MAX: usize = 5;
    if found.all.iter().any(|known| known.field == Field::Priority && known.rank == Rank::OwnLabel && known.page == sheet.page) {
        return;
    }
    let option = |words: &[&Word], at: usize| {
        let boxed = at.checked_sub(1).and_then(|at| words.get(at)).is_some_and(|before| regions::is_box_or_brackets(before));
        words.get(at).and_then(|word| lists::priority(&word.text)).filter(|_| boxed)
    };
    let mut rows: Vec<(usize, Vec<Word>, Vec<Priority>)> = Vec::new();
    for row in 0..=sheet.segments.last().map_or(0, |last| last.row) {
        let words: Vec<&Word> = sheet.row(row).flat_map(|(_, segment)| &segment.words).collect();
        let options: Vec<Priority> = (0..words.len()).filter_map(|at| option(&words, at)).collect();
        if !options.is_empty() {
            rows.push((row, words.into_iter().cloned().collect(), options));
        }
    }
    let (Some((first, _, _)), Some((last, _, _))) = (rows.first(), rows.last()) else { return };
    let several = rows.iter().flat_map(|(_, _, options)| options).any(|option| rows[0].2.first() != Some(option));
    if !several || last - first > ROWS_MAX {
        return;
    }
    let words: Vec<Word> = rows.into_iter().flat_map(|(_, words, _)| words).collect();
    if let Some(choice) = chosen(&words, lists::priority) {
        add_priority(choice, &words, sheet.page, Rank::Label, found);
    }
}
