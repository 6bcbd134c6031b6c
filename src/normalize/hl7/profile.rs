//! What differs per sender, as a table of configuration: time zone, code maps, which number is whose, what is tolerated.
//!
//! A [`Profile`] is what one kind of sender does; [`Profiles`] are those of one channel, chosen by MSH-3 and MSH-4. The keys and
//! their defaults are those of `channels/site/profiles/*.toml`; a profile without any key reads by the built-in rules alone.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use smol_str::format_smolstr;

use super::{
    Header, Hl7Rules, Refusal, Warning,
    draft::Draft,
    keys::Number,
    mapping::Mapping,
    numbers::NumberCheck,
    paths::{Path, Reading},
    purpose::Purpose,
};
use crate::{
    normalize::Event,
    protocols::hl7::Message,
    referral::{Identifier, Priority, Problem, Sex},
};

/// What one kind of sender does.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// The zone of times that are sent without an offset, IANA; absent: the site's.
    pub time_zone: Option<String>,
    /// The region that phone numbers without a country are read in, ISO 3166; absent: the site's.
    pub region: Option<String>,
    /// Whether a message control id (MSH-10) names one message: false where it is constant or counts anew. A repeat is then told by
    /// its content alone, and a control id that comes again is nothing to tell the sender.
    pub control_ids_unique: bool,
    /// What an empty MSH-11 is taken for: `P`, `T` or `D`, or `refuse`.
    pub blank_processing_id: String,
    /// Old trigger events that are taken for new referrals: `I11`.
    pub old_events: Vec<String>,
    /// Where the number of the referral stands, the first found wins; empty: the built-in chain.
    pub referral_id: Vec<Path>,
    /// Which of the patient's numbers comes first in the record, the best rule first.
    pub patient_number: Vec<NumberRule>,
    /// Which check digit the patient's numbers have, by their type or authority.
    pub number_checks: BTreeMap<String, NumberCheck>,
    /// What the sender's codes mean.
    pub codes: Codes,
    /// What the sender calls its consultation reports.
    pub reports: Reports,
    /// What is refused that is usually tolerated.
    pub strict: Strict,
    /// Where the sender puts things.
    pub map: Mapping,
    /// Which messages are taken.
    pub accept: Accept,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            time_zone: None,
            region: None,
            control_ids_unique: true,
            blank_processing_id: "P".to_owned(),
            old_events: Vec::new(),
            referral_id: Vec::new(),
            patient_number: Vec::new(),
            number_checks: BTreeMap::new(),
            codes: Codes::default(),
            reports: Reports::default(),
            strict: Strict::default(),
            map: Mapping::default(),
            accept: Accept::default(),
        }
    }
}

/// A rule that a patient's number is known by: its type, its authority, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberRule {
    /// PID-3.5: `MR`, `NHS`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// PID-3.4.
    pub authority: Option<String>,
}

/// What codes mean; they are compared without regard to case, before the built-in tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Codes {
    /// RF1-2, and where else the priority stands.
    pub priority: BTreeMap<String, Priority>,
    /// PID-8.
    pub sex: BTreeMap<String, Sex>,
    /// RF1-1 of a REF^I12, where a status says what the event should: in New Zealand `R` revokes.
    pub event: BTreeMap<String, Event>,
}

/// What a sender calls its consultation reports, beside the built-in codes and titles; case does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reports {
    /// Codes of a report, in OBX-3, OBR-4 or TXA-2.
    pub codes: Vec<String>,
    /// What is in the title of a report (OBX-3, TXA-2): it closes the referral.
    pub titles: Vec<String>,
    /// What is in the title of a paper that is no report.
    pub other_titles: Vec<String>,
}

/// What is refused that is usually tolerated.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Strict {
    /// RF1 without a number of the referral, here or anywhere: AE 101.
    pub referral_id: bool,
    /// A control id that was used before, for other content: AE 205.
    pub control_id_reuse: bool,
    /// A document in OBX that does not decode: AE 102.
    pub attachments: bool,
    /// A change, cancel or status request for a referral that is not known.
    pub unknown_referral: UnknownReferral,
    /// How long such a message waits for its referral.
    pub park_minutes: u32,
}

