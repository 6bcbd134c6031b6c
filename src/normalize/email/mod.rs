//! Mails: replies to our requests, automatic answers, bounces, referrals written or attached.
//!
//! [`read()`] takes a mail apart, [`normalize()`] says what it is. Both are pure. What is attached is handed back as parts: PDF and TIFF
//! for the reader and then `normalize::fax`, HL7 for `normalize::hl7`.
//!
//! # Design notes
//! A reply is matched by its token, which only this engine can make: in the address it was sent to, the subject, the Message-ID it
//! answers, or the text. A bare reference can be typed by anybody and so only proposes a match: [`MailOutcome::doubt`] then says why
//! a person must look, whatever the words say.
//!
//! Scanners and fax-to-mail services write as machines do (`Auto-Submitted`, no sender): a mail that brings a document or HL7 is no
//! automatic answer, whatever its headers say. Only a report (`multipart/report`) brings nothing but what was ours.

mod automatic;
mod banner;
mod beside;
mod bounce;
mod left_out;
mod read;
mod referral;
mod words;

use std::{collections::BTreeSet, sync::LazyLock};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use regex::Regex;

pub use self::{
    beside::{Beside, Sayings, beside},
    bounce::Report,
    read::{Mail, MailLimits, Part, read},
};
use super::{
    Bounce, DateOrder, Kind, Outcome,
    reply::{read_reply, says_yes_alone, subject_warns},
};
use crate::{
    compose::confirmation::IN_SUBJECTS,
    ids::DeliveryId,
    protocols::pages::picture_size,
    referral::{HeldReason, Problem, Record, Reference, Reply, ReplyOutcome, Token, TokenKey},
};

/// What the reading of a mail depends on beside the mail.
#[derive(Clone, Debug)]
pub struct MailRules<'a> {
    /// The key of our tokens; absent where none can be checked (`loopline try`): every match is then by reference.
    pub key: Option<&'a TokenKey>,
    /// The time of reading.
    pub now: Timestamp,
    /// The site's time zone.
    pub time_zone: &'a TimeZone,
    /// The site's region, ISO 3166: how dates and phone numbers are written.
    pub region: &'a str,
    /// The site, as it calls itself in its letters; empty where that is not known: then it is taken from the letter that is quoted.
    pub site_name: &'a str,
}

/// Why a reply must not move its referral although it was understood: the engine holds it as an unclear reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It carries a reference number, but no token: anybody can type one.
    ReferenceOnly,
    /// It carries a token, but comes from somebody who was not asked.
    UnexpectedSender,
    /// It names several referrals, and it is not plain which one it is about.
    SeveralReferrals,
    /// It brings documents or HL7, and they may say something else than its words.
    BringsDocuments,
}

impl Doubt {
    /// Why, in plain words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReferenceOnly => "the reply names the reference but carries no token of ours",
            Self::UnexpectedSender => "the reply comes from an address that was not asked",
            Self::SeveralReferrals => "the reply names several referrals",
            Self::BringsDocuments => "the reply brings documents, and they may say something else than its words",
        }
    }
}

/// What a mail turned out to be.
pub struct MailOutcome {
    /// The outcome of the mail's own words. With documents or HL7 attached and kind `unknown`, what is attached decides.
    pub outcome: Outcome,
    /// The token it carries, verified.
    pub token: Option<Token>,
    /// The referral it names by reference alone, well formed but forgeable.
    pub reference: Option<Reference>,
    /// Why a reply or its match goes to a person, whatever it says.
    pub doubt: Option<Doubt>,
    /// PDF and TIFF, to be read as faxes are.
    pub documents: Vec<Part>,
    /// HL7 v2 messages.
    pub hl7: Vec<Part>,
    /// Other attachments: kept with the mail, not read.
    pub others: Vec<Part>,
    /// What makes the same mail again the same. The channel is not in it.
    pub repeat_key: String,
    /// The address in From, lower case; empty where there is none.
    pub sender: String,
    /// All that it says, wherever that stands.
    pub said: Sayings,
    /// Whether something of it is not read: past a limit, or attached, and no logo, signature or visiting card.
    pub has_unread: bool,
}

impl MailOutcome {
    /// Compares the sender with those who were asked. From somebody else, a reply is as good as one with a bare reference.
    ///
    /// A colleague at the same practice (the same domain, unless it is one that anybody can have) is taken for who was asked.
    pub fn expect_sender(&mut self, asked: &[&str]) {
        let expected = asked.iter().any(|asked| same_desk(asked, &self.sender));
        if self.outcome.kind == Kind::Reply && self.doubt.is_none() && !expected {
            self.doubt = Some(Doubt::UnexpectedSender);
            if let Some(reply) = &mut self.outcome.reply {
                reply.matched_by = Some("reference".to_owned());
            }
        }
    }
}

