//! Mapping by configuration: `[map]` says where a sender puts a field of the record, as paths with fallbacks.
//!
//! ```toml
//! [map]
//! "request.reason" = ["RF1-10.2", "OBR-31.2", "NTE-3"]                                  # the first that has a value
//! "referring.organization" = { value = "Harbour Street Practice" }                      # a constant
//! "priority" = { from = "ZRF-4", table = { "1" = "urgent", "2" = "routine" }, otherwise = "unknown" }
//! ```
//!
//! It runs after the built-in reading and replaces it field by field: only where a path gives a value that can be read. The evidence
//! of such a field names the path. It is data, not a language: what needs more than this needs a change of Loopline.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use smol_str::SmolStr;

use super::{
    draft::{Draft, e164},
    paths::{Path, Reading},
    patient::read_sex,
    request::read_priority,
};
use crate::{
    protocols::hl7::read_date,
    referral::{Evidence, Priority, Record, checks::npi_is_sound, set_path},
};

/// What a field of the record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// One line.
    Line,
    /// Free text.
    Text,
    /// A date, or a date and time.
    Date,
    /// A day.
    Day,
    /// `stat`, `urgent`, `routine`, `unknown`, or a code of table 0280.
    Priority,
    /// `F`, `M`, `O`, `U`, or a code of table 0001.
    Sex,
    /// `provider`, `self`, `emergency`, `second-opinion`, `follow-up`.
    Kind,
    /// `Y` or `N`.
    YesNo,
    /// A whole number.
    Number,
    /// A phone number.
    Phone,
    /// `home`, `mobile`, `work`, `fax`.
    PhoneUse,
    /// An NPI.
    Npi,
}

/// Where the priority stands anyhow.
const USUAL_PRIORITY: &str = "RF1-2";

/// The fields that can be mapped; a 0 stands for any position of a list. Those of `referring` hold for `referred_to` too.
const FIELDS: [(&str, FieldKind); 57] = [
    ("priority", FieldKind::Priority),
    ("kind", FieldKind::Kind),
    ("authored_at", FieldKind::Date),
    ("expires_at", FieldKind::Date),
    ("patient.identifiers.0.value", FieldKind::Line),
    ("patient.identifiers.0.authority", FieldKind::Line),
    ("patient.identifiers.0.type", FieldKind::Line),
    ("patient.name.family", FieldKind::Line),
    ("patient.name.given", FieldKind::Line),
    ("patient.name.middle", FieldKind::Line),
    ("patient.name.suffix", FieldKind::Line),
    ("patient.name.prefix", FieldKind::Line),
    ("patient.birth_date", FieldKind::Day),
    ("patient.sex", FieldKind::Sex),
    ("patient.deceased", FieldKind::YesNo),
    ("patient.phones.0.number", FieldKind::Phone),
    ("patient.phones.0.use", FieldKind::PhoneUse),
    ("patient.emails.0", FieldKind::Line),
    ("patient.address.lines.0", FieldKind::Line),
    ("patient.address.city", FieldKind::Line),
    ("patient.address.state", FieldKind::Line),
    ("patient.address.postal_code", FieldKind::Line),
    ("patient.address.country", FieldKind::Line),
    ("insurance.0.payer", FieldKind::Line),
    ("insurance.0.plan", FieldKind::Line),
    ("insurance.0.member_id", FieldKind::Line),
    ("insurance.0.group", FieldKind::Line),
    ("authorization.number", FieldKind::Line),
    ("authorization.status", FieldKind::Line),
    ("authorization.from", FieldKind::Date),
    ("authorization.to", FieldKind::Date),
    ("authorization.units", FieldKind::Number),
    ("referring.name.family", FieldKind::Line),
    ("referring.name.given", FieldKind::Line),
    ("referring.name.prefix", FieldKind::Line),
    ("referring.npi", FieldKind::Npi),
    ("referring.identifiers.0.value", FieldKind::Line),
    ("referring.identifiers.0.authority", FieldKind::Line),
    ("referring.identifiers.0.type", FieldKind::Line),
    ("referring.organization", FieldKind::Line),
    ("referring.specialty", FieldKind::Line),
    ("referring.phones.0.number", FieldKind::Phone),
    ("referring.phones.0.use", FieldKind::PhoneUse),
    ("referring.emails.0", FieldKind::Line),
    ("referring.address.lines.0", FieldKind::Line),
    ("referring.address.city", FieldKind::Line),
    ("referring.address.postal_code", FieldKind::Line),
    ("request.service", FieldKind::Text),
    ("request.reason", FieldKind::Text),
    ("request.diagnoses.0.code", FieldKind::Line),
    ("request.diagnoses.0.system", FieldKind::Line),
    ("request.diagnoses.0.text", FieldKind::Text),
    ("request.procedures.0.code", FieldKind::Line),
    ("request.procedures.0.text", FieldKind::Text),
    ("request.report_expected", FieldKind::YesNo),
    ("notes.0", FieldKind::Text),
    ("appointment.at", FieldKind::Date),
];