impl Default for Strict {
    fn default() -> Self {
        Self {
            referral_id: false,
            control_id_reuse: false,
            attachments: false,
            unknown_referral: UnknownReferral::Refuse,
            park_minutes: 15,
        }
    }
}

/// What becomes of a change, cancel or status request for a referral that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownReferral {
    /// AE 204.
    #[default]
    Refuse,
    /// Taken, and tried again until its referral came or the time is over; then a person must look.
    Park,
}

/// Which messages are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accept {
    /// All of these must hold.
    #[serde(rename = "where")]
    pub conditions: Vec<Filter>,
    /// How others are refused.
    pub answer: Answer,
    /// What their sender is told; absent: which condition does not hold.
    pub text: Option<String>,
}

/// How a message that is not taken is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Answer {
    /// AR 207: not for us.
    #[default]
    AR,
    /// AE 103: its content is wrong.
    AE,
}

/// `PATH`, `PATH = A | B` or `PATH != A | B`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Filter {
    text: String,
    path: Path,
    holds_when: HoldsWhen,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HoldsWhen {
    Valued,
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
}

impl TryFrom<String> for Filter {
    type Error = super::PathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl Filter {
    /// Reads a condition.
    ///
    /// # Errors
    /// Its path is none, or nothing stands behind the equals sign.
    pub fn parse(text: &str) -> Result<Self, super::PathError> {
        // A path may itself hold an equals sign, in brackets: the one that compares stands between blanks.
        let (path, values, negated) = if let Some((path, values)) = text.split_once(" != ") {
            (path, Some(values), true)
        } else if let Some((path, values)) = text.split_once(" = ") {
            (path, Some(values), false)
        } else {
            (text, None, false)
        };
        let values: Option<Vec<String>> = values.map(|values| values.split('|').map(|value| value.trim().to_owned()).collect());
        if text.contains(" && ") || text.contains(" || ") {
            return Err(super::PathError {
                message: format!("the condition \"{text}\" is several"),
                help: "write one condition a string: all of the list must hold; A | B is one of two values".to_owned(),
            });
        }
        if values.as_ref().is_some_and(|values| values.iter().any(String::is_empty)) {
            return Err(super::PathError {
                message: format!("the condition \"{text}\" compares with nothing"),
                help: "write RF1-3.1 = CARD, or RF1-3.1 = CARD | NEUR for several, or RF1-3.1 alone for: it has a value"
                    .to_owned(),
            });
        }
        let holds_when = match (values, negated) {
            (None, _) => HoldsWhen::Valued,
            (Some(values), false) => HoldsWhen::OneOf(values),
            (Some(values), true) => HoldsWhen::NoneOf(values),
        };
        Ok(Self { text: text.trim().to_owned(), path: Path::parse(path)?, holds_when })
    }

    fn holds(&self, message: &Message<'_>) -> bool {
        let is_one_of = |values: &[String]| {
            self.path.hits(message, Reading::Part).any(|hit| values.iter().any(|value| value.eq_ignore_ascii_case(&hit.value)))
        };
        match &self.holds_when {
            HoldsWhen::Valued => self.path.find(message, Reading::Part).is_some(),
            HoldsWhen::OneOf(values) => is_one_of(values),
            HoldsWhen::NoneOf(values) => !is_one_of(values),
        }
    }
}

impl Accept {
    /// Why a message is not taken, if it is not. An answer to what we sent is always taken.
    pub(super) fn refusal(&self, purpose: Purpose, message: &Message<'_>) -> Option<Refusal> {
        if !purpose.is_asked() {
            return None;
        }
        let broken = self.conditions.iter().find(|condition| !condition.holds(message))?;
        let text = self.text.clone().unwrap_or_else(|| format!("this message is not taken here: {} does not hold", broken.text));
        let location = broken.path.location();
        Some(match self.answer {
            Answer::AR => Refusal::reject(207, &location, text),
            Answer::AE => Refusal::error(103, &location, text),
        })
    }
}

impl Codes {
    /// What a priority code means to this sender, where it is in the table.
    pub(super) fn priority(&self, code: &str) -> Option<Priority> {
        meaning(&self.priority, code)
    }

