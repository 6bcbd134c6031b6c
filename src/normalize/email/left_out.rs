//! Whether what was left out of a mail's own words says something all the same.
//!
//! What a mail quotes and what stands below its signature is not read as the answer. But it is looked at: all of it must be our own letter,
//! headers, what gateways and lawyers add, a signature, or an earlier word that it was received. Anything else may be what the answer is to
//! ("On Wednesday Dr. Ames wrote: we can not take her", and above it "Confirmed"), and then a person reads the mail.
//!
//! # Design notes
//! Mail programs break lines anew and put marks before them, and some cut the quoted letter off. So our letters are known sentence by
//! sentence, over any line breaks; but their list of example answers only as a whole, because one of them alone is somebody's answer.
//! `tests` quotes letters that `compose` makes, so that the two stay together.

use std::sync::LazyLock;

use jiff::civil::Date;
use regex::Regex;

use super::{
    banner::{ADDRESS, is_banner},
    words::{self, Own, fixed},
};
use crate::{
    normalize::{
        DateOrder,
        reply::{has_contact, is_around_a_name, is_courtesy, is_signature_line, read_reply, says_nothing, subject_warns},
    },
    referral::{Reference, ReplyOutcome},
};

/// More than this is not looked through: a person reads the mail.
const TEXT_BYTES_MAX: usize = 262_144;

/// What was left out of a mail's own words.
#[derive(Clone, Debug, Default)]
pub(super) struct LeftOut {
    quoted: String,
    below: String,
}

impl LeftOut {
    /// Adds what was left out of one text.
    pub(super) fn add(&mut self, own: &Own) {
        self.add_quoted(&own.quoted);
        self.below.push_str(&own.below);
        self.below.push_str("\n\n");
    }

    /// Adds text that an HTML mail quotes.
    pub(super) fn add_quoted(&mut self, text: &str) {
        self.quoted.push_str(text);
        self.quoted.push_str("\n\n");
    }

    /// Whether it quotes a letter of another referral.
    pub(super) fn names_another(&self, reference: &Reference) -> bool {
        super::REFERENCE
            .find_iter(&self.quoted)
            .any(|found| found.as_str().parse::<Reference>().is_ok_and(|other| other != *reference))
    }

    /// The lines of it that are neither ours, nor heads, nor what stands around a mail or in a signature.
    pub(super) fn rest(&self, site_name: &str) -> Vec<String> {
        let below = lines_of(&self.below);
        let said = below
            .iter()
            .enumerate()
            .filter(|(at, line)| !is_of_a_signature(line, has_contact(below.get(at + 1..).unwrap_or_default())) && !is_name(line))
            .map(|(_, line)| line.clone());
        said.chain(not_ours(&self.quoted, site_name)).collect()
    }

    /// Whether any of it may say what the answer is to, or something else than the answer. `outcome`: what the own words come to.
    pub(super) fn says_more(&self, outcome: ReplyOutcome, site_name: &str, sent_on: Date, order: DateOrder) -> bool {
        if self.quoted.len() + self.below.len() > TEXT_BYTES_MAX {
            return true;
        }
        let below = lines_of(&self.below);
        // What has no name in its first line is no signature.
        let begins = below
            .first()
            .is_none_or(|first| is_signature_line(first) || stands_around(first) || is_name(first) || is_courtesy(first));
        if !begins
            || below
                .iter()
                .enumerate()
                .any(|(at, line)| !is_of_a_signature(line, has_contact(below.get(at + 1..).unwrap_or_default())))
        {
            return true;
        }
        let rest = not_ours(&self.quoted, site_name);
        if rest.is_empty() {
            return false;
        }
        // An earlier word of the same desk, that it has it.
        let earlier = read_reply(&rest.join("\n"), sent_on, order);
        let (earlier, names_nobody) = (earlier.outcome, earlier.compare.names.is_empty());
        let goes_on = [ReplyOutcome::Accepted, ReplyOutcome::Scheduled, ReplyOutcome::Completed].contains(&outcome);
        let booked = earlier == ReplyOutcome::Scheduled && [ReplyOutcome::NoShow, ReplyOutcome::Completed].contains(&outcome);
        !(names_nobody && (earlier == ReplyOutcome::Received || (earlier == ReplyOutcome::Accepted && goes_on) || booked))
    }
}