impl FieldKind {
    /// What a field of the record holds, by its path; none: there is no such field, or it cannot be mapped.
    #[must_use]
    pub fn of(field: &str) -> Option<Self> {
        let steps: Vec<&str> = field.split('.').map(|step| if step.parse::<u16>().is_ok() { "0" } else { step }).collect();
        let plain = steps.join(".");
        let plain = plain.strip_prefix("referred_to.").map_or(plain.clone(), |rest| format!("referring.{rest}"));
        FIELDS.iter().find(|(name, _)| *name == plain).map(|(_, kind)| *kind)
    }

    /// Every field that can be mapped, for suggestions.
    pub fn names() -> impl Iterator<Item = String> {
        let twins =
            FIELDS.iter().filter_map(|(name, _)| name.strip_prefix("referring.")).map(|rest| format!("referred_to.{rest}"));
        FIELDS.iter().map(|(name, _)| (*name).to_owned()).chain(twins)
    }

    /// The words that a table or constant of the field may give; none: any text.
    #[must_use]
    pub fn words(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Priority => Some(&["stat", "urgent", "routine", "unknown"]),
            Self::Sex => Some(&["F", "M", "O", "U"]),
            Self::Kind => Some(&["provider", "self", "emergency", "second-opinion", "follow-up"]),
            Self::YesNo => Some(&["Y", "N"]),
            Self::PhoneUse => Some(&["home", "mobile", "work", "fax"]),
            Self::Line | Self::Text | Self::Date | Self::Day | Self::Number | Self::Phone | Self::Npi => None,
        }
    }

    fn reading(self) -> Reading {
        if self == Self::Text { Reading::Text } else { Reading::Part }
    }
}

/// Where a sender puts things: one rule a field, in the order of positions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeMap<String, Entry>")]
pub struct Mapping(Vec<Rule>);

