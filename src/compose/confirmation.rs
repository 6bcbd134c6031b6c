//! The mails that ask a specialist to confirm, and that acknowledge a referral to who sent it.
//!
//! The subject and body name the reference and initials, never a name or birth date: a mail lies in many places that nobody
//! here controls. What is more stands on the attached cover page, and the referral's own pages go only over a trusted way.

use jiff::Timestamp;
use lettre::{
    Message,
    address::Address,
    message::{
        Attachment, Mailbox, MultiPart, SinglePart,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
};

use super::{
    acknowledgement::fields_to_confirm,
    cover_page::{About, Behind},
    labels,
};
use crate::{
    ids::DeliveryId,
    referral::{PersonName, Priority, Referral, Token},
};

/// Who our mails are from.
#[derive(Clone, Debug)]
pub struct MailFace<'a> {
    /// The address, `referrals@clinic.example`.
    pub from: &'a str,
    /// The name beside it.
    pub from_name: Option<&'a str>,
    /// Whether the mail server knows `local+TOKEN@domain`.
    pub plus_address: bool,
    /// The site, as it calls itself.
    pub site_name: &'a str,
}

/// A document that goes along.
#[derive(Clone, Copy)]
pub struct MailAttachment<'a> {
    /// Its file name: never patient data.
    pub name: &'a str,
    /// `application/pdf`, `image/tiff`.
    pub media_type: &'a str,
    /// Its content.
    pub content: &'a [u8],
}

/// A mail that is answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// Its Message-ID, without angle brackets.
    pub message_id: Option<&'a str>,
}

/// A mail ready to be sent.
#[derive(Clone)]
pub struct ComposedMail {
    /// The recipient.
    pub to: String,
    /// The envelope sender: a bounce comes back there.
    pub envelope_from: String,
    /// Message-ID, without angle brackets.
    pub message_id: String,
    /// The whole mail.
    pub bytes: Vec<u8>,
}

/// Why a mail cannot be composed: what is configured is no address.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// Ours, or the recipient's.
    #[error("the {whose} address is not a mail address: correct it in the configuration")]
    Address {
        /// `sender's` or `recipient's`.
        whose: &'static str,
        /// What is wrong with it.
        #[source]
        source: lettre::address::AddressError,
    },
    /// A header or attachment type does not fit into a mail.
    #[error("the mail cannot be built")]
    Build(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What one mail is made of, beside its words.
pub struct Envelope<'a> {
    /// Who it is from.
    pub face: &'a MailFace<'a>,
    /// Whom it goes to: an address of the configuration.
    pub to: &'a str,
    /// The delivery it is: part of the Message-ID, so that every attempt sends the same.
    pub delivery: DeliveryId,
    /// The time in Date.
    pub now: Timestamp,
}

/// What our subjects say behind the reference, in small letters; an answer brings it back, whole or cut off behind it.
pub const IN_SUBJECTS: [&str; 7] = [
    "please confirm receipt",
    "it has changed",
    "the sender asks to cancel it",
    "it was sent twice",
    "it is withdrawn",
    "it goes to another practice",
    "received, please check some fields",
];

/// Writes to a specialist: asks them to confirm, tells them what changed, or that the sender asks to cancel.
///
/// `document` is the cover page, with the referral's pages behind it where they are enclosed.
///
/// # Errors
/// [`ComposeError`]: the configuration holds an address that is none.
pub fn to_specialist(
    about: About,
    referral: &Referral,
    token: &Token,
    envelope: &Envelope<'_>,
    document: &[u8],
    behind: Behind<'_>,
) -> Result<ComposedMail, ComposeError> {
    let (what, words) = match about {
        About::Request | About::Pages => ("please confirm receipt", request_words(referral, envelope.face, behind)),
        About::Update => {
            let documents = documents_line(behind);
            let notice = format!(
                "A referral that you have from us has changed. It is not a new referral: please replace what you have under\n\
                 this reference. {documents}"
            );
            ("it has changed", notice_words(referral, envelope.face, &notice))
        }
        About::Withdrawal(why) => {
            let notice = format!("{} Please do not book it, and tell us that you know.", why.sentence(referral));
            (why.in_short(), notice_words(referral, envelope.face, &notice))
        }
    };
    let subject = format!("Referral {}: {what} [{}]", referral.reference, token.as_str());
    build(Some(token), envelope, subject, words, &[cover(document)], None)
}

