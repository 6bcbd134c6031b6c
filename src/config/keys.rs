//! Every key that a configuration file may have: its shape, whether it must be there, its default.
//!
//! # Design notes
//! The types in `model.rs`, `inbound/` and `outbound/` say the same to serde. This second description exists because serde stops at the
//! first mistake and knows neither ranges nor what to suggest; the test `the_description_and_the_types_agree` fails when one of
//! the two is changed alone. A new connector adds its table here.

use super::{
    checks::{self, Check},
    profiles,
};
use crate::normalize::fax;

/// What a value must be.
pub(super) enum Shape {
    /// Any text that is not empty.
    Text,
    /// A text that passes a check.
    Checked(Check),
    /// A path; relative ones are completed.
    Path,
    /// The name of an outbound channel.
    Channel,
    /// The name of a directory entry.
    DirectoryEntry,
    /// A whole number within limits, both included.
    Integer(i64, i64),
    /// A number within limits, both included.
    Number(f64, f64),
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of such.
    List(&'static Shape),
    /// A table with these keys.
    Table(&'static [Key]),
    /// A table with any keys and such values.
    Map(&'static Shape),
    /// Anything; what it should be, in words. Its own check looks into it.
    Free(&'static str),
    /// A table with exactly one of these keys.
    Choice(&'static [Key]),
}

/// One key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) need: Need,
}

/// Whether a key must be there.
pub(super) enum Need {
    /// It must.
    Required,
    /// It may be left out, and then means this TOML value.
    Default(&'static str),
    /// It may be left out, and then there is none.
    Optional,
}

const fn required(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, need: Need::Required }
}
pub(super) const fn optional(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, need: Need::Optional }
}
pub(super) const fn default(name: &'static str, shape: Shape, value: &'static str) -> Key {
    Key { name, shape, need: Need::Default(value) }
}

const BYTES: Shape = Shape::Integer(1_024, 1 << 40);
const SECONDS: Shape = Shape::Integer(1, 31_536_000);
const FRACTIONAL_SECONDS: Shape = Shape::Number(0.05, 86_400.0);
const TEXTS: Shape = Shape::List(&Shape::Text);

/// `loopline.toml`.
pub(super) const SETTINGS: &[Key] = &[
    default("data", Shape::Path, "\"data\""),
    default("channels", Shape::Path, "\"channels\""),
    default("log", Shape::OneOf(&["human", "json"]), "\"human\""),
    default("log_filter", Shape::Checked(checks::log_filter), "\"info\""),
    default("site_name", Shape::Checked(checks::one_line), "\"Loopline\""),
    default("time_zone", Shape::Checked(checks::time_zone), "\"America/Los_Angeles\""),
    default("region", Shape::Checked(checks::region), "\"US\""),
    optional("limits", Shape::Table(LIMITS)),
];

const LIMITS: &[Key] = &[
    default("reader_workers", Shape::Integer(1, 256), "2"),
    default("reader_memory_bytes_max", Shape::Integer(134_217_728, 1 << 40), "1_073_741_824"),
    default("reader_cpu_seconds_max", SECONDS, "900"),
    default("reader_wall_seconds_max", SECONDS, "1_800"),
    default("reader_pages_max", Shape::Integer(1, 10_000), "200"),
    default("document_attempts_max", Shape::Integer(1, 100), "2"),
    default("document_set_aside_seconds", SECONDS, "600"),
    default("delivery_attempts_max", Shape::Integer(1, 1_000), "12"),
    default("delivery_backoff_seconds", SECONDS, "5"),
    default("delivery_backoff_seconds_max", SECONDS, "3_600"),
    default("index_cache_bytes", BYTES, "16_777_216"),
];

/// A file of `channels/`.
pub(super) const CHANNEL: &[Key] = &[
    optional("inbound", Shape::Choice(INBOUND)),
    optional("outbound", Shape::Choice(OUTBOUND)),
    optional("acknowledge", Shape::Table(ACKNOWLEDGE)),
    optional("route", Shape::Table(ROUTE)),
    default("forward", Shape::List(&Shape::Table(ROUTE_TARGET)), "[]"),
    optional("documents", Shape::Table(DOCUMENTS)),
    optional("profile", profiles::CHANNEL_PROFILE),
    optional("map", profiles::MAP),
    optional("accept", profiles::ACCEPT),
];

/// The same for an inbound channel in effect: what it leaves out holds by default.
pub(super) const INBOUND_CHANNEL: &[Key] = &[
    optional("inbound", Shape::Choice(INBOUND)),
    default("acknowledge", Shape::Table(ACKNOWLEDGE), "{}"),
    default("route", Shape::Table(ROUTE), "{}"),
    default("forward", Shape::List(&Shape::Table(ROUTE_TARGET)), "[]"),
    optional("documents", Shape::Table(DOCUMENTS)),
    optional("profile", profiles::CHANNEL_PROFILE),
    optional("map", profiles::MAP),
    optional("accept", profiles::ACCEPT),
];

const INBOUND: &[Key] =
    &[optional("mllp", Shape::Table(MLLP)), optional("folder", Shape::Table(FOLDER)), optional("mailbox", Shape::Table(MAILBOX))];

const MLLP: &[Key] = &[
    required("listen", Shape::Checked(checks::socket_address)),
    default("plaintext", Shape::Boolean, "false"),
    default("frame_bytes_max", Shape::Integer(1_024, 1 << 26), "67_108_864"),
    default("large_frames_max", Shape::Integer(1, 1_024), "8"),
    default("connections_max", Shape::Integer(1, 65_536), "256"),
    default("connections_per_peer_max", Shape::Integer(1, 65_536), "128"),
    default("messages_in_flight_max", Shape::Integer(1, 65_536), "256"),
    default("idle_seconds_max", SECONDS, "86_400"),
    default("frame_seconds_max", SECONDS, "120"),
    default("answer_seconds_max", SECONDS, "30"),
    default("batch_messages_max", Shape::Integer(1, 100_000), "1_000"),
    default("batch_answers", Shape::OneOf(&["each", "batch"]), "\"each\""),
    default("commit_blocks", Shape::Boolean, "false"),
    default("sequence_numbers", Shape::Boolean, "false"),
    optional("tls", Shape::Table(SERVER_TLS)),
];

/// `[….tls]` of what listens.
pub(super) const SERVER_TLS: &[Key] = &[
    required("certificate_file", Shape::Path),
    required("key_file", Shape::Path),
    optional("client_ca_file", Shape::Path),
    default("client_fingerprints", Shape::List(&Shape::Checked(checks::fingerprint)), "[]"),
    default("client_names", TEXTS, "[]"),
    default("handshake_seconds_max", SECONDS, "10"),
];

/// `[….tls]` of what connects.
pub(super) const CLIENT_TLS: &[Key] = &[
    optional("ca_file", Shape::Path),
    optional("server_name", Shape::Checked(checks::host)),
    default("server_fingerprints", Shape::List(&Shape::Checked(checks::fingerprint)), "[]"),
    optional("certificate_file", Shape::Path),
    optional("key_file", Shape::Path),
    default("handshake_seconds_max", SECONDS, "10"),
];

const FOLDER: &[Key] = &[
    required("path", Shape::Path),
    default("stable_after_seconds", FRACTIONAL_SECONDS, "2.0"),
    default("poll_seconds", FRACTIONAL_SECONDS, "5.0"),
    default("file_bytes_max", BYTES, "134_217_728"),
];

const MAILBOX: &[Key] = &[
    required("maildir", Shape::Path),
    default("stable_after_seconds", FRACTIONAL_SECONDS, "1.0"),
    default("poll_seconds", FRACTIONAL_SECONDS, "5.0"),
    default("mail_bytes_max", BYTES, "67_108_864"),
];

/// `[documents]`: how faxes of a folder or mailbox are read.
const DOCUMENTS: &[Key] = &[
    default("review_below", Shape::Number(0.5, 1.0), "0.95"),
    optional("date_order", Shape::OneOf(&["month-first", "day-first"])),
    default("own_names", TEXTS, "[]"),
    default("read_first", Shape::Boolean, "false"),
];

const OUTBOUND: &[Key] =
    &[optional("email", Shape::Table(EMAIL)), optional("fax", Shape::Table(FAX)), optional("mllp", Shape::Table(MLLP_OUT))];

const MLLP_OUT: &[Key] = &[
    required("host", Shape::Checked(checks::host)),
    required("port", Shape::Integer(1, 65_535)),
    default("plaintext", Shape::Boolean, "false"),
    default("version", Shape::OneOf(&["2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8"]), "\"2.5.1\""),
    default("sending_application", Shape::Checked(checks::one_line), "\"LOOPLINE\""),
    optional("sending_facility", Shape::Checked(checks::one_line)),
    optional("receiving_application", Shape::Checked(checks::one_line)),
    optional("receiving_facility", Shape::Checked(checks::one_line)),
    default("processing_id", Shape::Checked(checks::processing_id), "\"P\""),
    default("character_set", Shape::OneOf(&["UNICODE UTF-8", "8859/1"]), "\"UNICODE UTF-8\""),
    default("mode", Shape::OneOf(&["original", "enhanced"]), "\"original\""),
    default("attachments", Shape::Boolean, "true"),
    default("attachments_bytes_max", BYTES, "20_971_520"),
    default("connect_seconds_max", SECONDS, "10"),
    default("answer_seconds_max", SECONDS, "30"),
    default("answer_bytes_max", Shape::Integer(1_024, 1 << 30), "1_048_576"),
    default("reconnect_seconds", SECONDS, "15"),
    optional("tls", Shape::Table(CLIENT_TLS)),
];

const EMAIL: &[Key] = &[
    required("from", Shape::Checked(checks::email)),
    optional("from_name", Shape::Checked(checks::one_line)),
    optional("maildir", Shape::Path),
    optional("smtp", Shape::Table(SMTP)),
    default("plus_address", Shape::Boolean, "true"),
    default("send_seconds_max", SECONDS, "60"),
];

const SMTP: &[Key] = &[
    required("host", Shape::Checked(checks::host)),
    required("port", Shape::Integer(1, 65_535)),
    required("security", Shape::OneOf(&["tls", "starttls", "none"])),
    optional("user", Shape::Text),
    optional("password_file", Shape::Path),
    optional("ca_file", Shape::Path),
    default("connections_max", Shape::Integer(1, 256), "4"),
];

const FAX: &[Key] = &[required("path", Shape::Path), required("return_number", Shape::Checked(checks::fax_number))];

const ACKNOWLEDGE: &[Key] = &[
    default("mode", Shape::OneOf(&["auto", "original", "enhanced"]), "\"auto\""),
    default("positive", Shape::OneOf(&["RRI", "ACK"]), "\"RRI\""),
    default("processing_ids", Shape::List(&Shape::Checked(checks::processing_id)), "[]"),
    default("senders", TEXTS, "[]"),
    optional("through", Shape::Channel),
    optional("to", Shape::DirectoryEntry),
    default("status", Shape::Boolean, "false"),
];

const ROUTE: &[Key] = &[
    default("by", Shape::List(&Shape::OneOf(&["directory", "specialty"])), "[]"),
    optional("specialty", Shape::Map(&Shape::Table(ROUTE_TARGET))),
    optional("default", Shape::Table(ROUTE_TARGET)),
];

const ROUTE_TARGET: &[Key] = &[required("through", Shape::Channel), optional("to", Shape::DirectoryEntry)];

/// `channels/site/labels.toml`
pub(super) const LABELS: &[Key] =
    &[default("label", Shape::List(&Shape::Table(LABEL)), "[]"), default("section", Shape::List(&Shape::Table(SECTION)), "[]")];

const VARIANTS: Shape = Shape::List(&Shape::Checked(checks::label));
const LABEL: &[Key] = &[
    required("meaning", Shape::OneOf(fax::MEANINGS)),
    default("colon", Shape::Boolean, "false"),
    required("variants", VARIANTS),
];
const SECTION: &[Key] = &[required("subject", Shape::OneOf(fax::SUBJECTS)), required("variants", VARIANTS)];

/// A file of `channels/site/forms/`.
pub(super) const FORM: &[Key] = &[
    default("anchors_min", Shape::Integer(fax::ANCHORS_FOUND_MIN as i64, fax::ANCHORS_MAX as i64), "4"),
    required("anchor", Shape::List(&Shape::Table(ANCHOR))),
    default("field", Shape::List(&Shape::Table(FORM_FIELD)), "[]"),
];

const BOX_MM: Shape = Shape::List(&Shape::Number(0.0, fax::PAGE_MM_MAX));
const ANCHOR: &[Key] = &[required("words", Shape::Checked(checks::label)), required("box_mm", BOX_MM)];
const FORM_FIELD: &[Key] = &[
    required("path", Shape::OneOf(fax::FORM_PATHS)),
    optional("box_mm", BOX_MM),
    optional("options", Shape::List(&Shape::Table(FORM_OPTION))),
];
const FORM_OPTION: &[Key] = &[required("value", Shape::Checked(checks::one_line)), required("box_mm", BOX_MM)];

/// `channels/site/directory.toml`: a map of these.
pub(super) const DIRECTORY: Shape = Shape::Map(&Shape::Table(DIRECTORY_ENTRY));

const DIRECTORY_ENTRY: &[Key] = &[
    required("name", Shape::Checked(checks::one_line)),
    default("aliases", TEXTS, "[]"),
    default("npi", Shape::List(&Shape::Checked(checks::npi)), "[]"),
    default("specialties", TEXTS, "[]"),
    optional("fax", Shape::Checked(checks::fax_number)),
    optional("email", Shape::Checked(checks::email)),
    optional("hl7", Shape::Checked(checks::hl7_receiver)),
    default("hl7_from", Shape::List(&Shape::Checked(checks::hl7_sender)), "[]"),
    default("trusted_tls", Shape::Boolean, "false"),
    optional("through", Shape::Channel),
];