/// The sentences of our letters (`compose::confirmation`), without the name of the site; `{}` stands for what else differs. A blank is any
/// white space.
const OURS: &[&str] = &[
    "Please answer this mail in your own words, above this text. For example: Received. Received, booked for 12/14/2026 at 10:30 am. We \
     accept, will call the patient. We decline this referral because ... Please send the labs. Wrong clinic. One answer with one date is \
     enough.",
    "Please leave the subject as it is: it tells us which referral you mean.",
    "Please leave the subject as it is when you answer: it tells us which referral you mean.",
    "sent you a patient referral ({}).",
    "sent you a patient referral.",
    "received your referral.",
    "A referral that you have from us has changed. It is not a new referral: please replace what you have under this reference.",
    "The cover page and the referral's pages are attached.",
    "The cover page is attached. The referral's pages come by fax, not by this mail.",
    "The cover page is attached. The referral's pages may not go by this mail: please answer with a fax number for them.",
    "The sender asks to cancel a referral that you have from us.",
    "A referral that you have from us is the same as another referral. Please go on with another referral only.",
    "A referral that you have from us is the same as . Please go on with only.",
    "A referral that you have from us is withdrawn.",
    "A referral that you have from us now goes to another practice.",
    "Please do not book it, and tell us that you know.",
    "Nothing more is needed from you now.",
    "Attachments: cover-page.pdf",
    "[Attachment(s) removed: cover-page.pdf]",
    "Reference:",
    "Patient (initials): not known",
    "Patient (initials):{initials}",
    "Priority: urgent",
    "Priority: STAT",
];

static LETTER: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let word = |word: &str| regex::escape(word).replace(r"\{\}", r"[^\s]{1,40}").replace('\'', "['\u{2019}]");
    let pattern = |sentence: &str| {
        // Names of specialties have several words.
        let words: Vec<String> = sentence.replace("({})", "(\u{1})").split_whitespace().map(word).collect();
        words.join(r"\s+").replace('\u{1}', "[^()\n]{1,80}").replace(r"\{initials\}", r"(?:\s?[\p{L}\d]\.){1,5}")
    };
    OURS.iter().map(|sentence| fixed(&format!(r"(?i)(?:\b|^|\s){}", pattern(sentence)))).collect()
});

/// Who our letter says that it is from, for whom the site's name is not known.
static SIGNED: LazyLock<Regex> =
    LazyLock::new(|| fixed(r"(?im)^\W*(?P<site>[^\n]{1,80}?)\s+(?:sent you a patient referral|received your referral)\b"));

/// A head of a quoted mail.
static HEAD: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)^\W*(?:from|sent|to|cc|bcc|date|reply-to|importance|priority|attachments?|von|gesendet|an|datum|de|envoyé|à|fecha|enviado(?: el)?|para|desde)\s?:",
    )
});
static SUBJECT: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?i)^\W*(?:subject|betreff|objet|asunto)\s?:(?P<text>.*)$"));

/// The lines of a paragraph, up to where lawyers begin to speak.
fn spoken(paragraph: &str) -> Vec<&str> {
    let lines: Vec<&str> = paragraph.lines().collect();
    let begins = |line: &str| words::DISCLAIMER.is_match(line) || words::is_of_lawyers(line);
    let at = lines.iter().position(|line| begins(line)).unwrap_or(lines.len());
    let (before, theirs) = lines.split_at(at);
    if words::is_of_lawyers(&theirs.join(" ")) { before.to_vec() } else { lines }
}

fn lines_of(text: &str) -> Vec<String> {
    let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    paragraphs
        .flat_map(spoken)
        .map(|line| line.trim().to_owned())
        .filter(|line| line.chars().any(char::is_alphanumeric))
        .collect()
}