/// The answer to what no referral came of: it could not be read, or a person has to.
///
/// # Errors
/// As [`to_specialist`].
pub fn about_nothing(
    envelope: &Envelope<'_>,
    what: &str,
    received_at: &jiff::Zoned,
    unreadable_because: Option<&str>,
    answered: Option<Answered<'_>>,
) -> Result<ComposedMail, ComposeError> {
    if let Some(reason) = unreadable_because {
        return unreadable(envelope, what, received_at, reason, answered);
    }
    let words = format!(
        "Hello,\n\n{site} received a {what} from you on {at}.\nIt was not clear what it is, so a person here reads it.\n\n\
         No referral was made of it yet. You need not send it again. If it is urgent, please call us.\n\nThank you,\n{site}\n",
        site = envelope.face.site_name,
        at = labels::time(received_at),
    );
    build(None, envelope, format!("Your {what} was received, and a person reads it"), words, &[], answered)
}

/// Tells who sent a fax or a mail that it could not be read. There is no referral, so nothing of the answer can be matched: it goes to a
/// person. `reason` is in plain words and completes "because …"; `received_at` is in the site's time zone.
///
/// # Errors
/// [`ComposeError`]: the configuration holds an address that is none.
pub fn unreadable(
    envelope: &Envelope<'_>,
    what: &str,
    received_at: &jiff::Zoned,
    reason: &str,
    answered: Option<Answered<'_>>,
) -> Result<ComposedMail, ComposeError> {
    let plea = match what {
        "fax" => "Please send it again: black on white, at the resolution \"fine\", the right way up,\nand without a password.",
        _ => "Please mend it and send it again.",
    };
    let words = format!(
        "Hello,\n\n{site} received a {what} from you on {at}.\nWe could not read it because {reason}.\n\n\
         Nobody has acted on it. {plea}\n\nThank you,\n{site}\n",
        site = envelope.face.site_name,
        at = labels::time(received_at),
        reason = reason.trim().trim_end_matches('.'),
    );
    build(None, envelope, format!("Your {what} could not be read"), words, &[], answered)
}

fn cover(document: &[u8]) -> MailAttachment<'_> {
    MailAttachment { name: "cover-page.pdf", media_type: "application/pdf", content: document }
}

fn notice_words(referral: &Referral, face: &MailFace<'_>, what: &str) -> String {
    let priority = priority_line(referral.record.priority);
    format!(
        "Hello,\n\n{what}\n\n  Reference: {}\n  Patient (initials): {}\n{priority}\n\
         Please leave the subject as it is when you answer: it tells us which referral you mean.\n\nThank you,\n{}\n",
        referral.reference,
        initials(&referral.record.patient.name),
        face.site_name,
    )
}

fn priority_line(priority: Priority) -> &'static str {
    match priority {
        Priority::Stat => "  Priority: STAT\n",
        Priority::Urgent => "  Priority: urgent\n",
        Priority::Routine | Priority::Unknown => "",
    }
}

/// Tells a sender that their referral arrived. Where fields are doubtful or missing it asks to confirm them, by their labels: the
/// values read stand on the cover page alone.
///
/// # Errors
/// [`ComposeError`]: the configuration holds an address that is none.
pub fn acknowledgement(
    referral: &Referral,
    token: &Token,
    envelope: &Envelope<'_>,
    cover_page: Option<&[u8]>,
    answered: Option<Answered<'_>>,
) -> Result<ComposedMail, ComposeError> {
    let fields = fields_to_check(referral);
    let what = if fields.is_empty() { "received" } else { "received, please check some fields" };
    let subject = format!("Referral {}: {what} [{}]", referral.reference, token.as_str());
    let words = acknowledgement_words(referral, envelope.face, &fields, cover_page.is_some());
    let cover = cover_page.map(|content| MailAttachment { name: "cover-page.pdf", media_type: "application/pdf", content });
    build(Some(token), envelope, subject, words, cover.as_slice(), answered)
}