/// Mail domains in which anybody has an address: the domain says nothing.
const PUBLIC_DOMAINS: [&str; 14] = [
    "gmail.com",
    "googlemail.com",
    "yahoo.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "msn.com",
    "aol.com",
    "icloud.com",
    "me.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "proton.me",
];

/// Whether a mail comes from the desk that was asked: the same address, or a colleague's at the same domain, unless anybody can have an
/// address there.
#[must_use]
pub fn same_desk(asked: &str, sender: &str) -> bool {
    let (asked, sender) = (asked.trim().to_ascii_lowercase(), sender.trim().to_ascii_lowercase());
    let domains = (asked.rsplit_once('@'), sender.rsplit_once('@'));
    let (Some((_, asked_domain)), Some((_, sender_domain))) = domains else { return false };
    asked == sender || (asked_domain == sender_domain && !PUBLIC_DOMAINS.contains(&asked_domain))
}

/// Says what a mail is.
#[must_use]
pub fn normalize(mail: &Mail, rules: &MailRules<'_>) -> MailOutcome {
    let found = Match::of(mail, rules.key);
    let mut outcome = classify(mail, &found, rules);
    outcome.problems = mail.problems.clone();
    let more = brings_more(mail).then_some(Doubt::BringsDocuments);
    let mut result = MailOutcome {
        doubt: match (outcome.kind, rules.key) {
            (Kind::Reply, Some(_)) => found.doubt().or(more),
            // Without a key there is never a token: of more use is what else there is.
            (Kind::Reply, None) => more.or_else(|| found.doubt()),
            _ => None,
        },
        outcome,
        token: found.token,
        reference: found.reference,
        documents: Vec::new(),
        hl7: Vec::new(),
        others: Vec::new(),
        repeat_key: mail.repeat_key.clone(),
        sender: mail.from.as_deref().unwrap_or_default().to_ascii_lowercase(),
        said: said(mail, rules.site_name),
        has_unread: false,
    };
    for part in &mail.parts {
        let kept = if part.is_document() {
            &mut result.documents
        } else if part.is_hl7() {
            &mut result.hl7
        } else {
            &mut result.others
        };
        kept.push(part.clone());
    }
    result.has_unread = mail.is_cut() || result.others.iter().any(|part| !says_nothing(part) && part.words().is_none());
    if !result.others.is_empty() {
        let problem = Problem::new(
            "attachment-not-read",
            "the mail has attachments other than PDF, TIFF, pictures of pages and HL7: they are kept, not read",
        );
        result.outcome.problems.push(problem);
    }
    result
}

/// The delivery in a Message-ID of ours that stands in a text: `TOKEN.DELIVERY@…`, in any case.
fn delivery_named(text: &str, token: &Token) -> Option<DeliveryId> {
    let text = text.to_ascii_uppercase();
    let begin = format!("{}.", token.as_str().to_ascii_uppercase());
    text.match_indices(&begin).find_map(|(at, found)| {
        let id = text.get(at + found.len()..)?.split(|symbol: char| !symbol.is_ascii_alphanumeric()).next()?;
        id.parse().ok()
    })
}

fn brings_documents(mail: &Mail) -> bool {
    mail.parts.iter().any(|part| part.is_document() || part.is_hl7())
}

/// Whether a mail brings anything that may say something, read or not: more than a logo, a signature or a visiting card.
fn brings_more(mail: &Mail) -> bool {
    brings_documents(mail) || mail.parts.iter().any(|part| !says_nothing(part))
}

/// A logo, a signature, a visiting card.
fn says_nothing(part: &Part) -> bool {
    const LOGO_BYTES_MAX: usize = 150_000;
    const LOGO_PIXELS_MAX: (u32, u32) = (700, 300);
    let logo = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"].contains(&part.media_type.as_str())
        && part.content.len() < LOGO_BYTES_MAX
            // A screenshot of a page is higher, and says something.
            && picture_size(&part.content).is_none_or(|(width, height)| {
                width.max(height) <= LOGO_PIXELS_MAX.0 && width.min(height) <= LOGO_PIXELS_MAX.1
            });
    logo || part.media_type.contains("signature") || part.media_type.contains("vcard")
}