/// Whether a line below the one that begins a signature says nothing of the referral.
fn is_of_a_signature(line: &str, drawn_up: bool) -> bool {
    static SLOGAN: LazyLock<Regex> = LazyLock::new(|| {
        fixed(r"(?i)^\W*(?:please )?(?:consider|think of) the environment before printing[a-z -]*\W*$|^\W*virus-free\b.{0,60}$")
    });
    stands_around(line)
        || is_courtesy(line)
        || SLOGAN.is_match(line)
        || is_signature_line(line)
        || is_around_a_name(line, drawn_up)
}

/// What programs and gateways write around a mail.
fn stands_around(line: &str) -> bool {
    words::SENT_FROM.is_match(line) || words::is_rule(line) || is_banner(line)
}

/// Whether each word of a line begins like a name, and none says anything.
fn is_name(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.all(|word| word.chars().next().is_some_and(|first| first.is_uppercase() || !first.is_alphabetic()))
        && says_nothing(line)
}

/// The lines of quoted text that are neither our letter nor what stands around one.
fn not_ours(quoted: &str, site_name: &str) -> Vec<String> {
    let quoted: Vec<&str> = quoted.lines().map(str::trim).collect();
    let mut lines: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(line) = quoted.get(at) {
        if let Some(after) = words::attribution(&quoted, at) {
            at = after;
            continue;
        }
        at += 1;
        let head = || HEAD.is_match(line) && is_head(&quoted, at - 1);
        if line.is_empty() {
            lines.push(String::new());
        } else if let Some(subject) = SUBJECT.captures(line) {
            let own = super::own_subject(subject.name("text").map_or("", |text| text.as_str()));
            lines.extend(subject_warns(&own).then_some(own));
        } else if !head() && !words::ORIGINAL.is_match(line) && !words::FORWARDED.is_match(line) {
            let line = super::REFERENCE.replace_all(&super::TOKEN.replace_all(line, " "), " ").into_owned();
            let besides = ADDRESS.replace_all(&line, " ").trim().to_owned();
            // An address, and whose it is: the rest of a head that was broken.
            lines.extend((!line.contains('@') || !is_name(&besides)).then_some(besides));
        }
    }
    let mut text = lines.join("\n");
    let signed = SIGNED.captures(&text).filter(|_| site_name.is_empty()).map(|found| found["site"].to_owned());
    let site_name = signed.as_deref().unwrap_or(site_name);
    let site: Vec<String> = site_name.split_whitespace().map(regex::escape).collect();
    if let Ok(site) = Regex::new(&format!(r"(?i)\b{}", site.join(r"\s+")))
        && !site_name.trim().is_empty()
    {
        text = site.replace_all(&text, " ").into_owned();
    }
    for sentence in LETTER.iter() {
        text = sentence.replace_all(&text, "\n").into_owned();
    }
    lines_of(&text)
        .into_iter()
        .filter(|line| {
            !(stands_around(line)
                || line.trim_matches(|c: char| !c.is_alphanumeric()).eq_ignore_ascii_case("referral")
                || is_signature_line(line)
                || is_courtesy(line))
        })
        .collect()
}

