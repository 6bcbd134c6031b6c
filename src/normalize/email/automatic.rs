//! Whether a machine wrote a mail: out-of-office notes, ticket robots.

use std::sync::LazyLock;

use mail_parser::Message;
use regex::Regex;

use super::read::{Mail, header};

/// Subjects that only machines write.
static AUTOMATIC_SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)^\s*(?:re:\s*)?(?:automatic reply|auto(?:matic)?[ -]?(?:reply|response|responder|antwort)\b|autoreply|out of (?:the )?office|ooo:|auto:|abwesenheit|automatische antwort|réponse automatique|absence du bureau|respuesta automática|fuera de (?:la )?oficina|vacation\b|away from (?:the|my) office|thank you for (?:your (?:e-?mail|message|inquiry|enquiry)|contacting))",
    )
    .expect("the pattern is fixed and compiles")
});
/// Addresses that no person writes from.
static NOBODY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?:no|do[-._]?not)[-._]?reply\b|^(?:mailer-daemon|postmaster|bounces?)@")
        .expect("the pattern is fixed and compiles")
});
/// What a ticket robot says of itself.
static TICKET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(?:\b(?:ticket|case|request) (?:number |id |no\.? ?)?#?\s?\[?[A-Z-]{0,5}\d{2,}\b.{0,80}\b(?:has been|was) (?:created|opened|received|logged|assigned)|\byour (?:request|ticket|inquiry|enquiry|e-?mail|message) (?:has been|was) (?:created|opened|received|logged|assigned)\b|\bthis is an automat(?:ed|ic) (?:reply|response|message|e-?mail|acknowledg))",
    )
    .expect("the pattern is fixed and compiles")
});

/// Whether a machine wrote it (RFC 3834 section 5 and what came before it). Scanners and fax servers are machines too: it says nothing
/// of what is attached.
///
/// `Precedence: list` and `X-Auto-Response-Suppress` are no sign: a shared desk's list server sets them on people's answers too.
pub(super) fn automatic(message: &Message<'_>, mail: &Mail, null_sender: bool) -> Option<&'static str> {
    let is = |name: &str, values: &[&str]| {
        header(message, name).is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            values.iter().any(|known| value.split([';', ' ']).next() == Some(known))
        })
    };
    if header(message, "Auto-Submitted").is_some() && !is("Auto-Submitted", &["no"]) {
        return Some("Auto-Submitted");
    }
    if is("Precedence", &["bulk", "junk", "auto_reply", "auto-reply"]) {
        return Some("Precedence");
    }
    for name in ["X-Autoreply", "X-Autorespond", "X-Autoresponse", "X-AutoReply-From", "X-Mail-Autoreply", "X-Vacation"] {
        if header(message, name).is_some() && !is(name, &["no", "false"]) {
            return Some("X-Autoreply");
        }
    }
    if null_sender {
        return Some("null sender");
    }
    if mail.from.as_deref().is_some_and(|from| NOBODY.is_match(from)) {
        return Some("an address that takes no mail");
    }
    if AUTOMATIC_SUBJECT.is_match(&mail.subject) {
        return Some("subject");
    }
    TICKET.is_match(&mail.words.replace('\n', " ")).then_some("a ticket robot's words")
}
