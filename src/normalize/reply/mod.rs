//! What a replier's own words say: plain rules, no guessing.
//!
//! The words are split into sentences and clauses. Each clause must be one known sentence, whole: a statement of
//! `phrases.rs`, or a courtesy. All statements together must come to one outcome; the days and times named must leave one
//! appointment to come. Whatever falls short is [`ReplyOutcome::Unclear`], with the best reading as the reason, for the person who
//! decides.
//!
//! # Design notes
//! A silent wrong status is the worst error this module can make, and a person who looks once too often the least. So nothing here
//! scores or weighs: one word that is not understood in a place where it could matter is enough for `unclear`.

mod clauses;
mod dates;
mod patient;
mod phrases;
mod statements;
mod text;
mod weighed;

use jiff::{ToSpan, civil::Date};

use self::{
    clauses::clauses,
    dates::Day,
    statements::{Clause, Meaning},
};
use super::DateOrder;
use crate::referral::{Appointment, Compare, IsoDate, Reply, ReplyOutcome};

/// Longer words are a letter, not an answer: a person reads it.
const WORDS_CHARACTERS_MAX: usize = 4_000;
/// The same for the number of sentences.
const SENTENCES_MAX: usize = 12;
/// A visit longer ago than this may be one before the referral.
const DAYS_GONE_MAX: i32 = 14;
/// How sure a reply is that says yes and nothing else.
const YES_CONFIDENCE: f32 = 0.9;
/// Hours of the day in which a visit begins: 10:30 pm is a slip.
const OFFICE_HOURS: std::ops::Range<i8> = 6..20;
/// How much of the words is kept as the quote.
const QUOTE_CHARACTERS_MAX: usize = 400;

/// Reads the replier's own words (no quoted text). `sent_on` is the day they were written.
#[must_use]
pub fn read_reply(words: &str, sent_on: Date, order: DateOrder) -> Reply {
    if words.chars().count() > WORDS_CHARACTERS_MAX {
        return unclear(None, "it is long", &[words.trim().to_owned()]);
    }
    let sentences = text::sentences(words, |line| statements::says(&text::plain(line)));
    if sentences.is_empty() {
        return unclear(None, "it has no words of its own", &[]);
    }
    if sentences.len() > SENTENCES_MAX {
        return unclear(None, "it has many sentences", &[words.trim().to_owned()]);
    }
    let mut said = Said::default();
    for (at, sentence) in sentences.iter().enumerate() {
        said.hear(sentence, at + 1 == sentences.len(), sent_on, order);
    }
    said.conclude(words)
}

/// Whether a reply says yes and nothing else: what to, is told by the words that it stands below.
pub(super) fn says_yes_alone(reply: &Reply) -> bool {
    reply.outcome == ReplyOutcome::Received && reply.confidence <= YES_CONFIDENCE
}

/// A reply that a person must read, with the best reading beside it.
fn unclear(reading: Option<ReplyOutcome>, why: &str, quotes: &[String]) -> Reply {
    let reason = match reading {
        Some(reading) => format!("best reading: {}; but {why}", word(reading)),
        None => format!("no reading; {why}"),
    };
    let confidence = if reading.is_some() { 0.5 } else { 0.2 };
    Reply { reason: Some(reason), quote: quote(quotes), confidence, ..Reply::unread() }
}

fn quote(quotes: &[String]) -> Option<String> {
    let whole = quotes.join(" … ");
    (!whole.is_empty()).then(|| whole.chars().take(QUOTE_CHARACTERS_MAX).collect())
}

