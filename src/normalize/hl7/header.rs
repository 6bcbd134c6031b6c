//! What of a message its answer needs, and why a message is refused.

use std::fmt;

use crate::protocols::hl7::{Charset, Message, RawHeader, Text};

/// Everything that answering needs: read even of a message that is refused or cut off.
#[derive(Clone)]
pub struct Header {
    /// MSH as it came, byte for byte.
    pub raw: RawHeader,
    /// The character set the message was read in.
    pub charset: Charset,
    /// MSH-9.1 in upper case: `REF`.
    pub message_type: String,
    /// MSH-9.2 in upper case: `I12`.
    pub event: String,
    /// MSH-12, as far as it decides the shape of an answer.
    pub version: Version,
    /// MSH-15: whether an accept acknowledgement is wanted.
    pub accept: Condition,
    /// MSH-16: whether an application acknowledgement is wanted.
    pub application: Condition,
    /// What a referral response repeats.
    pub echo: Echo,
    /// Whether it has an MSA: it answers another message.
    pub answers: bool,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("type", &self.message_type).field("event", &self.event).finish_non_exhaustive()
    }
}

/// The segments that an RRI repeats from its REF, as they stand in the normalised text.
#[derive(Clone, Default)]
pub struct Echo {
    /// RF1-1, RF1-2 and so on, raw; empty: the message has no RF1.
    pub rf1: Vec<String>,
    /// PRD segments and the first PID, raw, in the order of RRI_I12.
    pub segments: Vec<String>,
    /// The referrer's number for the referral, wherever it was found: stands in for an empty RF1-6.
    pub placer: Option<String>,
}

/// MSH-12 as a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The digit behind `2.`.
    pub minor: u8,
    /// Whether it is `2.3` itself, in which MSH-9 has no structure id.
    pub bare_2_3: bool,
    /// Whether MSH-12 is a version of HL7 2 (or empty).
    pub supported: bool,
}

impl Version {
    fn read(text: &str) -> Self {
        let text = text.trim();
        let (minor, supported) = match text.strip_prefix("2.") {
            Some(rest) => {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                (digits.parse().unwrap_or(3), !digits.is_empty())
            }
            None => (3, text.is_empty() || text == "2"),
        };
        Self { minor, bare_2_3: minor < 3 || text == "2.3" || text.is_empty(), supported }
    }
}

/// When an acknowledgement is wanted (HL7 table 0155).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Not said.
    Unset,
    /// AL.
    Always,
    /// NE.
    Never,
    /// ER.
    OnError,
    /// SU.
    OnSuccess,
}

impl Condition {
    fn read(text: &str) -> Self {
        match text.trim().to_ascii_uppercase().as_str() {
            "AL" => Self::Always,
            "NE" => Self::Never,
            "ER" => Self::OnError,
            "SU" => Self::OnSuccess,
            _ => Self::Unset,
        }
    }

    /// Whether it is met.
    #[must_use]
    pub fn wants(self, success: bool) -> bool {
        match self {
            Self::Unset | Self::Always => true,
            Self::Never => false,
            Self::OnError => !success,
            Self::OnSuccess => success,
        }
    }
}

impl Header {
    /// The header of a message that could be read.
    #[must_use]
    pub fn of(text: &Text, message: &Message<'_>) -> Self {
        let mut header = Self::from_raw(text.header.clone(), text.charset);
        if let Some(rf1) = message.first("RF1") {
            let separator = message.delimiters().field;
            header.echo.rf1 = rf1.raw().split(separator).skip(1).map(str::to_owned).collect();
        }
        header.answers = message.first("MSA").is_some();
        header.echo.segments = message.all("PRD").chain(message.first("PID")).map(|segment| segment.raw().to_owned()).collect();
        header
    }

    /// The header of a message of which no more than MSH can be read.
    ///
    /// # Errors
    /// Not even that can be read: there is nothing to answer.
    pub fn of_fragment(body: &[u8]) -> Result<Self, crate::protocols::hl7::Unreadable> {
        if let Some(raw) = RawHeader::read_wide(body) {
            return Ok(Self::from_raw(raw, Charset::ascii()));
        }
        let first_line = body.split(|byte| *byte == b'\r').find(|line| !line.is_empty()).unwrap_or_default();
        let raw = RawHeader::read(body)?;
        let mut limits = crate::protocols::hl7::ReadLimits::default();
        limits.delimiters_max = limits.delimiters_max.min(2_000);
        let charset = Text::read(first_line, limits).map(|text| text.charset)?;
        Ok(Self::from_raw(raw, charset))
    }

    fn from_raw(raw: RawHeader, charset: Charset) -> Self {
        let kind = raw.text(9);
        let mut parts = kind.split([raw.delimiters.component, raw.delimiters.repetition]);
        let mut part = || parts.next().unwrap_or_default().trim().to_ascii_uppercase();
        let (message_type, event) = (part(), part());
        let version = raw.text(12);
        let version = Version::read(version.split(raw.delimiters.component).next().unwrap_or_default());
        let (accept, application) = (Condition::read(&raw.text(15)), Condition::read(&raw.text(16)));
        Self { raw, charset, message_type, event, version, accept, application, echo: Echo::default(), answers: false }
    }

