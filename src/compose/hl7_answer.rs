//! The answer to an HL7 message on its own connection: ACK or RRI, in the sender's version, delimiters and character set.
//!
//! # Design notes
//! A positive answer says that the message is durable, so its bytes cannot be had without a [`Receipt`]: "acknowledged
//! before stored" does not compile. Only the store's own transaction, which keeps the answer beside the message, may look
//! at them earlier. Errors are always an ACK: an RRI requires PRD and PID, which a refused message may lack, and has no ERR.
//!
//! In enhanced mode the accept acknowledgement is all that is answered on the message's connection; the application acknowledgement is
//! a new exchange that we begin ([`application`]), where the channel has a way to the sender, also where it is the only one that is wanted
//! (MSH-15 NE). Where it has none, or the message does not ask for one, a message that fails is answered CE rather than CA, so that its
//! sender learns of it.

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    config::{AcknowledgeMode, PositiveAnswer},
    normalize::{
        Kind,
        hl7::{Condition, Header, Hl7Message, Refusal, RefusalLevel, Warning, code_text},
    },
    protocols::hl7::{Writer, decoded},
    referral::{Reference, Status},
    store::Receipt,
};

/// How a channel answers.
#[derive(Clone, Debug)]
pub struct AnswerSettings {
    /// By MSH-15/16, or one mode for all.
    pub mode: AcknowledgeMode,
    /// What a good REF is answered with.
    pub positive: PositiveAnswer,
    /// Our MSH-3 where the sender's MSH-5 is empty.
    pub application: String,
    /// Our MSH-4 where the sender's MSH-6 is empty.
    pub facility: String,
    /// MSA-4, where the channel counts its messages: the number of the one answered, or the one expected.
    pub sequence: Option<i64>,
    /// Whether an application acknowledgement can follow later, on a connection that we begin.
    pub can_follow: bool,
}

impl Default for AnswerSettings {
    fn default() -> Self {
        Self {
            mode: AcknowledgeMode::Auto,
            positive: PositiveAnswer::RRI,
            application: "LOOPLINE".to_owned(),
            facility: String::new(),
            sequence: None,
            can_follow: false,
        }
    }
}

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    /// It is stored, and is of this kind.
    Accepted {
        /// What it turned out to be: a referral is answered by an RRI.
        kind: Kind,
        /// What its sender should mend.
        warnings: &'a [Warning],
        /// What no code says of what became of it, in plain words and without patient data: NTE-3 of an RRI, MSA-3 of an ACK.
        remark: Option<&'a str>,
    },
    /// It is refused, or could not be stored ([`Refusal::try_later`]).
    Refused(&'a Refusal),
}

/// The answer to one message.
pub enum Answer {
    /// It says that the message is stored.
    Positive(SealedAnswer),
    /// It says that the message was not taken: it promises nothing, so it needs no proof.
    Negative(Vec<u8>),
    /// None is owed: it is an acknowledgement itself, or MSH-15/16 want none.
    None,
}

/// A positive answer that nobody can send before the message is durable.
pub struct SealedAnswer(Bytes);

impl SealedAnswer {
    /// Gives the bytes in exchange for the proof that the message is durable.
    #[must_use]
    pub fn release(self, _: &Receipt) -> Bytes {
        self.0
    }

    /// The bytes, to be stored in the same transaction as the message they answer. Never to be sent from here.
    pub(crate) fn stored(&self) -> &Bytes {
        &self.0
    }
}

/// The referral that an RRI speaks of, as it stands here.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Our number for it: RF1-11.
    pub reference: &'a Reference,
    /// Its status: RF1-1.
    pub status: Status,
}

/// Composes the answer. Pure: the time and the control id of the answer are passed in.
#[must_use]
pub fn answer(
    header: &Header,
    verdict: Verdict<'_>,
    settings: &AnswerSettings,
    standing: Option<Standing<'_>>,
    control_id: &str,
    now: Timestamp,
) -> Answer {
    let follows = follows(header, settings, verdict);
    let success = follows || matches!(verdict, Verdict::Accepted { .. });
    let Some(level) = level(header, settings.mode, success, follows) else { return Answer::None };
    let time = timestamp(now);
    let composer = Composer { header, settings, level, control_id, time: &time, conditions: None };
    match verdict {
        // What is wrong with it is told later; that it is stored is told now.
        Verdict::Refused(_) if follows && level == Level::Accept => {
            Answer::Positive(SealedAnswer(composer.accepted(&[], None).into()))
        }
        Verdict::Refused(refusal) => Answer::Negative(composer.refused(refusal)),
        Verdict::Accepted { kind, warnings, remark } => {
            Answer::Positive(SealedAnswer(composer.positive(kind, warnings, standing, remark).into()))
        }
    }
}

