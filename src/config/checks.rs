//! Checks of single values: is this a fax number, a mail address, an NPI? Each says what is wrong and what would be right.

use std::net::SocketAddr;

use phonenumber::{Mode, country};

use crate::{
    normalize::{fax, hl7},
    referral::checks::npi_is_sound,
};

/// What a check may need to know of the site.
#[derive(Clone, Copy)]
pub(super) struct Site {
    /// Where numbers without a country code are.
    pub(super) region: country::Id,
}

/// What is wrong, and what would be right.
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) help: String,
}

/// A check of a text.
pub(super) type Check = fn(&str, Site) -> Result<(), Complaint>;

fn complain(message: impl Into<String>, help: impl Into<String>) -> Result<(), Complaint> {
    Err(Complaint { message: message.into(), help: help.into() })
}

/// Text that is printed on pages and in mail headers: one line, not empty.
pub(super) fn one_line(text: &str, _: Site) -> Result<(), Complaint> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return complain("must be one line of text", "write it without line breaks, and not empty");
    }
    Ok(())
}

/// What a form calls something: it is looked for among at most seven words of a page.
pub(super) fn label(text: &str, _: Site) -> Result<(), Complaint> {
    if fax::folded(text).chars().count() < 2 || text.split_whitespace().count() > fax::LABEL_WORDS_MAX {
        return complain(
            "cannot be found on a page",
            format!("write the words of the form, two letters at least and {} words at most", fax::LABEL_WORDS_MAX),
        );
    }
    Ok(())
}

/// tracing's filter directives, of which those of a level or of one for a module are taken: a word alone is a module's name to tracing,
/// so that `inof` would turn everything else off.
pub(super) fn log_filter(text: &str, _: Site) -> Result<(), Complaint> {
    let is_level = |word: &str| !word.is_empty() && word.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    let is_module =
        |word: &str| word.split("::").all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'));
    let directive = |one: &str| match one.trim().split_once('=') {
        Some((module, level)) => is_module(module) && is_level(level),
        None => is_level(one.trim()),
    };
    if text.split(',').all(directive) && text.parse::<tracing_subscriber::filter::Targets>().is_ok() {
        return Ok(());
    }
    complain("is not a log filter", "write a level, or levels by module: \"info\" or \"info,loopline=debug\"")
}

/// An IANA time zone.
pub(super) fn time_zone(text: &str, _: Site) -> Result<(), Complaint> {
    if jiff::tz::TimeZone::get(text).is_ok() {
        return Ok(());
    }
    if jiff::tz::TimeZone::get("Europe/Dublin").is_err() {
        return complain("cannot be looked up: this machine has no time zone database", "install the package tzdata");
    }
    complain(
        format!("\"{text}\" is not a time zone"),
        "write an IANA name, such as \"America/Los_Angeles\" or \"Europe/Dublin\" (timedatectl list-timezones)",
    )
}

/// An ISO 3166 country.
pub(super) fn region(text: &str, _: Site) -> Result<(), Complaint> {
    match text.parse::<country::Id>() {
        Ok(_) => Ok(()),
        Err(_) => {
            complain(format!("\"{text}\" is not a region"), "write two capital letters of ISO 3166, such as \"US\" or \"IE\"")
        }
    }
}

/// An address and port to listen on.
pub(super) fn socket_address(text: &str, _: Site) -> Result<(), Complaint> {
    match text.parse::<SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_) => {
            complain("is not an address and port", "write an IP address and a port, such as \"127.0.0.1:2575\" or \"[::1]:2575\"")
        }
    }
}

/// A host name or address.
pub(super) fn host(text: &str, _: Site) -> Result<(), Complaint> {
    if text.is_empty() || text.len() > 253 || !text.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c)) {
        return complain(
            "is not a host name",
            "write a name or an address alone, such as \"mail.clinic.example\"; the port is a key of its own",
        );
    }
    Ok(())
}

/// SHA-256 of a certificate.
pub(super) fn fingerprint(text: &str, _: Site) -> Result<(), Complaint> {
    match text.parse::<crate::protocols::tls::Fingerprint>() {
        Ok(_) => Ok(()),
        Err(why) => complain(
            format!("is no SHA-256 fingerprint: {why}"),
            "write what openssl x509 -noout -fingerprint -sha256 -in FILE prints behind the =",
        ),
    }
}

/// MSH-5 and MSH-6 of a destination.
pub(super) fn hl7_receiver(text: &str, _: Site) -> Result<(), Complaint> {
    if is_hl7_system(text) {
        return Ok(());
    }
    complain("is no HL7 receiver", "write MSH-5 and MSH-6 with a bar between: \"EPIC|ST MARY\"")
}

/// Whether it is an `APPLICATION|FACILITY`.
fn is_hl7_system(text: &str) -> bool {
    text.split('|').count() == 2 && text != "|" && !text.chars().any(char::is_control)
}

/// MSH-3 and MSH-4 of a sender.
pub(super) fn hl7_sender(text: &str, _: Site) -> Result<(), Complaint> {
    if is_hl7_system(text) {
        return Ok(());
    }
    complain("is no HL7 sender", "write MSH-3 and MSH-4 with a bar between: \"EPIC|ST MARY\"")
}

/// A mail address.
pub(super) fn email(text: &str, _: Site) -> Result<(), Complaint> {
    match text.parse::<lettre::Address>() {
        Ok(_) => Ok(()),
        Err(_) => complain("is not a mail address", "write the address alone, such as \"referrals@clinic.example\""),
    }
}

/// A fax number.
pub(super) fn fax_number(text: &str, site: Site) -> Result<(), Complaint> {
    match e164(text, site) {
        Some(_) => Ok(()),
        None => complain(
            "is not a telephone number",
            format!("write it with its country code, such as \"+1 503 555 0142\", or as it is dialled within {:?}", site.region),
        ),
    }
}

/// The number with its country code, `+15035550142`; none when it is no number that could be dialled.
pub(super) fn e164(text: &str, site: Site) -> Option<String> {
    let number = phonenumber::parse(Some(site.region), text).ok()?;
    phonenumber::is_valid(&number).then(|| number.format().mode(Mode::E164).to_string())
}

/// A National Provider Identifier: ten digits, the last a check digit (Luhn over `80840` and the number).
pub(super) fn npi(text: &str, _: Site) -> Result<(), Complaint> {
    if text.len() != 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return complain("is not an NPI", "an NPI has ten digits");
    }
    if !npi_is_sound(text) {
        return complain("is an NPI whose check digit is wrong", "compare it with the NPI registry: two digits may be swapped");
    }
    Ok(())
}

/// A path into an HL7 message.
pub(super) fn path(text: &str, _: Site) -> Result<(), Complaint> {
    hl7::Path::parse(text).map(drop).map_err(|hl7::PathError { message, help }| Complaint { message, help })
}

/// A condition that a message must meet.
pub(super) fn condition(text: &str, _: Site) -> Result<(), Complaint> {
    hl7::Filter::parse(text).map(drop).map_err(|hl7::PathError { message, help }| Complaint { message, help })
}

/// MSH-11: one letter, by HL7 table 0103.
pub(super) fn processing_id(text: &str, _: Site) -> Result<(), Complaint> {
    if matches!(text, "P" | "T" | "D") {
        return Ok(());
    }
    complain("is not a processing id", "HL7 table 0103 has \"P\" (production), \"T\" (training) and \"D\" (debugging)")
}