/// Where the referral's pages are: only what is true of this mail.
fn documents_line(behind: Behind<'_>) -> &'static str {
    match behind {
        Behind::Enclosed(_) => "The cover page and the referral's pages are attached.",
        Behind::ByFax => "The cover page is attached. The referral's pages come by fax, not by this mail.",
        Behind::Nothing => {
            "The cover page is attached. The referral's pages may not go by this mail: please answer with a fax number for them."
        }
    }
}

fn request_words(referral: &Referral, face: &MailFace<'_>, behind: Behind<'_>) -> String {
    let specialty = referral.record.referred_to.specialty.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    let documents = documents_line(behind);
    format!(
        "Hello,\n\n{site} sent you a patient referral{specialty}.\n\n  Reference: {reference}\n  Patient (initials): {initials}\n{priority}\n\
         {documents}\n\nPlease answer this mail in your own words, above this text. For example:\n\n  \
         Received.\n  Received, booked for 12/14/2026 at 10:30 am.\n  We accept, will call the patient.\n  \
         We decline this referral because ...\n  Please send the labs.\n  Wrong clinic.\n\n\
         One answer with one date is enough. Please leave the subject as it is: it tells us which referral you mean.\n\n\
         Thank you,\n{site}\n",
        site = face.site_name,
        reference = referral.reference,
        initials = initials(&referral.record.patient.name),
        priority = priority_line(referral.record.priority),
    )
}

fn acknowledgement_words(referral: &Referral, face: &MailFace<'_>, fields: &[String], cover_page: bool) -> String {
    let mut words = format!(
        "Hello,\n\n{} received your referral.\n\n  Reference: {}\n  Patient (initials): {}\n\n",
        face.site_name,
        referral.reference,
        initials(&referral.record.patient.name)
    );
    if fields.is_empty() {
        words.push_str("Nothing more is needed from you now.\n");
    } else {
        words.push_str("These fields are missing or could not be read for certain:\n\n");
        for field in fields {
            words.push_str(&format!("  - {field}\n"));
        }
        words.push_str(if cover_page {
            "\nWhat was read stands on the attached cover page. Please confirm or correct it there and send it back,\nor answer this mail.\n"
        } else {
            "\nPlease answer this mail with what is missing.\n"
        });
    }
    words.push_str(&format!("\nThank you,\n{}\n", face.site_name));
    words
}

fn initials(name: &PersonName) -> String {
    labels::initials(name).unwrap_or_else(|| "not known".to_owned())
}

/// The labels of what the sender is asked about, each once: the same as on the cover page. Never a value.
fn fields_to_check(referral: &Referral) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for field in fields_to_confirm(&referral.record) {
        if !labels.contains(&field.label) {
            labels.push(field.label);
        }
    }
    labels
}