/// The application acknowledgement that follows the accept acknowledgement as a message of our own, AA or AE: it asks for an accept
/// acknowledgement and for nothing else. None: the message asks for none, or was answered whole on its own connection.
#[must_use]
pub fn application(
    header: &Header,
    verdict: Verdict<'_>,
    settings: &AnswerSettings,
    standing: Option<Standing<'_>>,
    control_id: &str,
    now: Timestamp,
) -> Option<Vec<u8>> {
    if !follows(header, settings, verdict) {
        return None;
    }
    let time = timestamp(now);
    let level = Level::Application;
    let composer = Composer { header, settings, level, control_id, time: &time, conditions: Some(["AL", "NE"]) };
    Some(match verdict {
        Verdict::Refused(refusal) => composer.refused(refusal),
        Verdict::Accepted { kind, warnings, remark } => composer.positive(kind, warnings, standing, remark),
    })
}

/// Whether the application acknowledgement follows on a connection of ours, whatever is answered before it. What is not for us at all (its
/// type, its version) is refused at once, and an answer is never answered.
fn follows(header: &Header, settings: &AnswerSettings, verdict: Verdict<'_>) -> bool {
    let is_enhanced = match (settings.mode, header.accept) {
        (AcknowledgeMode::Original, _) | (AcknowledgeMode::Auto, Condition::Unset) => false,
        (AcknowledgeMode::Enhanced, Condition::Unset) => true,
        (
            AcknowledgeMode::Auto | AcknowledgeMode::Enhanced,
            Condition::Always | Condition::Never | Condition::OnError | Condition::OnSuccess,
        ) => true,
    };
    let wanted = |success| header.application != Condition::Unset && header.application.wants(success);
    let due = match verdict {
        Verdict::Accepted { .. } => wanted(true),
        Verdict::Refused(refusal) => refusal.level == RefusalLevel::Error && wanted(false),
    };
    settings.can_follow && is_enhanced && due && !header.is_acknowledgement() && !header.answers
}

/// Whether it is answered by an RRI. A status request always is: an ACK cannot say the status.
fn has_response(header: &Header, kind: Kind, settings: &AnswerSettings) -> bool {
    let wanted = settings.positive == PositiveAnswer::RRI || header.event == "I15";
    kind == Kind::Referral && header.message_type == "REF" && wanted
}

fn timestamp(now: Timestamp) -> String {
    now.strftime("%Y%m%d%H%M%S+0000").to_string()
}

/// RF1-1 by HL7 table 0283, which knows no cancelled, scheduled or seen: what the specialist has decided, and nothing the sender asked.
pub(super) fn referral_status(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Accepted | Status::Scheduled | Status::NoShow | Status::Completed | Status::Closed => ("A", "Accepted"),
        Status::Declined | Status::Cancelled => ("R", "Rejected"),
        Status::Expired => ("E", "Expired"),
        Status::New
        | Status::Requested
        | Status::Confirmed
        | Status::NeedsInformation
        | Status::Redirected
        | Status::CancelRequested => ("P", "Pending"),
    }
}

/// The answer as `loopline try` prints it: what only the store and the clock can give (reference, time, control id) is `-`.
#[must_use]
pub fn preview(message: &Hl7Message, settings: &AnswerSettings) -> Option<String> {
    let header = &message.header;
    let verdict = match &message.refusal {
        Some(refusal) => Verdict::Refused(refusal),
        None => Verdict::Accepted { kind: message.outcome.kind, warnings: &message.warnings, remark: None },
    };
    let follows = follows(header, settings, verdict);
    let level = level(header, settings.mode, follows || message.refusal.is_none(), follows)?;
    let composer = Composer { header, settings, level, control_id: "-", time: "-", conditions: None };
    let bytes = match &message.refusal {
        Some(_) if follows && level == Level::Accept => composer.accepted(&[], None),
        Some(refusal) => composer.refused(refusal),
        None if level == Level::Application && has_response(header, message.outcome.kind, settings) => {
            composer.response(None, None)
        }
        None => composer.accepted(&message.warnings, None),
    };
    let text = decoded(&bytes).replace('\r', "\n");
    Some(text.trim_end().to_owned())
}