/// Where one field of the record is found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// The field, `request.reason`.
    field: String,
    /// The paths, the first that gives a value wins.
    from: Vec<Path>,
    /// A constant; it needs no path.
    value: Option<String>,
    /// What the values mean; empty: they stand for themselves.
    table: BTreeMap<String, String>,
    /// What a value means that is not in the table; absent: the next path is asked.
    otherwise: Option<String>,
    /// What is taken where neither a path nor the built-in reading gives a value.
    absent: Option<String>,
}

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    One(Path),
    Several(Vec<Path>),
    Full(FullEntry),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FullEntry {
    from: Paths,
    value: Option<String>,
    table: BTreeMap<String, String>,
    otherwise: Option<String>,
    absent: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Paths {
    One(Path),
    Several(Vec<Path>),
}

impl Default for Paths {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl From<BTreeMap<String, Entry>> for Mapping {
    fn from(entries: BTreeMap<String, Entry>) -> Self {
        let mut rules: Vec<Rule> = entries.into_iter().map(|(field, entry)| Rule::of(field, entry)).collect();
        // `notes.2` before `notes.10`: a list grows by one at a time.
        rules.sort_by_cached_key(|rule| {
            let steps = rule.field.split('.').map(|step| (step.parse::<u16>().unwrap_or_default(), step.to_owned()));
            steps.collect::<Vec<_>>()
        });
        Self(rules)
    }
}

impl Rule {
    fn of(field: String, entry: Entry) -> Self {
        let full = match entry {
            Entry::One(path) => FullEntry { from: Paths::One(path), ..FullEntry::default() },
            Entry::Several(paths) => FullEntry { from: Paths::Several(paths), ..FullEntry::default() },
            Entry::Full(full) => full,
        };
        let FullEntry { from, value, table, otherwise, absent } = full;
        let from = match from {
            Paths::One(path) => vec![path],
            Paths::Several(paths) => paths,
        };
        Self { field, from, value, table, otherwise, absent }
    }

    fn meaning(&self, value: String) -> Option<String> {
        if self.table.is_empty() {
            return Some(value);
        }
        let known = self.table.iter().find(|(code, _)| code.eq_ignore_ascii_case(&value));
        known.map(|(_, meaning)| meaning.clone()).or_else(|| self.otherwise.clone())
    }
}

/// A field's new value, and where it is from.
struct Mapped {
    field: String,
    leaf: Value,
    evidence: Evidence,
    doubt: Option<(&'static str, String)>,
}

impl Draft<'_, '_> {
    /// Replaces what the built-in reading found by what the profile's mapping finds.
    pub(super) fn mapped(&mut self) {
        let profile = std::sync::Arc::clone(self.rules.profile());
        if profile.map.0.is_empty() {
            return;
        }
        let mut found = Vec::new();
        for rule in &profile.map.0 {
            let Some(kind) = FieldKind::of(&rule.field) else { continue };
            match self.find(rule, kind) {
                Ok(mapped) => found.extend(mapped),
                Err(path) => {
                    let message = format!("[map]: what {path} gives cannot be read as this field");
                    self.doubt("map-unreadable", &rule.field, message);
                }
            }
        }
        self.forget_whose(&found, &profile.map);
        self.put(found);
    }

    /// A number that is put in the place of another is not that one's issuer's, and not of its kind, unless the mapping says so.
    fn forget_whose(&mut self, found: &[Mapped], map: &Mapping) {
        for field in found.iter().map(|mapped| mapped.field.as_str()) {
            let Some((list, at)) = field.strip_suffix(".value").and_then(|entry| entry.split_once(".identifiers.")) else {
                continue;
            };
            let record = &mut self.record;
            let numbers = match list {
                "patient" => &mut record.patient.identifiers,
                "referring" => &mut record.referring.identifiers,
                _ => &mut record.referred_to.identifiers,
            };
            let Some(number) = at.parse::<usize>().ok().and_then(|at| numbers.get_mut(at)) else { continue };
            let is_mapped = |part: &str| map.0.iter().any(|rule| rule.field == format!("{list}.identifiers.{at}.{part}"));
            if !is_mapped("authority") {
                number.authority = None;
            }
            if !is_mapped("type") {
                number.kind = None;
            }
        }
    }

    /// What a rule gives; the path whose value cannot be read, where no other path gives one.
    fn find(&self, rule: &Rule, kind: FieldKind) -> Result<Option<Mapped>, String> {
        let mapped = |leaf, evidence, doubt| Mapped { field: rule.field.clone(), leaf, evidence, doubt };
        let from_configuration = |word: &str| Evidence { confidence: 1.0, path: Some(word.into()), ..Evidence::default() };
        if let Some(value) = &rule.value {
            return Ok(self.leaf(kind, value).map(|(leaf, doubt)| mapped(leaf, from_configuration("value"), doubt)));
        }
        let (mut unreadable, mut unknown) = (None, None);
        for path in &rule.from {
            for hit in path.hits(self.message, kind.reading()) {
                let raw = hit.value.clone();
                let Some(meaning) = rule.meaning(hit.value) else {
                    // How urgent it is must not be passed over: what the code means is told by the next path alone.
                    unknown = unknown.or(Some(path).filter(|_| kind == FieldKind::Priority));
                    continue;
                };
                let Some((leaf, doubt)) = self.leaf(kind, &meaning) else {
                    unreadable.get_or_insert_with(|| path.to_string());
                    continue;
                };
                let text = Some(raw.into()).filter(|raw: &SmolStr| leaf.as_str() != Some(raw));
                let evidence = Evidence {
                    confidence: 1.0,
                    text,
                    location: Some(hit.location.into()),
                    path: Some(path.to_string().into()),
                    ..Evidence::default()
                };
                let doubt = doubt.or_else(|| {
                    let unknown = unknown.as_ref()?;
                    let text = format!("[map]: the code at {unknown} is not in its table, and {path} was taken instead");
                    Some(("map-code-unknown", text))
                });
                return Ok(Some(mapped(leaf, evidence, doubt)));
            }
        }
        // Where the priority stands anyhow, the built-in reading knows the codes.
        let unknown = unknown.filter(|path| path.field_name() != USUAL_PRIORITY).map(ToString::to_string);
        if let Some(path) = unreadable.or(unknown) {
            return Err(path);
        }
        let absent = rule.absent.as_ref().filter(|_| !self.record.evidence.contains_key(rule.field.as_str()));
        Ok(absent.and_then(|value| self.leaf(kind, value).map(|(leaf, doubt)| mapped(leaf, from_configuration("absent"), doubt))))
    }

    /// A value as the record writes it; none: it cannot be read as that.
    fn leaf(&self, kind: FieldKind, value: &str) -> Option<(Value, Option<(&'static str, String)>)> {
        let plain = |text: String| Some((Value::String(text), None));
        match kind {
            FieldKind::Line | FieldKind::Text => plain(value.to_owned()),
            FieldKind::Date => read_date(value).ok().and_then(|date| plain(self.in_zone(date).iso)),
            FieldKind::Day => read_date(value).ok().and_then(|date| plain(date.iso.chars().take(10).collect())),
            FieldKind::Priority => {
                let known = if value == "unknown" { Some(Priority::Unknown) } else { None };
                let priority = known.or_else(|| self.rules.profile().codes.priority(value)).or_else(|| read_priority(value))?;
                Some((serde_json::to_value(priority).ok()?, None))
            }
            FieldKind::Sex => {
                let sex = self.rules.profile().codes.sex(value).or_else(|| read_sex(value))?;
                Some((serde_json::to_value(sex).ok()?, None))
            }
            FieldKind::Kind | FieldKind::PhoneUse => {
                let word = value.to_ascii_lowercase();
                kind.words()?.contains(&word.as_str()).then(|| (Value::String(word), None))
            }
            FieldKind::YesNo => match value.to_ascii_uppercase().as_str() {
                "Y" | "YES" | "TRUE" | "1" => Some((Value::Bool(true), None)),
                "N" | "NO" | "FALSE" | "0" => Some((Value::Bool(false), None)),
                _ => None,
            },
            FieldKind::Number => value.parse::<u32>().ok().map(|number| (Value::from(number), None)),
            FieldKind::Phone => match e164(value, &self.rules.region) {
                Some(number) => plain(number),
                None => {
                    let doubt =
                        ("phone-unreadable", "[map]: this is no phone number of the region: it was kept as sent".to_owned());
                    Some((Value::String(value.to_owned()), Some(doubt)))
                }
            },
            FieldKind::Npi => {
                let doubt =
                    (!npi_is_sound(value)).then(|| ("npi-check-digit", "[map]: the NPI fails its check digit".to_owned()));
                Some((Value::String(value.to_owned()), doubt))
            }
        }
    }

    /// Writes the values into the record. Together first: some need each other (a phone's use needs its number).
    fn put(&mut self, found: Vec<Mapped>) {
        let Ok(mut value) = serde_json::to_value(&self.record) else { return };
        let together = found.iter().try_for_each(|mapped| set_path(&mut value, &mapped.field, mapped.leaf.clone()));
        if let (Ok(()), Ok(record)) = (together, serde_json::from_value::<Box<Record>>(value)) {
            self.record = record;
            found.into_iter().for_each(|mapped| self.noted(mapped));
            return;
        }
        for mapped in found {
            let one = serde_json::to_value(&self.record).map_err(|error| error.to_string()).and_then(|mut value| {
                set_path(&mut value, &mapped.field, mapped.leaf.clone())?;
                serde_json::from_value::<Box<Record>>(value)
                    .map_err(|_| format!("{} needs another field beside it", mapped.field))
            });
            match one {
                Ok(record) => {
                    self.record = record;
                    self.noted(mapped);
                }
                Err(why) => self.doubt("map-incomplete", &mapped.field, format!("[map]: {why}: it was left out")),
            }
        }
    }

    /// What the built-in reading said of the field does not hold any more.
    fn noted(&mut self, mapped: Mapped) {
        let Mapped { field, evidence, doubt, .. } = mapped;
        self.record.problems.retain(|problem| problem.field.as_ref() != Some(&field));
        self.record.review.retain(|path| *path != field);
        self.record.evidence.insert(field.as_str().into(), evidence);
        if let Some((code, message)) = doubt {
            self.doubt(code, &field, message);
        }
    }
}

#[cfg(test)]
mod tests;