    /// Whether its kind has RF1, where numbers stand; others have ORC.
    #[must_use]
    pub fn has_rf1(&self) -> bool {
        matches!(self.message_type.as_str(), "REF" | "RRI")
    }

    /// Whether this is itself an acknowledgement: such a message is never answered.
    #[must_use]
    pub fn is_acknowledgement(&self) -> bool {
        matches!(self.message_type.as_str(), "ACK" | "MCF")
    }

    /// `MSH-3|MSH-4`: who sent it.
    #[must_use]
    pub fn sender(&self) -> String {
        format!("{}|{}", self.raw.text(3), self.raw.text(4))
    }

    /// The first components of MSH-3 and MSH-4: `APP|FACILITY`.
    #[must_use]
    pub fn short_sender(&self) -> String {
        format!("{}|{}", self.first_component(3), self.first_component(4))
    }

    /// The first component of MSH-n that is valued: an application or facility whose first is empty is named by its OID.
    #[must_use]
    pub fn first_component(&self, number: usize) -> String {
        let text = self.raw.text(number);
        text.split(self.raw.delimiters.component).map(str::trim).find(|part| !part.is_empty()).unwrap_or_default().to_owned()
    }
}

/// Whether the sender must mend the message, or may send it again as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalLevel {
    /// AE: the content is wrong; sent again, it is refused again.
    Error,
    /// AR: not for us.
    Reject,
    /// AR; as an accept acknowledgement CE: it cannot be kept, for its size or for trouble of the store.
    NotKept,
}

/// Why a message is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// AE or AR.
    pub level: RefusalLevel,
    /// HL7 table 0357.
    pub code: u16,
    /// Where, `MSH^1^9^1^1`: segment, its occurrence, field, repetition, component.
    pub location: String,
    /// What is wrong and what to do, without patient data.
    pub text: String,
}

impl Refusal {
    /// AR: not for us.
    #[must_use]
    pub fn reject(code: u16, location: &str, text: impl Into<String>) -> Self {
        Self { level: RefusalLevel::Reject, code, location: location.to_owned(), text: text.into() }
    }

    /// AR or CE: it cannot be kept.
    #[must_use]
    pub fn not_kept(code: u16, text: impl Into<String>) -> Self {
        Self { level: RefusalLevel::NotKept, ..Self::reject(code, "MSH^1", text) }
    }

    /// AE: the content is wrong.
    #[must_use]
    pub fn error(code: u16, location: &str, text: impl Into<String>) -> Self {
        Self { level: RefusalLevel::Error, code, location: location.to_owned(), text: text.into() }
    }

    /// A change, cancel or status request for a referral that is not known.
    #[must_use]
    pub fn unknown_referral(header: &Header) -> Self {
        let (location, new) = if header.has_rf1() { ("RF1^1^6", "REF^I12") } else { ("ORC^1^2", "OMG^O19") };
        let text = format!("no referral with this number is known here for this patient: send it as a new one ({new}) first");
        Self::error(204, location, text)
    }

    /// A control id that the sender used before for other content, on a channel that takes this for an error.
    #[must_use]
    pub fn reused_control_id() -> Self {
        Self::error(205, "MSH^1^10", "MSH-10 was used before for another message: give each message its own")
    }

    /// A frame that broke off.
    #[must_use]
    pub fn truncated() -> Self {
        Self::reject(100, "MSH^1", "the message broke off before its end: send it again")
    }

    /// A frame over the cap.
    #[must_use]
    pub fn too_large(frame_bytes_max: usize) -> Self {
        Self::not_kept(104, format!("the message is larger than the {frame_bytes_max} bytes taken here"))
    }

    /// The store cannot write now.
    #[must_use]
    pub fn try_later() -> Self {
        Self::not_kept(207, "the message could not be stored now and was not taken: send it again later")
    }
}

/// Something tolerated that the sender should know: returned with a positive answer from version 2.5 on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// HL7 table 0357.
    pub code: u16,
    /// Where, like [`Refusal::location`].
    pub location: String,
    /// What, without patient data.
    pub text: String,
}

impl Warning {
    /// MSH-10 was used before, for other content: the message was taken as a new one.
    #[must_use]
    pub fn reused_control_id() -> Self {
        let text = "MSH-10 was used before for another message; this one was taken as new".to_owned();
        Self { code: 205, location: "MSH^1^10".to_owned(), text }
    }
}

/// The words of HL7 table 0357.
#[must_use]
pub fn code_text(code: u16) -> &'static str {
    match code {
        0 => "Message accepted",
        100 => "Segment sequence error",
        101 => "Required field missing",
        102 => "Data type error",
        103 => "Table value not found",
        104 => "Value too long",
        198 => "Non-Conformant Cardinality",
        200 => "Unsupported message type",
        201 => "Unsupported event code",
        202 => "Unsupported processing id",
        203 => "Unsupported version id",
        204 => "Unknown key identifier",
        205 => "Duplicate key identifier",
        206 => "Application record locked",
        _ => "Application error",
    }
}