/// The answer to a frame that never became a message (cut off, too large), as far as its MSH can be read.
#[must_use]
pub fn refuse_fragment(
    body: &[u8],
    refusal: &Refusal,
    settings: &AnswerSettings,
    control_id: &str,
    now: Timestamp,
) -> Option<Vec<u8>> {
    let header = Header::of_fragment(body).ok()?;
    match answer(&header, Verdict::Refused(refusal), settings, None, control_id, now) {
        Answer::Negative(bytes) => Some(bytes),
        Answer::Positive(_) | Answer::None => None,
    }
}

/// Which acknowledgement is given on the message's own connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// AA, AE, AR.
    Application,
    /// CA, CE, CR.
    Accept,
}

/// None: no acknowledgement is wanted here. `follows`: the application acknowledgement comes later, on a connection of ours.
fn level(header: &Header, mode: AcknowledgeMode, success: bool, follows: bool) -> Option<Level> {
    if header.is_acknowledgement() {
        return None;
    }
    let accept = match (header.accept, mode) {
        (Condition::Unset, AcknowledgeMode::Enhanced) => Condition::Always,
        (stated, _) => stated,
    };
    match mode {
        AcknowledgeMode::Original => Some(Level::Application),
        AcknowledgeMode::Auto | AcknowledgeMode::Enhanced => match accept {
            // Where it cannot follow, the application acknowledgement that is asked for alone goes back on the same connection.
            Condition::Unset | Condition::Never => {
                let silent = accept == Condition::Never && (follows || header.application == Condition::Unset);
                (!silent && header.application.wants(success)).then_some(Level::Application)
            }
            Condition::Always | Condition::OnError | Condition::OnSuccess if accept.wants(success) => Some(Level::Accept),
            // No accept acknowledgement is due (ER and all is well): the application one comes here where it cannot come later.
            Condition::Always | Condition::OnError | Condition::OnSuccess => {
                let due = header.application != Condition::Unset && header.application.wants(success);
                (due && !follows).then_some(Level::Application)
            }
        },
    }
}

struct Composer<'a> {
    header: &'a Header,
    settings: &'a AnswerSettings,
    level: Level,
    control_id: &'a str,
    time: &'a str,
    /// MSH-15 and MSH-16, where the answer is a message of our own.
    conditions: Option<[&'a str; 2]>,
}