/// The word of record.md for an outcome.
fn word(outcome: ReplyOutcome) -> &'static str {
    match outcome {
        ReplyOutcome::Received => "received",
        ReplyOutcome::NotReceived => "not-received",
        ReplyOutcome::Accepted => "accepted",
        ReplyOutcome::Scheduled => "scheduled",
        ReplyOutcome::AppointmentCancelled => "appointment-cancelled",
        ReplyOutcome::Cancelled => "cancelled",
        ReplyOutcome::Declined => "declined",
        ReplyOutcome::NeedsInformation => "needs-information",
        ReplyOutcome::Redirected => "redirected",
        ReplyOutcome::Completed => "completed",
        ReplyOutcome::NoShow => "no-show",
        ReplyOutcome::PatientDeclined => "patient-declined",
        ReplyOutcome::PatientUnreachable => "patient-unreachable",
        ReplyOutcome::WrongRecipient => "wrong-recipient",
        ReplyOutcome::Unclear => "unclear",
    }
}

/// Whether the words of a subject, what we wrote into it left out, may turn round what the mail says.
#[must_use]
pub fn subject_warns(subject: &str) -> bool {
    statements::warns(&text::plain(subject))
}

/// Whether a line stands in signatures: a name, a desk, a number, an address.
pub(super) fn is_signature_line(line: &str) -> bool {
    text::looks_like_signature(line) && !statements::says(&text::plain(line))
}

/// Whether a line below a name says nothing of a referral.
pub(super) fn is_around_a_name(line: &str, drawn_up: bool) -> bool {
    text::is_around_a_name(line, drawn_up)
}

/// Whether a line is another person's name than the one signed above it, and no more.
pub(super) fn names_a_second(signed: &str, line: &str) -> bool {
    text::names_a_second_person(&[signed, line])
}

/// Whether one of these lines has a number or an address, as a signature that somebody drew up once.
pub(super) fn has_contact(lines: &[String]) -> bool {
    text::has_contact(lines)
}

/// The sentences of somebody's own words, without the signature below them: as they were written, and spelled evenly in small letters.
pub(super) fn plain_sentences(words: &str) -> Vec<(String, String)> {
    let sentences = text::sentences(words, |line| statements::says(&text::plain(line)));
    let both = |sentence: text::Sentence| {
        let plain = text::plain(&sentence.original);
        (sentence.original, plain)
    };
    sentences.into_iter().map(both).collect()
}

/// Whether a word (in small letters) can turn round what stands beside it.
pub(super) fn is_risky(word: &str) -> bool {
    statements::is_risky(word)
}

/// The telephone numbers and addresses that stand in a text, which [`plain_sentences`] leave out.
pub(super) fn contacts(text: &str) -> Vec<&str> {
    text::contacts(text)
}

/// The birth dates that the lines of a text give, as they are written.
pub(super) fn birth_dates(words: &str) -> Vec<String> {
    words.lines().flat_map(text::birth_dates).collect()
}

/// Whether a line is a closing, as stands above a name.
pub(super) fn is_closing(line: &str) -> bool {
    text::is_closing(line)
}

/// Whether a line is a greeting or a courtesy.
pub(super) fn is_courtesy(line: &str) -> bool {
    let plain = text::plain(line.trim_end_matches(['.', '!', ',']));
    let clauses = clauses(&plain);
    // What is left out of a plain text, a birth date say, is no courtesy.
    !line.contains('?')
        && !clauses.is_empty()
        && clauses.iter().all(|clause| statements::read(clause).meanings == [Meaning::Filler])
        && text::birth_date(line).is_none()
}

/// Whether a line, whatever it says, says nothing of a referral: no statement, no day, no question, no word that turns another round.
pub(super) fn says_nothing(line: &str) -> bool {
    let plain = text::plain(line);
    !line.contains('?') && !text::names_date(line) && !statements::says(&plain) && !statements::turns_round(&plain)
}

