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

/// Asks a specialist to confirm receipt and appointment.
///
/// `document` is the cover page; the referral's pages are behind it (`with_pages`) only where the way is trusted.
///
/// # Errors
/// [`ComposeError`]: the configuration holds an address that is none.
pub fn confirmation_request(
    referral: &Referral,
    token: &Token,
    envelope: &Envelope<'_>,
    document: &[u8],
    with_pages: bool,
) -> Result<ComposedMail, ComposeError> {
    let subject = format!("Referral {}: please confirm receipt [{}]", referral.reference, token.as_str());
    let words = request_words(referral, envelope.face, with_pages);
    build(token, envelope, subject, words, &[cover(document)], None)
}

/// Tells a specialist that what they were asked about has changed.
///
/// # Errors
/// [`ComposeError`]: the configuration holds an address that is none.
pub fn update(
    referral: &Referral,
    token: &Token,
    envelope: &Envelope<'_>,
    document: &[u8],
) -> Result<ComposedMail, ComposeError> {
    let subject = format!("Referral {}: the sender changed it [{}]", referral.reference, token.as_str());
    let words =
        notice_words(referral, envelope.face, "The sender changed a referral that you have from us; this is how it stands now.");
    build(token, envelope, subject, words, &[cover(document)], None)
}

/// Tells a specialist that the sender asks to cancel.
///
/// # Errors
/// [`ComposeError`]: the configuration holds an address that is none.
pub fn withdrawal(
    referral: &Referral,
    token: &Token,
    envelope: &Envelope<'_>,
    document: &[u8],
) -> Result<ComposedMail, ComposeError> {
    let subject = format!("Referral {}: the sender asks to cancel it [{}]", referral.reference, token.as_str());
    let words = notice_words(
        referral,
        envelope.face,
        "The sender asks to cancel a referral that you have from us. Please tell us that you know.",
    );
    build(token, envelope, subject, words, &[cover(document)], None)
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
    build(token, envelope, subject, words, cover.as_slice(), answered)
}

fn request_words(referral: &Referral, face: &MailFace<'_>, pages: bool) -> String {
    let specialty = referral.record.referred_to.specialty.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    let documents = if pages {
        "The cover page and the referral's pages are attached."
    } else {
        "The cover page is attached. The referral's pages come by a protected way, not by this mail."
    };
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

fn acknowledgement_words(referral: &Referral, face: &MailFace<'_>, fields: &[&'static str], cover_page: bool) -> String {
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

/// `L. L.`, or `not known`.
fn initials(name: &PersonName) -> String {
    let initials: Vec<String> = [&name.given, &name.family]
        .into_iter()
        .flatten()
        .filter_map(|part| part.chars().find(|c| c.is_alphabetic()))
        .map(|initial| format!("{}.", initial.to_uppercase()))
        .collect();
    if initials.is_empty() { "not known".to_owned() } else { initials.join(" ") }
}

/// The labels of what a person must look at, each once, in the order of the record. Never a value.
fn fields_to_check(referral: &Referral) -> Vec<&'static str> {
    let mut labels: Vec<&'static str> = Vec::new();
    for path in &referral.record.review {
        let label = label(path);
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

fn label(path: &str) -> &'static str {
    let labels = [
        ("patient.name", "Patient name"),
        ("patient.birth_date", "Date of birth"),
        ("patient.sex", "Sex"),
        ("patient.phones", "Patient phone"),
        ("patient.address", "Patient address"),
        ("patient.identifiers", "Patient number"),
        ("patient", "Patient details"),
        ("priority", "Priority"),
        ("insurance", "Insurance"),
        ("authorization", "Authorization"),
        ("referring.npi", "Referring provider's NPI"),
        ("referring", "Referring provider"),
        ("referred_to", "Referred to"),
        ("request.reason", "Reason for referral"),
        ("request.diagnoses", "Diagnosis"),
        ("request", "Requested service"),
    ];
    labels.iter().find(|(prefix, _)| path.starts_with(prefix)).map_or("Other details", |(_, label)| *label)
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
    token: &Token,
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
    let (reply_to, bounces_to) = if face.plus_address {
        (with_plus(token.as_str().to_owned())?, with_plus(format!("b-{}", token.as_str()))?)
    } else {
        (from.clone(), from.clone())
    };
    let message_id = format!("{}.{}@{}", token.as_str(), envelope.delivery.to_string().to_ascii_lowercase(), from.domain());
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
    use super::*;
    use crate::{
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
            record,
            pending_reply: None,
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

    #[test]
    fn a_request_carries_the_token_everywhere_and_the_name_nowhere() {
        let (face, delivery, token) = (face(), DeliveryId::generate(), token());
        let compose =
            |trusted| confirmation_request(&referral(), &token, &envelope(&face, delivery), b"%PDF-1.7 cover", trusted).unwrap();
        let mail = compose(false);
        assert_eq!(mail.bytes, compose(false).bytes, "composed twice, the same bytes");
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
        let with_pages = String::from_utf8_lossy(&compose(true).bytes).into_owned();
        assert!(with_pages.contains("pages are attached") && !text.contains("pages are attached"));
    }

    #[test]
    fn an_acknowledgement_lists_labels_and_never_echoes_the_senders_subject() {
        let (face, delivery) = (face(), DeliveryId::generate());
        let answered = Answered { message_id: Some("1@family.example") };
        let mail = acknowledgement(&referral(), &token(), &envelope(&face, delivery), Some(b"%PDF-1.7"), Some(answered)).unwrap();
        let text = String::from_utf8_lossy(&mail.bytes);
        assert!(text.contains("- Date of birth") && text.contains("In-Reply-To: <1@family.example>"));
        assert_eq!(text.matches("- Patient name").count(), 1);
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