    /// What a sex code means to this sender, where it is in the table.
    pub(super) fn sex(&self, code: &str) -> Option<Sex> {
        meaning(&self.sex, code)
    }

    /// What a REF^I12 asks for, where its status says so.
    pub(super) fn event(&self, message: &Message<'_>) -> Option<Event> {
        meaning(&self.event, &message.value("RF1", 1))
    }
}

fn meaning<T: Copy>(table: &BTreeMap<String, T>, code: &str) -> Option<T> {
    table.iter().find(|(known, _)| known.eq_ignore_ascii_case(code.trim())).map(|(_, meaning)| *meaning)
}

impl Profile {
    /// Whether this trigger event is taken beside I12 to I15.
    pub(super) fn takes(&self, event: &str) -> bool {
        self.old_events.iter().any(|old| old == event)
    }

    /// The numbers of the referral where this sender puts them; none: the profile names no chain of its own.
    pub(super) fn referral_ids(&self, message: &Message<'_>) -> Vec<Number> {
        let found = self.referral_id.iter().filter_map(|path| {
            if path.is_whole_field() {
                return Number::read(&path.repetition(message)?, &path.field_name());
            }
            let value = path.find(message, Reading::Part)?.value;
            let id = Identifier { value, authority: None, found_in: Some(path.field_name()) };
            Some(Number { id, authorities: Vec::new() })
        });
        found.collect()
    }

    /// The field in which this sender's number of the referral belongs.
    pub(super) fn usual_id_field(&self) -> String {
        self.referral_id.first().map_or_else(|| "RF1-6".to_owned(), Path::field_name)
    }

    /// How long a change, cancel or status request waits for a referral that is not known yet, in seconds; 0: it is refused at once.
    #[must_use]
    pub fn referral_wait_seconds(&self) -> u32 {
        match self.strict.unknown_referral {
            UnknownReferral::Refuse => 0,
            UnknownReferral::Park => self.strict.park_minutes.saturating_mul(60),
        }
    }

    /// Why a message that was read is refused all the same: by the strict rules.
    pub(super) fn strict_refusal(&self, message: &Message<'_>, problems: &[Problem], warnings: &[Warning]) -> Option<Refusal> {
        let has = |code: &str| problems.iter().any(|problem| problem.code == code);
        if self.strict.referral_id && message.first("RF1").is_some() && has("referral-id-synthetic") {
            let text = "the message holds no number of the referral: send one in RF1-6";
            return Some(Refusal::error(101, "RF1^1^6", text));
        }
        if self.strict.attachments && has("attachment-unusable") {
            let warning = warnings.iter().find(|warning| warning.code == 102 && warning.location.starts_with("OBX^"))?;
            return Some(Refusal::error(
                102,
                &warning.location,
                "the embedded document cannot be read: send the message again with a sound one",
            ));
        }
        None
    }
}

/// The profiles of one channel.
#[derive(Clone, Debug, Default)]
pub struct Profiles {
    /// For everybody who is not named below.
    pub usual: Arc<Profile>,
    /// By sender, in the order they are tried.
    pub by_sender: Vec<(SenderPattern, Arc<Profile>)>,
}

impl Profiles {
    /// The profile of a message, by who sent it.
    #[must_use]
    pub fn of(&self, header: &Header) -> &Arc<Profile> {
        let found = self.by_sender.iter().find(|(pattern, _)| pattern.fits(header));
        found.map_or(&self.usual, |(_, profile)| profile)
    }
}

/// `MSH-3|MSH-4`, whole or first components; a `*` in place of either means any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderPattern {
    application: String,
    facility: String,
}