#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn build(
    token: Option<&Token>,
    envelope: &Envelope<'_>,
    subject: String,
    words: String,
    attachments: &[MailAttachment<'_>],
    answered: Option<Answered<'_>>,
) -> Result<ComposedMail, ComposeError> {
    let address = |whose, text: &str| text.parse::<Address>().map_err(|source| ComposeError::Address { whose, source });
    let face = envelope.face;
    let from = address("sender's", face.from)?;
    let to = address("recipient's", envelope.to)?;
    let with_plus = |tag: String| address("sender's", &format!("{}+{tag}@{}", from.user(), from.domain()));
    let (reply_to, bounces_to) = match token {
        Some(token) if face.plus_address => (with_plus(token.as_str().to_owned())?, with_plus(format!("b-{}", token.as_str()))?),
        Some(_) | None => (from.clone(), from.clone()),
    };
    let delivery = envelope.delivery.to_string().to_ascii_lowercase();
    let local = token.map_or_else(|| delivery.clone(), |token| format!("{}.{delivery}", token.as_str()));
    let message_id = format!("{local}@{}", from.domain());
    let name = face.from_name.unwrap_or(face.site_name).to_owned();
    let mut builder = Message::builder()
        .from(Mailbox::new(Some(name.clone()), from))
        .reply_to(Mailbox::new(Some(name), reply_to))
        .to(Mailbox::new(None, to.clone()))
        .subject(subject)
        .date(envelope.now.into())
        .message_id(Some(format!("<{message_id}>")))
        .header(AutoSubmitted);
    if let Some(id) = answered.and_then(|answered| answered.message_id).filter(|id| is_plain_id(id)) {
        builder = builder.in_reply_to(format!("<{id}>")).references(format!("<{id}>"));
    }
    // The boundary is fixed by the delivery, so that composing twice gives the same bytes.
    let boundary = format!("loopline-{}", envelope.delivery);
    let mut parts = MultiPart::mixed().boundary(boundary).singlepart(SinglePart::plain(words));
    for attachment in attachments {
        let media_type = ContentType::parse(attachment.media_type).map_err(|source| ComposeError::Build(Box::new(source)))?;
        parts = parts.singlepart(Attachment::new(attachment.name.to_owned()).body(attachment.content.to_vec(), media_type));
    }
    let mail = builder.multipart(parts).map_err(|source| ComposeError::Build(Box::new(source)))?;
    Ok(ComposedMail { to: to.to_string(), envelope_from: bounces_to.to_string(), message_id, bytes: mail.formatted() })
}

/// A Message-ID from outside goes into our header only if it cannot break it.
fn is_plain_id(id: &str) -> bool {
    id.len() <= 250 && id.contains('@') && id.chars().all(|c| c.is_ascii_graphic() && !"<>".contains(c))
}

#[cfg(test)]
mod tests {
    use super::{super::cover_page::Withdrawn, *};
    use crate::{
        compose::cover_page::Enclosures,
        ids::ReferralId,
        normalize::email,
        referral::{IsoDate, Record, Status, TokenKey},
    };

    fn referral() -> Referral {
        let mut record = Record::default();
        record.patient.name =
            PersonName { family: Some("Canaryname".into()), given: Some("Zebrina".into()), ..PersonName::default() };
        record.patient.birth_date = IsoDate::parse("1961-03-09");
        record.mark("patient.birth_date");
        record.mark("patient.name.family");
        record.mark("patient.name.given");
        let reference = "LL-0000-0000".parse().unwrap();
        let (sources, history) = (Vec::new(), Vec::new());
        Referral {
            id: ReferralId::generate(),
            reference,
            status: Status::New,
            version: 0,
            record: Box::new(record),
            pending_replies: Vec::new(),
            sources,
            history,
        }
    }