/// All that a mail says, with what it quotes or passes on that is none of ours.
fn said(mail: &Mail, site_name: &str) -> Sayings {
    let own = std::iter::once(mail.words.clone()).chain(mail.left_out.rest(site_name)).collect::<Vec<_>>().join("\n");
    let attached = mail.parts.iter().filter_map(Part::words);
    Sayings {
        texts: [own, mail.shown.clone()].into_iter().chain(mail.within.iter().cloned()).chain(attached).collect(),
        subjects: std::iter::once(mail.subject.clone()).chain(mail.subjects_within.iter().cloned()).collect(),
        file_names: mail.parts.iter().filter_map(|part| part.name.clone()).collect(),
        is_automatic: mail.automatic.is_some(),
        is_important: mail.important,
        sender_name: mail.from_name.clone(),
    }
}

fn classify(mail: &Mail, found: &Match, rules: &MailRules<'_>) -> Outcome {
    if let Some(report) = &mail.bounce {
        let bounce = Bounce {
            recipient: report.recipient.clone(),
            permanent: report.permanent,
            status: report.status.clone(),
            // Only a token proves that what came back was ours.
            reference: found.token.as_ref().map(|token| token.reference().to_string()),
            delivery: found.token.as_ref().and_then(|token| delivery_named(&mail.all_text, token)),
        };
        return Outcome { bounce: Some(bounce), ..Outcome::of(Kind::Bounce) };
    }
    if mail.automatic.is_some() {
        return Outcome::of(if brings_documents(mail) { Kind::Unknown } else { Kind::AutoReply });
    }
    let today = rules.now.to_zoned(rules.time_zone.clone()).date();
    let order = DateOrder::of_region(rules.region);
    if let Some(reference) = &found.reference {
        return Outcome { reply: Some(reply(mail, found, reference, sent_on(mail, today), rules)), ..Outcome::of(Kind::Reply) };
    }
    match referral::read(&mail.words, &mail.subject, order, today, rules.region) {
        Some(mut record) => {
            if mail.problems.iter().any(|problem| problem.code == read::WRONG_LETTERS) {
                mark_names(&mut record);
            }
            if mail.words.lines().any(super::death::is_stated) {
                hold_as_deceased(&mut record);
            }
            Outcome::referral(record)
        }
        None => Outcome::of(Kind::Unknown),
    }
}

/// Nobody writes to a patient of whom a mail says that they are dead.
fn hold_as_deceased(record: &mut Record) {
    record.patient.deceased = Some(true);
    let text = "the mail says that the patient is dead: a person must look";
    record.problems.push(Problem::at("patient-deceased", "patient.deceased", text));
    record.hold(HeldReason::Deceased);
}

/// A name with letters that were guessed is for a person to look at.
fn mark_names(record: &mut Record) {
    let name = &record.patient.name;
    let guessed = [("patient.name.family", &name.family), ("patient.name.given", &name.given)]
        .into_iter()
        .filter(|(_, value)| value.as_ref().is_some_and(|value| !value.is_ascii()));
    let paths: Vec<&str> = guessed.map(|(path, _)| path).collect();
    for path in paths {
        record.mark(path);
    }
}

fn reply(mail: &Mail, found: &Match, reference: &Reference, sent_on: Date, rules: &MailRules<'_>) -> Reply {
    let order = DateOrder::of_region(rules.region);
    let mut reply = read_reply(&mail.words, sent_on, order);
    let of_subject = read_reply(&own_subject(&mail.subject), sent_on, order).compare;
    reply.compare.born = reply.compare.born.or(of_subject.born);
    reply.reference = Some(reference.to_string());
    reply.matched_by = Some(if found.token.is_some() { "token" } else { "reference" }.to_owned());
    reply.answers = found.token.as_ref().and_then(|token| mail.answers.iter().find_map(|id| delivery_named(id, token)));
    let passed_on = mail.forwarded || is_forward(&mail.subject);
    let why = if found.several {
        Some(Doubt::SeveralReferrals.as_str())
    } else {
        let to_a_line = mail.below_quotes && says_yes_alone(&reply);
        passed_on
            .then_some("the mail passes on another one")
            .or_else(|| subject_differs(&mail.subject, &reply, sent_on, order).then_some("its subject says something else"))
            .or(to_a_line.then_some("it says yes below what it quotes, perhaps to a line of that"))
            .or_else(|| {
                mail.left_out
                    .says_more(reply.outcome, rules.site_name, sent_on, order)
                    .then_some("what it quotes, or what stands below its signature, is not our letter and may say something too")
            })
            .or_else(|| mail.left_out.names_another(reference).then_some("it quotes a letter about another referral"))
            .or_else(|| names_no_referral(mail).then_some("it names a reference that is none of ours"))
            .or_else(|| shows_otherwise(mail, &reply, sent_on, order).then_some("its text and its HTML say different things"))
    };
    if let Some(why) = why.filter(|_| reply.outcome != ReplyOutcome::Unclear) {
        let reading =
            serde_json::to_value(reply.outcome).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
        reply.reason = Some(format!("best reading: {reading}; but {why}"));
        reply.outcome = ReplyOutcome::Unclear;
        reply.confidence = 0.5;
    }
    reply
}