/// Whether a line is one of several heads, one below the other.
fn is_head(lines: &[&str], at: usize) -> bool {
    let is = |at: Option<usize>| {
        at.and_then(|at| lines.get(at)).is_some_and(|line| HEAD.is_match(line) || SUBJECT.is_match(line) || line.contains('@'))
    };
    is(at.checked_sub(1)) || is(Some(at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says_more(mail: &str, outcome: ReplyOutcome) -> bool {
        let mut left_out = LeftOut::default();
        left_out.add(&words::own_words(mail));
        left_out.says_more(outcome, "Elm Street Clinic", Date::constant(2026, 11, 21), DateOrder::MonthFirst)
    }

    #[test]
    fn what_is_quoted_and_not_ours_may_be_what_the_answer_is_to() {
        for mail in [
            "> Wrong clinic.\nConfirmed.",
            "> We decline this referral because ...\nReceived.",
            "Received.\n\nOn Wednesday Dr. Ames wrote:\nWe can not see this patient. Please refer elsewhere.",
            "Received.\n\nFrom: Dr. Ames <ames@alder-heart.example>\nSent: Thursday\nTo: Desk\n\nWe should decline this one.",
            "Received.\n\n-----Original Message-----\nFrom: Dr. Ames\n\nDecline please",
            "Received\n| but not accepted |",
            "Received.\n\nFrom: Ames\nSent: Thursday\n\nI would pass on this one\nConfidentiality notice: this is for the intended recipient. Disclosure is prohibited.",
            "Received.\n\nFrom: Ames\nSent: Thursday\n\nDelete this one, I am not seeing her again.",
            "Received.\n\nFrom: Ames\nSent: Thursday\n\nThis goes to ep-clinic@providence.example",
            "Received.\n\nFrom: Ames\nSent: Thursday\n\nWrong recipient",
            "Received.\n\nFrom: Susan Ames <ames@alder-heart.example>\nSent: Thursday\nTo: Desk\n\nCan't take this one, please notify the family.",
            "Received.\n\nFrom: Susan Ames <ames@alder-heart.example>\nSent: Thursday\nTo: Desk\n\nI think this was intended for Dr. Wong.",
            "Scheduled 12/14/2026\n> pending auth",
            "Received.\n> DOB 1/2/1933",
            "Received\n\nFrom: Desk\nSent: Thursday\nSubject: declined\n\nElm Street Clinic sent you a patient referral.",
        ] {
            assert!(says_more(mail, ReplyOutcome::Received), "{mail}");
        }
    }

    #[test]
    fn words_below_a_signature_count() {
        for mail in [
            "Received.\n--\nPatient needs labs first.",
            "Received.\n-- \nWe decline.",
            "Accepted.\n--\nBut only after 3/1",
            "Received\n-----\nDeclined",
            "Received.\n-----\nRefer to Rheumatology",
            "Received.\n--\nOutside of our service area",
            "Received.\n--\nDOB 1/2/1933",
            "Received.\n-- \nMaria Gomez\nDOB 1/2/1933",
            "Accepted.\n\n----------\nNote to file: family goes to Kaiser",
            "Received.\n----------\nInternal note: route to EP",
            "Accepted.\n\nConfidentiality notice: if you are not the intended recipient, delete it.\n\nNot accepted, see our fax.",
        ] {
            assert!(says_more(mail, ReplyOutcome::Accepted), "{mail}");
        }
    }

    #[test]
    fn signatures_heads_banners_and_an_earlier_receipt_say_nothing_more() {
        for mail in [
            "Received.\n-- \nMaria Gomez\nScheduling Desk | Cardio Clinic\nFax 503-555-0100\nCaring for your heart\nwww.cardio.example\n\n\
             This message is intended for the recipient. Disclosure is prohibited.\n\nPlease consider the environment before printing this e-mail",
            "Booked for 12/14/2026.\n\nOn Fri, Nov 20, 2026 Maria Gomez <desk@cardio.example> wrote:\n> Received, thanks.\n> Maria\n>\n\
             >> On Thu, Nov 19, 2026 Elm Street Clinic <r@clinic.example> wrote:\n>> Hello,\n>> Elm Street\n>> Clinic sent you a patient\n>> referral (sleep medicine).\n>>",
            "Received.\n\nFrom: Elm Street Clinic <r@clinic.example>\nSent: Friday\nTo: Desk <desk@cardio.example>;\nZweitdesk <zweit@cardio.example>\n\
             Subject: RE: Referral LL-0000-0000: please confirm receipt\n\nYou don't often get email from r@clinic.example. Learn why this is important\n\
             CAUTION: External Email - Do not click links or open attachments unless you know the sender.\n\
             ZjQcmQRYFpfptBannerStart\nThis Message Is From an External Sender\nThis message came from outside your organization.\nReport Suspicious\n\
             ZjQcmQRYFpfptBannerEnd\n\nHello,\n\
             Patient (initials): Z. C.\nPriority: urgent\nThank you,\nElm Street Clinic",
        ] {
            assert!(!says_more(mail, ReplyOutcome::Scheduled), "{mail}");
        }
    }
}