impl Composer<'_> {
    fn positive(&self, kind: Kind, warnings: &[Warning], standing: Option<Standing<'_>>, remark: Option<&str>) -> Vec<u8> {
        match (self.level, standing) {
            (Level::Application, Some(standing)) if has_response(self.header, kind, self.settings) => {
                self.response(Some(standing), remark)
            }
            (Level::Application | Level::Accept, _) => self.accepted(warnings, remark),
        }
    }

    fn accepted(&self, warnings: &[Warning], remark: Option<&str>) -> Vec<u8> {
        let mut writer = self.start("ACK");
        let remark = remark.filter(|_| self.level == Level::Application);
        self.msa(&mut writer, if self.level == Level::Application { "AA" } else { "CA" }, remark);
        // Before 2.5 ERR has no severity: a warning could only be read as an error.
        if self.level == Level::Application && self.header.version.minor >= 5 {
            for warning in warnings.iter().take(20) {
                self.err(&mut writer, warning.code, &warning.location, "W", &warning.text);
            }
            if let Some(remark) = remark {
                let location = if self.header.has_rf1() { "RF1^1^1" } else { "ORC^1^1" };
                self.err(&mut writer, 207, location, "W", remark);
            }
        }
        writer.finish()
    }

    fn refused(&self, refusal: &Refusal) -> Vec<u8> {
        let code = match (self.level, refusal.level) {
            (Level::Application, RefusalLevel::Error) => "AE",
            (Level::Application, RefusalLevel::Reject | RefusalLevel::NotKept) => "AR",
            // Table 0008: CR is for a type, version or processing id that is not acceptable; what cannot be committed is CE.
            (Level::Accept, RefusalLevel::Error | RefusalLevel::NotKept) => "CE",
            (Level::Accept, RefusalLevel::Reject) => "CR",
        };
        let mut writer = self.start("ACK");
        self.msa(&mut writer, code, Some(&refusal.text));
        self.err(&mut writer, refusal.code, &refusal.location, "E", &refusal.text);
        writer.finish()
    }

    /// RRI^I1x: the referral's own segments, with our number in RF1-11.
    fn response(&self, standing: Option<Standing<'_>>, remark: Option<&str>) -> Vec<u8> {
        let mut writer = self.start("RRI");
        self.msa(&mut writer, "AA", None);
        let echo = &self.header.echo;
        let given = |field: usize| echo.rf1.get(field - 1).map_or("", String::as_str);
        writer.segment("RF1");
        let (code, text) = standing.map_or(("P", "Pending"), |standing| referral_status(standing.status));
        writer.components(1, &[code, text, "HL70283"]);
        for field in 2..=5 {
            writer.raw(field, given(field));
        }
        match (given(6), &echo.placer) {
            ("", Some(placer)) => writer.text(6, placer),
            (raw, _) => writer.raw(6, raw),
        };
        for field in 7..=10 {
            writer.raw(field, given(field));
        }
        writer.components(11, &[standing.map_or("-", |standing| standing.reference.as_str()), "LOOPLINE"]);
        for segment in &echo.segments {
            writer.copy(segment);
        }
        if let Some(remark) = remark {
            writer.segment("NTE").text(1, "1").text(3, remark);
        }
        writer.finish()
    }

    /// MSH of the answer: everything that names the two sides is swapped, byte for byte.
    fn start(&self, kind: &str) -> Writer {
        let raw = &self.header.raw;
        let mut writer = Writer::new(raw.delimiters, self.header.charset);
        writer.segment("MSH");
        match raw.field(5) {
            [] => writer.text(3, &self.settings.application),
            theirs => writer.bytes(3, theirs),
        };
        match raw.field(6) {
            [] => writer.text(4, &self.settings.facility),
            theirs => writer.bytes(4, theirs),
        };
        writer.bytes(5, raw.field(3)).bytes(6, raw.field(4)).text(7, self.time);
        let structure = if kind == "RRI" { "RRI_I12" } else { "ACK" };
        // Where the underscore is a delimiter (New Zealand repeats by it), the structure could only be written escaped.
        let delimiters = &self.header.raw.delimiters;
        let is_delimiter = [delimiters.component, delimiters.repetition, delimiters.subcomponent].contains(&'_');
        let structure = if self.header.version.bare_2_3 || is_delimiter { "" } else { structure };
        writer.components(9, &[kind, &self.header.event, structure]).text(10, self.control_id);
        match raw.field(11) {
            [] => writer.text(11, "P"),
            theirs => writer.bytes(11, theirs),
        };
        writer.bytes(12, raw.field(12));
        if let Some([accept, application]) = self.conditions {
            writer.text(15, accept).text(16, application);
        }
        // As the sender names it, where that is what it is; or what it turned out to be.
        match self.header.charset.name_instead_of(&raw.text(18)) {
            Some(name) => writer.text(18, name),
            None => writer.bytes(18, raw.field(18)),
        };
        writer
    }

    fn msa(&self, writer: &mut Writer, code: &str, text: Option<&str>) {
        writer.segment("MSA").text(1, code).bytes(2, self.header.raw.field(10));
        // MSA-3 was withdrawn in 2.7.
        if let Some(text) = text.filter(|_| self.header.version.minor < 7) {
            writer.text(3, text);
        }
        if let Some(number) = self.settings.sequence {
            writer.text(4, &number.to_string());
        }
    }

    /// ERR as the sender's version knows it: one coded location before 2.5, fields of their own from then on.
    fn err(&self, writer: &mut Writer, code: u16, location: &str, severity: &str, text: &str) {
        let parts: Vec<&str> = location.split('^').collect();
        let number = code.to_string();
        writer.segment("ERR");
        if self.header.version.minor >= 5 {
            writer.components(2, &parts);
            writer.components(3, &[&number, code_text(code), "HL70357"]).text(4, severity).text(8, text);
            return;
        }
        let delimiters = &self.header.raw.delimiters;
        let part = |at: usize| parts.get(at).copied().unwrap_or_default();
        let between = delimiters.component;
        let sub = delimiters.subcomponent;
        let words = code_text(code);
        let coded = format!("{}{between}{}{between}{}{between}{number}{sub}{words}{sub}HL70357", part(0), part(1), part(2));
        writer.raw(1, &coded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::hl7::{Hl7Rules, normalize};

    fn now() -> Timestamp {
        "2026-11-21T17:02:11Z".parse().unwrap()
    }

    fn message(version: &str, acks: &str, pid: &str) -> Vec<u8> {
        format!(
            "MSH|^~\\&|EHR^1.2^ISO|CEDAR|LOOP|DESK^9.8^ISO|20261120101500-0800||REF^I12^REF_I12| C-1&x |P|{version}|||{acks}\r\
             RF1|P|R|CARD^Cardiology^L|||REF-1^CEDAR|20261120\rPRD|RP|Phillips^Jesus\rPRD|RT|Ames^Dora\r{pid}"
        )
        .into_bytes()
    }

    const PID: &str = "PID|1||7^^^CEDAR^MR||Lee^Leslie||19341101|F\r";

    fn lines(answer: &Answer) -> Vec<String> {
        let bytes = match answer {
            Answer::Positive(sealed) => sealed.stored().to_vec(),
            Answer::Negative(bytes) => bytes.clone(),
            Answer::None => return Vec::new(),
        };
        assert_eq!(bytes.last(), Some(&b'\r'));
        String::from_utf8(bytes).unwrap().split_terminator('\r').map(str::to_owned).collect()
    }

    fn pending(reference: &Reference) -> Standing<'_> {
        Standing { reference, status: Status::New }
    }

    fn answered(body: &[u8], settings: &AnswerSettings) -> Vec<String> {
        let read = normalize(body, &Hl7Rules::default()).unwrap();
        let reference = Reference::generate();
        let verdict = match &read.refusal {
            Some(refusal) => Verdict::Refused(refusal),
            None => Verdict::Accepted { kind: read.outcome.kind, warnings: &read.warnings, remark: None },
        };
        let lines = lines(&answer(&read.header, verdict, settings, Some(pending(&reference)), "A1", now()));
        lines.into_iter().map(|line| line.replace(reference.as_str(), "LL-REFERENCE")).collect()
    }

    #[test]
    fn a_good_referral_is_answered_by_a_referral_response() {
        assert_eq!(
            answered(&message("2.5.1", "", PID), &AnswerSettings::default()),
            [
                "MSH|^~\\&|LOOP|DESK^9.8^ISO|EHR^1.2^ISO|CEDAR|20261121170211+0000||RRI^I12^RRI_I12|A1|P|2.5.1",
                "MSA|AA| C-1&x ",
                "RF1|P^Pending^HL70283|R|CARD^Cardiology^L|||REF-1^CEDAR|20261120||||LL-REFERENCE^LOOPLINE",
                "PRD|RP|Phillips^Jesus",
                "PRD|RT|Ames^Dora",
                "PID|1||7^^^CEDAR^MR||Lee^Leslie||19341101|F",
            ]
        );
    }

    #[test]
    fn a_channel_may_want_a_plain_ack() {
        let settings = AnswerSettings { positive: PositiveAnswer::ACK, ..AnswerSettings::default() };
        let lines = answered(&message("2.3", "", PID), &settings);
        assert!(lines[0].contains("||ACK^I12|A1|P|2.3"), "{}", lines[0]);
        assert_eq!(lines[1..], ["MSA|AA| C-1&x "]);
    }

    #[test]
    fn an_error_takes_the_shape_of_the_version() {
        let text = "the message has no PID segment: it names no patient";
        let old = answered(&message("2.4", "", ""), &AnswerSettings::default());
        assert_eq!(old[1..], [format!("MSA|AE| C-1&x |{text}"), "ERR|PID^^^101&Required field missing&HL70357".to_owned()]);
        let middle = answered(&message("2.5.1", "", ""), &AnswerSettings::default());
        let err = format!("ERR||PID|101^Required field missing^HL70357|E||||{text}");
        assert_eq!(middle[1..], [format!("MSA|AE| C-1&x |{text}"), err.clone()]);
        let new = answered(&message("2.7", "", ""), &AnswerSettings::default());
        assert_eq!(new[1..], ["MSA|AE| C-1&x ".to_owned(), err]);
    }

    #[test]
    fn the_acknowledgement_wanted_by_msh_15_and_16_is_given() {
        for (acks, good, bad) in [
            ("", Some("AA"), Some("AE")),
            ("AL", Some("CA"), Some("CE")),
            ("AL|AL", Some("CA"), Some("CE")),
            ("NE|AL", Some("AA"), Some("AE")),
            ("NE|NE", None, None),
            ("NE", None, None),
            ("|AL", Some("AA"), Some("AE")),
            ("ER|NE", None, Some("CE")),
            ("SU|NE", Some("CA"), None),
            ("|ER", None, Some("AE")),
            // No accept acknowledgement is due, and no way back is configured: the application one must not be lost.
            ("ER|AL", Some("AA"), Some("CE")),
            ("SU|AL", Some("CA"), Some("AE")),
            ("SU|ER", Some("CA"), Some("AE")),
        ] {
            let code = |lines: Vec<String>| lines.get(1).and_then(|line| line.get(4..6).map(str::to_owned));
            let settings = AnswerSettings::default();
            assert_eq!(code(answered(&message("2.5.1", acks, PID), &settings)).as_deref(), good, "{acks}");
            assert_eq!(code(answered(&message("2.5.1", acks, ""), &settings)).as_deref(), bad, "{acks}");
        }
        let original = AnswerSettings { mode: AcknowledgeMode::Original, ..AnswerSettings::default() };
        assert!(answered(&message("2.5.1", "NE|NE", PID), &original)[1].starts_with("MSA|AA|"));
        let enhanced = AnswerSettings { mode: AcknowledgeMode::Enhanced, ..AnswerSettings::default() };
        assert!(answered(&message("2.5.1", "", PID), &enhanced)[1].starts_with("MSA|CA|"));
    }

    #[test]
    fn an_accept_acknowledgement_comes_first_and_the_application_one_follows_where_it_can() {
        let settings = AnswerSettings { can_follow: true, ..AnswerSettings::default() };
        for (acks, pid, first, later) in [
            ("AL|AL", PID, Some("CA"), Some("AA")),
            ("AL|AL", "", Some("CA"), Some("AE")),
            ("AL|NE", PID, Some("CA"), None),
            ("AL|NE", "", Some("CE"), None),
            ("AL", PID, Some("CA"), None),
            ("AL", "", Some("CE"), None),
            ("AL|ER", PID, Some("CA"), None),
            ("AL|ER", "", Some("CA"), Some("AE")),
            ("AL|SU", PID, Some("CA"), Some("AA")),
            ("AL|SU", "", Some("CE"), None),
            ("ER|AL", PID, None, Some("AA")),
            ("NE|AL", PID, None, Some("AA")),
            ("NE|AL", "", None, Some("AE")),
            ("NE|ER", PID, None, None),
            ("NE|ER", "", None, Some("AE")),
            ("NE|NE", PID, None, None),
            ("", PID, Some("AA"), None),
        ] {
            let read = normalize(&message("2.5.1", acks, pid), &Hl7Rules::default()).unwrap();
            let reference = Reference::generate();
            let verdict = match &read.refusal {
                Some(refusal) => Verdict::Refused(refusal),
                None => Verdict::Accepted { kind: read.outcome.kind, warnings: &read.warnings, remark: None },
            };
            let code = |lines: Vec<String>| lines.get(1).and_then(|line| line.get(4..6).map(str::to_owned));
            let now_said = code(lines(&answer(&read.header, verdict, &settings, Some(pending(&reference)), "A1", now())));
            assert_eq!(now_said.as_deref(), first, "{acks}");
            let follows = application(&read.header, verdict, &settings, Some(pending(&reference)), "A2", now());
            let follows = follows.map(|bytes| lines(&Answer::Negative(bytes)));
            if let Some(lines) = &follows {
                assert!(lines[0].contains("|A2|P|2.5.1|||AL|NE"), "{}", lines[0]);
                assert!(lines[1].starts_with(&format!("MSA|{}| C-1&x ", later.unwrap_or("none"))), "{}", lines[1]);
            }
            assert_eq!(follows.is_some(), later.is_some(), "{acks}");
        }
    }

    #[test]
    fn what_is_not_for_us_is_refused_at_once_and_an_answer_is_never_answered() {
        let settings = AnswerSettings { can_follow: true, ..AnswerSettings::default() };
        let verdict = Verdict::Accepted { kind: Kind::Reply, warnings: &[], remark: None };
        let body = message("2.5.1", "AL|AL", PID);
        let strange = String::from_utf8(body.clone()).unwrap().replace("REF^I12^REF_I12", "ADT^A01");
        let read = normalize(strange.as_bytes(), &Hl7Rules::default()).unwrap();
        let refusal = Verdict::Refused(read.refusal.as_ref().unwrap());
        assert!(lines(&answer(&read.header, refusal, &settings, None, "A1", now()))[1].starts_with("MSA|CR|"));
        let alone = normalize(strange.replace("AL|AL", "NE|AL").as_bytes(), &Hl7Rules::default()).unwrap();
        assert!(lines(&answer(&alone.header, refusal, &settings, None, "A1", now()))[1].starts_with("MSA|AR|"));
        assert!(application(&read.header, refusal, &settings, None, "A2", now()).is_none());
        let answering =
            String::from_utf8(body).unwrap().replace("REF^I12^REF_I12", "RRI^I12").replace("\rRF1", "\rMSA|AA|X\rRF1");
        let read = normalize(answering.as_bytes(), &Hl7Rules::default()).unwrap();
        assert!(application(&read.header, verdict, &settings, None, "A2", now()).is_none());
    }

    #[test]
    fn an_acknowledgement_is_never_answered() {
        for kind in ["ACK", "ACK^I12^ACK", "MCF"] {
            let body = format!("MSH|^~\\&|A|B|C|D|20261120||{kind}||P|2.5|||AL|AL\rMSA|AA|1\r");
            assert!(answered(body.as_bytes(), &AnswerSettings::default()).is_empty());
        }
    }

    /// What is refused with, on its own connection: `AR 207 MSH^1`.
    fn refused_with(refusal: &Refusal, acks: &str) -> String {
        let read = normalize(&message("2.5.1", acks, PID), &Hl7Rules::default()).unwrap();
        let lines = lines(&answer(&read.header, Verdict::Refused(refusal), &AnswerSettings::default(), None, "A1", now()));
        let part = |line: &str, at: usize| line.split('|').nth(at).unwrap_or_default().to_owned();
        let code = part(&lines[2], 3).split('^').next().unwrap_or_default().to_owned();
        format!("{} {code} {}", part(&lines[1], 1), part(&lines[2], 2))
    }

    #[test]
    fn quirk_2_database_or_disk_down_says_to_try_later_and_never_aa_or_ae() {
        assert_eq!(refused_with(&Refusal::try_later(), ""), "AR 207 MSH^1");
        assert_eq!(refused_with(&Refusal::try_later(), "AL"), "CE 207 MSH^1");
        assert_eq!(refused_with(&Refusal::try_later(), "AL|AL"), "CE 207 MSH^1");
    }

    #[test]
    fn quirk_2_each_refusal_has_its_code_in_original_and_in_enhanced_mode() {
        let of = |change: &dyn Fn(String) -> String| {
            let body = change(String::from_utf8(message("2.5.1", "", PID)).unwrap());
            normalize(body.as_bytes(), &Hl7Rules::default()).unwrap().refusal.expect("it is refused")
        };
        let known = normalize(&message("2.5.1", "", PID), &Hl7Rules::default()).unwrap();
        let without_patient = |text: String| text.split_inclusive('\r').filter(|line| !line.starts_with("PID")).collect();
        for (refusal, original, enhanced) in [
            (Refusal::truncated(), "AR 100 MSH^1", "CR 100 MSH^1"),
            (of(&|text| text.replace("REF^I12^REF_I12", "ADT^A01")), "AR 200 MSH^1^9^1^1", "CR 200 MSH^1^9^1^1"),
            (of(&|text| text.replace("I12^REF_I12", "I16")), "AR 201 MSH^1^9^1^2", "CR 201 MSH^1^9^1^2"),
            (of(&|text| text.replace("|P|2.5.1", "|T|2.5.1")), "AR 202 MSH^1^11", "CR 202 MSH^1^11"),
            (of(&|text| text.replace("|P|2.5.1", "|P|3")), "AR 203 MSH^1^12", "CR 203 MSH^1^12"),
            (of(&|text| text.replace("|P|2.5.1|", "|P|2.5.1||PART2")), "AR 207 MSH^1^14", "CR 207 MSH^1^14"),
            (of(&|text| text.replace("PID|1", "PID|1||8||Marsh^Tobias\rPID|1")), "AE 198 PID^2", "CE 198 PID^2"),
            (of(&without_patient), "AE 101 PID", "CE 101 PID"),
            (Refusal::unknown_referral(&known.header), "AE 204 RF1^1^6", "CE 204 RF1^1^6"),
            (Refusal::reused_control_id(), "AE 205 MSH^1^10", "CE 205 MSH^1^10"),
            (Refusal::too_large(9), "AR 104 MSH^1", "CE 104 MSH^1"),
        ] {
            assert_eq!(refused_with(&refusal, ""), original);
            assert_eq!(refused_with(&refusal, "AL"), enhanced);
        }
    }

    #[test]
    fn quirk_2_a_defect_of_ours_is_answered_as_taken_since_the_message_is_safe() {
        let header = Header::of_fragment(&message("2.5.1", "", PID)).unwrap();
        let verdict = Verdict::Accepted { kind: Kind::Unknown, warnings: &[], remark: None };
        let said = lines(&answer(&header, verdict, &AnswerSettings::default(), None, "A1", now()));
        assert_eq!((said.len(), said[1].as_str()), (2, "MSA|AA| C-1&x "));
    }

    #[test]
    fn a_cut_off_message_is_rejected_as_far_as_its_header_can_be_read() {
        let answer =
            refuse_fragment(&message("2.4", "", "")[..120], &Refusal::truncated(), &AnswerSettings::default(), "A1", now());
        let text = String::from_utf8(answer.unwrap()).unwrap();
        assert!(text.contains("\rMSA|AR| C-1&x |"), "{text}");
        assert!(refuse_fragment(b"PID|1", &Refusal::truncated(), &AnswerSettings::default(), "A1", now()).is_none());
    }

    #[test]
    fn the_senders_delimiters_and_character_set_are_kept() {
        let body = b"MSH*:~\\&*K\xE4fer:1*X*L*M*20261120**REF:I12*77*P*2.4******8859/1\rPRD*RP*M\xFCller:Jo\rPRD*RT*Ames\rPID*1**7**Lee:Leslie**19341101\r".to_vec();
        let read = normalize(&body, &Hl7Rules::default()).unwrap();
        let verdict = Verdict::Accepted { kind: Kind::Referral, warnings: &[], remark: None };
        let Answer::Positive(sealed) =
            answer(&read.header, verdict, &AnswerSettings::default(), Some(pending(&Reference::generate())), "A1", now())
        else {
            panic!("a good message is answered")
        };
        let bytes = sealed.stored();
        assert!(bytes.starts_with(b"MSH*:~\\&*L*M*K\xE4fer:1*X*"));
        assert!(bytes.windows(17).any(|part| part == b"PRD*RP*M\xFCller:Jo\r"));
    }

    #[test]
    fn the_preview_names_nothing_that_only_the_store_knows() {
        let read = normalize(&message("2.5.1", "", PID), &Hl7Rules::default()).unwrap();
        let text = preview(&read, &AnswerSettings::default()).unwrap();
        assert!(text.starts_with("MSH|^~\\&|LOOP|DESK^9.8^ISO|EHR^1.2^ISO|CEDAR|-||RRI^I12^RRI_I12|-|P|2.5.1\nMSA|AA| C-1&x \n"));
        assert!(text.contains("|-^LOOPLINE\n"));
    }
}