/// Whether the HTML, which is what people see, says something else than the plain text beside it, which was read, or cannot be told.
fn shows_otherwise(mail: &Mail, reply: &Reply, sent_on: Date, order: DateOrder) -> bool {
    if mail.shown.trim().is_empty() {
        return false;
    }
    let shown = read_reply(&mail.shown, sent_on, order);
    shown.outcome != reply.outcome || shown.appointment != reply.appointment || words::is_struck_out(&mail.shown)
}

/// Whether the own words name a referral by what is no reference of ours.
fn names_no_referral(mail: &Mail) -> bool {
    REFERENCE.find_iter(&mail.words).any(|found| found.as_str().parse::<Reference>().is_err())
}

/// What a subject says beside what we wrote into it, in small letters.
fn own_subject(subject: &str) -> String {
    static AROUND: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"\breferral ll-[0-9a-z]{4}-[0-9a-z]{4}\b:?|\[(?:ll-|external|ext|spam|suspicious|secure|encrypt|ticket|ref:|case)[^\]]*\]?|\b(?:re|aw|sv|antw|external|ext)\s*:",
        )
        .expect("the pattern is fixed and compiles")
    });
    let lower = subject.to_lowercase();
    let own = AROUND.replace_all(&lower, " ");
    let mut own = REFERENCE.replace_all(&own, " ").into_owned();
    for ours in IN_SUBJECTS {
        own = own.replacen(ours, " ", 1);
    }
    own.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}

/// Whether the subject says something of its own that is not what the mail says.
fn subject_differs(subject: &str, reply: &Reply, sent_on: Date, order: DateOrder) -> bool {
    if subject.contains('?') {
        // Ours ask nothing.
        return true;
    }
    let own = own_subject(subject);
    let read = read_reply(&own, sent_on, order);
    let said = read.outcome;
    let dated = read.appointment.is_some() && read.appointment != reply.appointment;
    if said == reply.outcome && !dated {
        return false;
    }
    dated || (said != ReplyOutcome::Unclear && said != ReplyOutcome::Received) || subject_warns(&own)
}

fn is_forward(subject: &str) -> bool {
    let subject = subject.trim_start().to_lowercase();
    ["fwd:", "fw:", "wg:", "tr:", "rv:"].iter().any(|mark| subject.starts_with(mark))
}

/// The day the writer wrote, by their Date header unless that cannot be (to come, or long gone).
fn sent_on(mail: &Mail, today: Date) -> Date {
    let earliest = today.saturating_sub(400.days());
    let latest = today.saturating_add(1.day());
    mail.sent_on.filter(|date| (earliest..=latest).contains(date)).unwrap_or(today)
}

/// Which referral a mail is about.
struct Match {
    token: Option<Token>,
    reference: Option<Reference>,
    several: bool,
}

static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)ll-[0-9a-z]{4}-[0-9a-z]{4}-[a-z2-7]{16}").expect("the pattern is fixed and compiles"));
static REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\bLL[- ]?[0-9A-Z]{4}[- ]?[0-9A-Z]{4}\b").expect("the pattern is fixed and compiles"));

impl Match {
    /// The address it was sent to counts first, then the subject, then what it answers, then its text with all that it quotes.
    fn of(mail: &Mail, key: Option<&TokenKey>) -> Self {
        let places = [mail.to.join("\n"), mail.subject.clone(), mail.answers.join("\n"), mail.all_text.clone()];
        let tokens = |text: &str| -> Vec<Token> {
            TOKEN.find_iter(text).take(50).filter_map(|found| key?.verify(found.as_str())).collect()
        };
        let references = |text: &str| -> BTreeSet<Reference> {
            REFERENCE.find_iter(text).take(50).filter_map(|found| found.as_str().parse().ok()).collect()
        };
        let token = places.iter().find_map(|place| tokens(place).into_iter().next());
        let mut about: BTreeSet<Reference> = references(&mail.words);
        about.extend(references(&mail.subject));
        about.extend(tokens(places.first().map_or("", String::as_str)).iter().map(|token| token.reference().clone()));
        let reference = match &token {
            Some(token) => Some(token.reference().clone()),
            None => places.iter().find_map(|place| references(place).into_iter().next()),
        };
        about.extend(reference.clone());
        Self { token, reference, several: about.len() > 1 }
    }

    fn doubt(&self) -> Option<Doubt> {
        if self.several {
            return Some(Doubt::SeveralReferrals);
        }
        self.token.is_none().then_some(Doubt::ReferenceOnly)
    }
}

#[cfg(test)]
mod tests;