/// All that was heard.
#[derive(Default)]
struct Said {
    outcomes: Vec<ReplyOutcome>,
    yes: bool,
    no: bool,
    /// Work that is promised or under way, a look that is not over, a `not yet`.
    pending: bool,
    review: bool,
    not_yet: bool,
    /// What goes with one outcome alone: a reason, a plea to send it again, a report that is promised.
    because: bool,
    again: bool,
    report: bool,
    regret: bool,
    /// Whether they tell of a call to the patient, or of a message that was left.
    called: bool,
    left: bool,
    /// Whether they could not reach the patient.
    unreached: bool,
    /// Whether a doctor, or that somebody looked at it, is told of; and whether `she`, or `he`, said no.
    doctor: bool,
    pronoun: bool,
    /// Marks such as people tick a list of choices with.
    ticks: bool,
    /// What only the referral can tell.
    compare: Compare,
    /// The days and times that stand with an appointment.
    days: Vec<Day>,
    clocks: Vec<dates::Clock>,
    /// The first thing that was not plain.
    doubt: Option<&'static str>,
    quotes: Vec<String>,
    with: Option<String>,
}

impl Said {
    fn doubt(&mut self, why: &'static str) {
        self.doubt.get_or_insert(why);
    }

    /// `last`: whether nothing stands below it.
    fn hear(&mut self, sentence: &text::Sentence, last: bool, sent_on: Date, order: DateOrder) {
        if text::has_boxes(&sentence.original) {
            self.doubt("it holds boxes, blanks or words struck out");
        }
        if sentence.original.contains("for PT") {
            self.doubt("PT is the patient, or another treatment");
        }
        if text::has_link(&sentence.original) {
            self.doubt("it holds a link");
        }
        self.ticks |= sentence.listed || sentence.original.contains(['\u{2705}', '\u{2714}', '\u{2713}']);
        self.compare.born = text::birth_date(&sentence.original).or(self.compare.born.take());
        let (unnamed, names) = patient::unnamed(&sentence.original);
        self.compare.names.extend(names);
        let marked = dates::mark(&text::plain(&unnamed), sent_on, order);
        let mut quoted = false;
        let mut after_thanks = false;
        let clauses = clauses(&marked.text);
        for (at, clause) in clauses.iter().enumerate() {
            let last = last && at + 1 == clauses.len();
            let mut read = statements::read(clause);
            settle_appointment(&mut read, clause);
            if !statements::writes_doctors_as_names(clause, &sentence.original) {
                self.doubt("what stands behind a doctor's name may be a name, or another word");
            }
            if let Some(whom) = statements::greeted(clause) {
                self.compare.greets.extend(statements::words(whom).map(str::to_owned));
            }
            self.doctor |= clause.contains("dr ");
            let bare = clause.strip_prefix("unfortunately ").unwrap_or(clause);
            self.pronoun |= (bare.starts_with("she ") || bare.starts_with("he "))
                && read.meanings.contains(&Meaning::Says(ReplyOutcome::PatientDeclined));
            quoted |= read.hint.is_some() || read.meanings.iter().any(|meaning| *meaning != Meaning::Filler);
            if sentence.question && !asks_for_something(&read, clause) {
                self.doubt("it holds a question");
            }
            let courtesy = read.meanings == [Meaning::Filler];
            // `Received - Maria`: who writes.
            let signed = last && at > 0 && self.outcomes == [ReplyOutcome::Received] && !clause.contains(' ');
            if read.meanings.is_empty() && !((after_thanks || signed) && statements::could_be_a_name(clause, last)) {
                self.doubt("part of it was not understood");
            }
            if sentence.original.trim_end().ends_with(':') && !courtesy {
                self.doubt("something in it was left blank");
            }
            after_thanks = courtesy;
            self.place_days(&read, clause, &marked, sent_on);
            self.take(&read.meanings);
            self.outcomes.extend(read.hint.filter(|hint| !self.outcomes.contains(hint)));
            if self.with.is_none() {
                self.with = with_whom(&sentence.original);
            }
        }
        if quoted {
            self.quotes.push(sentence.original.clone());
        }
    }