    fn face() -> MailFace<'static> {
        MailFace { from: "referrals@clinic.example", from_name: None, plus_address: true, site_name: "Elm Street Clinic" }
    }

    fn token() -> Token {
        TokenKey::new([7; 32]).token(&"LL-0000-0000".parse().unwrap())
    }

    fn envelope<'a>(face: &'a MailFace<'a>, delivery: DeliveryId) -> Envelope<'a> {
        Envelope { face, to: "desk@cardio.example", delivery, now: Timestamp::from_second(1_795_000_000).unwrap() }
    }

    /// As mail programs quote it: with marks, with lines broken anew, under heads, as HTML.
    fn quotes_of(letter: &str) -> Vec<(&'static str, String)> {
        let wrapped: Vec<String> = letter
            .split("\n\n")
            .map(|paragraph| {
                let mut lines = vec![String::new()];
                for word in paragraph.split_whitespace() {
                    match lines.last_mut() {
                        Some(line) if line.len() + word.len() < 40 => *line = format!("{line} {word}"),
                        _ => lines.push(word.to_owned()),
                    }
                }
                lines.join("\n")
            })
            .collect();
        let marked = |text: &str| text.lines().map(|line| format!("> {line}\n")).collect::<String>();
        let html = letter.replace('\n', "<br>\n");
        let attribution = "On Fri, Nov 20, 2026 at 9:12 AM Elm Street Clinic <referrals@clinic.example> wrote:";
        let heads = "From: Elm Street Clinic <referrals@clinic.example>\nSent: Friday, November 20, 2026 9:12 AM\nTo: Desk <desk@cardio.example>\n\
                     Subject: Referral LL-0000-0000: please confirm receipt";
        let banner = "CAUTION: This email originated from outside of the organization. Do not click links.";
        vec![
            ("text/plain", format!("Received, thanks.\n\n{attribution}\n{}", marked(letter))),
            ("text/plain", format!("Received, thanks.\n\n{attribution}\n{}", marked(&wrapped.join("\n\n")))),
            ("text/plain", format!("Received, thanks.\n\n{heads}\n\n{banner}\n\n{letter}")),
            (
                "text/html",
                format!(
                    "<p>Received, thanks.</p><div class=\"gmail_quote\">{attribution}<br><blockquote>{html}</blockquote></div>"
                ),
            ),
            (
                "text/html",
                format!(
                    "<div>Received, thanks.</div><div id=\"divRplyFwdMsg\">{}</div><div>{html}</div>",
                    heads.replace('\n', "<br>")
                ),
            ),
        ]
    }

    #[test]
    fn our_own_letters_quoted_below_an_answer_say_nothing_more() {
        let (face, delivery, token, referral) = (face(), DeliveryId::generate(), token(), referral());
        let about = [
            (About::Request, Behind::Nothing),
            (About::Request, Behind::ByFax),
            (About::Update, Behind::Nothing),
            (About::Withdrawal(Withdrawn::BySender), Behind::Nothing),
            (About::Withdrawal(Withdrawn::Merged), Behind::Nothing),
            (About::Withdrawal(Withdrawn::Rejected), Behind::Nothing),
            (About::Withdrawal(Withdrawn::SentElsewhere), Behind::Nothing),
        ];
        let key = TokenKey::new([7; 32]);
        let rules = email::MailRules {
            key: Some(&key),
            now: envelope(&face, delivery).now,
            time_zone: &jiff::tz::TimeZone::UTC,
            region: "US",
            site_name: face.site_name,
        };
        let outcome = |media_type: &str, body: &str| {
            let raw = format!(
                "From: desk@cardio.example\r\nTo: referrals+{}@clinic.example\r\nSubject: Re: Referral\r\n\
                 MIME-Version: 1.0\r\nContent-Type: {media_type}; charset=utf-8\r\n\r\n{body}",
                token.as_str()
            );
            email::normalize(&email::read(raw.as_bytes(), email::MailLimits::default()), &rules).outcome.reply.unwrap()
        };
        for (about, behind) in about {
            let mail = to_specialist(about, &referral, &token, &envelope(&face, delivery), b"%PDF-1.7 cover", behind).unwrap();
            let letter = email::read(&mail.bytes, email::MailLimits::default()).words;
            assert!(letter.starts_with("Hello,"), "{letter}");
            for (media_type, body) in quotes_of(&letter) {
                let reply = outcome(media_type, &body);
                assert_eq!(reply.outcome, crate::referral::ReplyOutcome::Received, "{:?}\n{body}", reply.reason);
                // The same with one line more that is not ours.
                let other = body.replacen("Hello,", "Dr. Ames can not take her.", 1);
                assert_eq!(outcome(media_type, &other).outcome, crate::referral::ReplyOutcome::Unclear, "{other}");
            }
        }
    }

    #[test]
    fn a_request_carries_the_token_everywhere_and_the_name_nowhere() {
        let (face, delivery, token) = (face(), DeliveryId::generate(), token());
        let compose = |behind| {
            to_specialist(About::Request, &referral(), &token, &envelope(&face, delivery), b"%PDF-1.7 cover", behind).unwrap()
        };
        let mail = compose(Behind::ByFax);
        assert_eq!(mail.bytes, compose(Behind::ByFax).bytes, "composed twice, the same bytes");
        let text = String::from_utf8_lossy(&mail.bytes);
        for patient in ["Canaryname", "Zebrina", "1961", "03/09"] {
            assert!(!text.contains(patient), "{patient}");
        }
        assert!(text.contains("Z. C.") && text.contains("LL-0000-0000") && text.contains("Auto-Submitted: auto-generated"));
        assert_eq!(mail.envelope_from, format!("referrals+b-{}@clinic.example", token.as_str()));
        let read = email::read(&mail.bytes, email::MailLimits::default());
        assert_eq!(read.reply_to, Some(format!("referrals+{}@clinic.example", token.as_str())));
        assert_eq!(read.message_id.as_deref(), Some(mail.message_id.as_str()));
        assert!(mail.message_id.starts_with(token.as_str()));
        assert_eq!(read.parts.len(), 1);
        let enclosures = Enclosures::default();
        let words = |behind| read_words(&compose(behind));
        assert!(words(Behind::Enclosed(&enclosures)).contains("pages are attached"));
        assert!(words(Behind::ByFax).contains("come by fax") && !words(Behind::ByFax).contains("pages are attached"));
        assert!(words(Behind::Nothing).contains("answer with a fax number") && !words(Behind::Nothing).contains("come by"));
    }

    /// The words of a mail, as its reader sees them.
    fn read_words(mail: &ComposedMail) -> String {
        let parsed = mail_parser::MessageParser::default().parse(&mail.bytes).unwrap();
        parsed.body_text(0).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_update_says_that_it_is_no_new_referral_and_a_withdrawal_asks_for_no_appointment() {
        let (face, delivery) = (face(), DeliveryId::generate());
        let words = |about| {
            let mail = to_specialist(about, &referral(), &token(), &envelope(&face, delivery), b"%PDF-1.7", Behind::Nothing);
            read_words(&mail.unwrap())
        };
        assert!(words(About::Update).contains("not a new referral") && !words(About::Update).contains("booked for"));
        assert!(
            words(About::Withdrawal(Withdrawn::BySender)).contains("do not book it")
                && !words(About::Withdrawal(Withdrawn::Rejected)).contains("booked for")
        );
    }

    #[test]
    fn who_sent_what_cannot_be_read_is_told_so_without_a_referral() {
        let (face, delivery) = (face(), DeliveryId::generate());
        let at: jiff::Zoned = "2026-11-21T15:04[America/Los_Angeles]".parse().unwrap();
        let reason = "the document is protected by a password.";
        let mail = unreadable(&envelope(&face, delivery), "fax", &at, reason, None).unwrap();
        let read = email::read(&mail.bytes, email::MailLimits::default());
        assert_eq!(mail.message_id, format!("{}@clinic.example", delivery.to_string().to_ascii_lowercase()));
        assert_eq!(read.message_id.as_deref(), Some(mail.message_id.as_str()));
        assert_eq!((read.parts.len(), mail.envelope_from.as_str()), (0, "referrals@clinic.example"));
        let words = read_words(&mail);
        for expected in ["Nov 21, 2026, 3:04 PM PST", "because the document is protected by a password. Nobody", "send it again"]
        {
            assert!(words.contains(expected), "{expected} is missing: {words}");
        }
        assert!(String::from_utf8_lossy(&mail.bytes).contains("Subject: Your fax could not be read"));
    }

    #[test]
    fn an_acknowledgement_lists_labels_and_never_echoes_the_senders_subject() {
        let (face, delivery) = (face(), DeliveryId::generate());
        let answered = Answered { message_id: Some("1@family.example") };
        let mail = acknowledgement(&referral(), &token(), &envelope(&face, delivery), Some(b"%PDF-1.7"), Some(answered)).unwrap();
        let text = String::from_utf8_lossy(&mail.bytes);
        assert!(text.contains("- Date of birth") && text.contains("In-Reply-To: <1@family.example>"));
        assert_eq!(text.matches("- Patient's last name").count(), 1, "as on the cover page");
        assert!(!text.contains("Canaryname") && !text.contains("Re:"));
    }

    #[test]
    fn a_message_id_from_outside_cannot_add_headers() {
        let (face, delivery) = (face(), DeliveryId::generate());
        let answered = Answered { message_id: Some("x@y>\r\nBcc: evil@example.org") };
        let mail = acknowledgement(&referral(), &token(), &envelope(&face, delivery), None, Some(answered)).unwrap();
        assert!(!String::from_utf8_lossy(&mail.bytes).contains("evil"));
    }
}