impl SenderPattern {
    /// Reads a pattern; none: it has no bar between application and facility.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (application, facility) = text.split_once('|')?;
        let part = |text: &str| text.trim().to_owned();
        Some(Self { application: part(application), facility: part(facility) })
    }

    /// How many of the two may be anything.
    #[must_use]
    pub fn wildcards(&self) -> usize {
        usize::from(self.application == "*") + usize::from(self.facility == "*")
    }

    pub(super) fn fits(&self, header: &Header) -> bool {
        let part = |wanted: &str, field: usize| {
            wanted == "*" || wanted == header.raw.text(field) || wanted == header.first_component(field)
        };
        part(&self.application, 3) && part(&self.facility, 4)
    }
}

impl Hl7Rules {
    /// The rules for who sent this message.
    pub(super) fn for_sender(&self, header: &Header) -> Cow<'_, Self> {
        if self.profiles.by_sender.is_empty() {
            return Cow::Borrowed(self);
        }
        let profile = self.profiles.of(header);
        let mut rules = self.clone();
        rules.profiles = Arc::new(Profiles { usual: Arc::clone(profile), by_sender: Vec::new() });
        rules.settle();
        Cow::Owned(rules)
    }

    /// The profile in effect.
    #[must_use]
    pub fn profile(&self) -> &Arc<Profile> {
        &self.profiles.usual
    }

    /// Takes the zone and the region of the profile in effect.
    pub fn settle(&mut self) {
        if let Some(zone) = &self.profiles.usual.time_zone {
            self.time_zone.clone_from(zone);
        }
        if let Some(region) = &self.profiles.usual.region {
            self.region.clone_from(region);
        }
    }
}

impl Draft<'_, '_> {
    /// Puts the patient's number that the profile wants first: before the mapping, which names the numbers as they are shown.
    pub(super) fn put_wanted_number_first(&mut self) {
        let profile = Arc::clone(self.rules.profile());
        let found = profile.patient_number.iter().find_map(|rule| {
            self.record.patient.identifiers.iter().position(|id| {
                let same = |wanted: &Option<String>, found: &Option<String>| {
                    wanted.as_ref().is_none_or(|wanted| found.as_ref().is_some_and(|found| found.eq_ignore_ascii_case(wanted)))
                };
                same(&rule.kind, &id.kind) && same(&rule.authority, &id.authority)
            })
        });
        if let Some(at) = found.filter(|at| *at > 0) {
            self.record.patient.identifiers.get_mut(..=at).unwrap_or_default().rotate_right(1);
            let path = |at: usize| format_smolstr!("patient.identifiers.{at}.value");
            let first = self.record.evidence.remove(&path(at));
            for place in (0..at).rev() {
                if let Some(evidence) = self.record.evidence.remove(&path(place)) {
                    self.record.evidence.insert(path(place + 1), evidence);
                }
            }
            self.record.evidence.extend(first.map(|evidence| (path(0), evidence)));
        }
    }

    /// Checks the check digits of the patient's numbers.
    pub(super) fn check_patient_numbers(&mut self) {
        let profile = Arc::clone(self.rules.profile());
        let wrong: Vec<(usize, NumberCheck)> = self
            .record
            .patient
            .identifiers
            .iter()
            .enumerate()
            .filter_map(|(at, id)| {
                let named = [&id.kind, &id.authority].into_iter().flatten();
                let check = named.into_iter().find_map(|name| meaning(&profile.number_checks, name))?;
                (!check.holds(&id.value)).then_some((at, check))
            })
            .collect();
        for (at, check) in wrong {
            let text = format!("the number is no {}: its form or its check digit is wrong", check.name());
            self.doubt("patient-number-check", &format!("patient.identifiers.{at}.value"), text);
        }
    }
}

#[cfg(test)]
mod tests;