    fn take(&mut self, meanings: &[Meaning]) {
        for meaning in meanings {
            match meaning {
                Meaning::Says(outcome) => {
                    if !self.outcomes.contains(outcome) {
                        self.outcomes.push(*outcome);
                    }
                }
                Meaning::Yes => self.yes = true,
                Meaning::No => self.no = true,
                Meaning::Pending => self.pending = true,
                Meaning::Review => self.review = true,
                Meaning::NotYet => self.not_yet = true,
                Meaning::Because => self.because = true,
                Meaning::Again => self.again = true,
                Meaning::Report => self.report = true,
                Meaning::Regret => self.regret = true,
                Meaning::Called => self.called = true,
                Meaning::Looked => self.doctor = true,
                Meaning::Left => self.left = true,
                Meaning::Unreached => self.unreached = true,
                Meaning::Appointment | Meaning::Filler => {}
            }
        }
    }

    /// A day belongs to what its clause says: an appointment to come, or something past that it dates.
    fn place_days(&mut self, read: &Clause, clause: &str, marked: &dates::Marked, sent_on: Date) {
        let days: Vec<&Day> = indices(clause, "@d").filter_map(|at| marked.days.get(at)).collect();
        let clocks: Vec<&dates::Clock> = indices(clause, "@t").filter_map(|at| marked.clocks.get(at)).collect();
        let says = |outcome| read.meanings.contains(&Meaning::Says(outcome)) || read.hint == Some(outcome);
        if says(ReplyOutcome::Scheduled) {
            if days.iter().any(|day| day.coming == Some(sent_on)) {
                self.doubt("it names the day on which it was written: that of the visit, or of the booking");
            }
            self.days.extend(days.into_iter().cloned());
            self.clocks.extend(clocks.into_iter().cloned());
        } else if says(ReplyOutcome::Received) || says(ReplyOutcome::Completed) || says(ReplyOutcome::NoShow) {
            if days.iter().any(|day| day.gone.is_none()) {
                self.doubt("something that happened has a date to come or no plain date");
            }
            self.compare.happened_on = days.iter().filter_map(|day| day.gone).chain(self.compare.happened_on).min();
            let earliest = sent_on.saturating_sub(DAYS_GONE_MAX.days());
            if days.iter().any(|day| day.gone.is_some_and(|gone| gone < earliest)) {
                self.doubt("it tells of something long ago");
            }
        } else if read.meanings == [Meaning::Pending] || (read.meanings == [Meaning::Report] && days.is_empty()) {
            // A day on which they will call is none of the visit, and the time to arrive is before it.
        } else if !days.is_empty() || !clocks.is_empty() {
            self.doubt("it names a date without saying what is on it");
        }
    }

    fn conclude(mut self, words: &str) -> Reply {
        let outcome = self.outcome();
        let appointment = self.appointment();
        if self.no && !matches!(outcome, Some(ReplyOutcome::NotReceived | ReplyOutcome::Declined)) {
            self.doubt("it says no, and it is not plain to what");
        }
        let over = [ReplyOutcome::Scheduled, ReplyOutcome::Completed];
        let done = outcome.is_some_and(|outcome| over.contains(&outcome));
        let only_yes = self.yes && self.outcomes.is_empty();
        self.weigh_what_goes_along(outcome);
        if self.not_yet
            || ((self.pending || self.review) && (done || only_yes))
            || (self.review && outcome != Some(ReplyOutcome::Received))
        {
            self.doubt("something in it is not done yet");
        }
        let against = [ReplyOutcome::NotReceived, ReplyOutcome::WrongRecipient];
        if self.yes && outcome.is_some_and(|outcome| against.contains(&outcome)) {
            self.doubt("it says yes and contradicts it");
        }
        if forwarded(words) {
            self.doubt("it holds a forwarded message");
        }
        let received = self.received(outcome);
        let Some(outcome) = outcome.filter(|_| self.doubt.is_none()) else {
            let why = self.doubt.unwrap_or("nothing in it answers the request");
            // Where nothing was understood, a person wants to see what there is.
            let quotes = if self.quotes.is_empty() { &[words.trim().to_owned()] } else { self.quotes.as_slice() };
            let compare = self.compare;
            return Reply { received, appointment, compare, ..unclear(outcome.or(self.outcomes.first().copied()), why, quotes) };
        };
        let reason = matches!(
            outcome,
            ReplyOutcome::Declined | ReplyOutcome::NeedsInformation | ReplyOutcome::Redirected | ReplyOutcome::PatientDeclined
        );
        let quote = quote(&self.quotes);
        Reply {
            reference: None,
            matched_by: None,
            answers: None,
            received,
            outcome,
            appointment,
            booking: None,
            reason: quote.clone().filter(|_| reason),
            quote,
            confidence: if self.outcomes.is_empty() { YES_CONFIDENCE } else { 0.97 },
            page: None,
            compare: self.compare,
        }
    }

    /// The appointment, where one day to come was named with it. What is not plain about it becomes the doubt.
    fn appointment(&mut self) -> Option<Appointment> {
        let mut days: Vec<Date> = self.days.iter().filter_map(|day| day.coming).collect();
        days.dedup();
        let mut times: Vec<_> = self.clocks.iter().filter_map(|clock| clock.time).collect();
        times.dedup();
        let doubt = self.days.iter().find_map(|day| day.doubt).or_else(|| self.clocks.iter().find_map(|clock| clock.doubt));
        if let Some(why) = doubt {
            self.doubt(why);
        }
        if days.len() > 1 || times.len() > 1 {
            self.doubt("it names two dates or times");
        }
        if days.is_empty() && !times.is_empty() {
            self.doubt("it names a time without a date");
        }
        if times.iter().any(|time| !OFFICE_HOURS.contains(&time.hour())) {
            self.doubt("it names a time of day at which no office sees anybody");
        }
        let day = *days.first()?;
        let at = match times.first() {
            Some(time) => IsoDate::parse(&format!("{day}T{}", time.strftime("%H:%M")))?,
            None => IsoDate::day(day),
        };
        Some(Appointment { at, with: self.with.take(), booking: Vec::new() })
    }
}

/// `appointment` alone says nothing; with a date it is a scheduled visit.
fn settle_appointment(read: &mut Clause, clause: &str) {
    let Some(at) = read.meanings.iter().position(|meaning| *meaning == Meaning::Appointment) else { return };
    if clause.contains("@d") {
        read.meanings[at] = Meaning::Says(ReplyOutcome::Scheduled);
    } else {
        read.meanings.clear();
    }
}

/// `Could you send the labs?` asks for something; any other question is one.
fn asks_for_something(read: &Clause, clause: &str) -> bool {
    let asked = ["can you", "could you", "would you", "please"].iter().any(|start| clause.contains(start));
    asked && read.meanings == [Meaning::Says(ReplyOutcome::NeedsInformation)]
}

fn indices<'a>(clause: &'a str, mark: &'a str) -> impl Iterator<Item = usize> + 'a {
    clause.split(mark).skip(1).filter_map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

fn forwarded(words: &str) -> bool {
    let lower = words.to_lowercase();
    [
        "forwarded message",
        "begin forwarded",
        "original message",
        "weitergeleitete nachricht",
        "message transféré",
        "mensaje reenviado",
    ]
    .iter()
    .any(|mark| lower.contains(mark))
}

/// `with Dr. Ames`, as it was written.
fn with_whom(original: &str) -> Option<String> {
    static WITH: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
        regex::Regex::new(r"\b[Ww]ith (?:[Dd]r\.?|DR\.?|[Dd]octor) ?(?P<name>[A-Z][\p{L}'-]*(?: [A-Z][\p{L}'-]+)?)")
            .expect("the pattern is fixed and compiles")
    });
    WITH.captures(original).map(|found| format!("Dr. {}", &found["name"]))
}

#[cfg(test)]
mod tests;
