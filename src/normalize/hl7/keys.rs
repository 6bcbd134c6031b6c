//! The keys by which a referral is found and kept: its number in every spelling that senders have for it.
//!
//! # Design notes
//! An EI (HL7 v2 chapter 2A) names who gave a number by a namespace, by a universal id, by both or not at all, and systems change the
//! spelling on the way. So a number is kept under each name of its authority and once without any, all in lower case:
//!
//! | key | of |
//! |---|---|
//! | `ei\|\|AUTHORITY\|NUMBER` | an authority that is the only one of its name in the world: an OID or a UUID |
//! | `ei\|FACILITY\|AUTHORITY\|NUMBER` | any other authority, such as `EPC`, which many hospitals have, beside the facility that sent it |
//! | `ei\|FACILITY\|\|NUMBER` | a number without an authority, or whose authority is the facility itself; and every number once more |
//! | `named\|NUMBER\|FAMILY\|GIVEN` | a number of this patient, whoever gave it (made by the engine, which knows the patient) |
//!
//! Whoever writes numbers of their own counts from 1, so what is found by less than the authority must be about the same patient too. A key
//! belongs to one referral; who comes second goes without it, and is found by the others.
//!
//! Earlier, `referral|FACILITY|AUTHORITY|NUMBER` alone was kept, in the sender's case. Stores have such keys: they are asked for as before,
//! under each name of the authority, and written no more. What such a referral is told by its sender next gives it the others.

use super::Header;
use crate::{
    protocols::hl7::Repetition,
    referral::{Identifier, Reference},
};

/// One way in which a message names a referral.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferralKey {
    /// By MSA-2: the control id of the message of ours that it answers.
    Answered(String),
    /// By our own reference.
    Own(Reference),
    /// By a number and who gave it.
    Number {
        /// As it is asked of the store.
        text: String,
        /// Whether it says by itself which referral is meant. If not, the patient must agree.
        is_certain: bool,
        /// Whether a referral that is found otherwise shall be found by it from then on.
        is_kept: bool,
    },
    /// By a number alone, in lower case: the patient must agree.
    Bare(String),
}

/// A number as it stands in a message.
#[derive(Clone)]
pub(super) struct Number {
    pub(super) id: Identifier,
    /// Every name of who gave it: the namespace, the universal id.
    pub(super) authorities: Vec<String>,
}

impl Number {
    /// An EI: the number in component 1, or in 3 where 1 and 2 are empty; its authority in 2 and 3, or in 4 as in a CX.
    pub(super) fn read(id: &Repetition<'_, '_>, found_in: &str) -> Option<Self> {
        let [number, namespace, universal] = [1, 2, 3].map(|part| id.value(part).into_owned());
        let (value, mut authorities) = if number.is_empty() && namespace.is_empty() {
            (universal, Vec::new())
        } else {
            // An HD in the place of its first component: `EPC&1.2.840&ISO`.
            (number, vec![namespace, id.component(2).part(2).into_owned(), universal])
        };
        let is_template = value.contains("${");
        let value = Some(value).filter(|value| !value.is_empty() && !is_template)?;
        authorities.retain(|name| !name.is_empty());
        if authorities.is_empty() && id.len() > 3 {
            // A CX, whose assigner is its fourth component.
            let assigner = id.component(4);
            authorities =
                [1, 2].map(|part| assigner.part(part).into_owned()).into_iter().filter(|name| !name.is_empty()).collect();
        }
        let authority = authorities.first().cloned();
        Some(Self { id: Identifier { value, authority, found_in: Some(found_in.to_owned()) }, authorities })
    }
}

/// Who sends a message and to whom, by the name that their numbers are known under.
struct Parties {
    sender: String,
    receiver: String,
}

impl Parties {
    fn of(header: &Header) -> Self {
        let facility = |facility: usize, application: usize| {
            let name = header.first_component(facility);
            if name.is_empty() { header.first_component(application) } else { name }
        };
        Self { sender: facility(4, 3), receiver: facility(6, 5) }
    }
}

/// The keys of a request: its sender's number, and our own where it is quoted, which finds what was never sent under the number beside it.
pub(super) fn of_request(header: &Header, number: Option<&Number>, reference: Option<&Reference>) -> Vec<ReferralKey> {
    let parties = Parties::of(header);
    let mut keys = Keys::default();
    if let Some(number) = number {
        keys.of_facility(&parties.sender, number, true);
        keys.former(&[&parties.sender], number);
        keys.0.push(ReferralKey::Bare(folded(&number.id.value)));
    }
    keys.0.extend(reference.cloned().map(ReferralKey::Own));
    keys.0
}

/// The keys of an answer. It speaks of a number that *its receiver* gave, or that its own side did; any of its numbers may be the one.
pub(super) fn of_answer(header: &Header, numbers: &[Number], answered: &str) -> Vec<ReferralKey> {
    let parties = Parties::of(header);
    let mut keys = Keys::default();
    if !answered.is_empty() {
        keys.0.push(ReferralKey::Answered(answered.to_owned()));
    }
    for number in numbers {
        // What is kept is what the answering side calls it. What goes to us is no number of ours.
        keys.of_facility(&parties.receiver, number, false);
        keys.of_facility(&parties.sender, number, true);
        // A referral that was handed on bears its first sender's number, whose authority is mostly that sender's facility.
        for authority in &number.authorities {
            keys.number(&[authority.as_str(), "", &number.id.value], true, false);
        }
        keys.former(&[&parties.receiver, &parties.sender], number);
        let bare = ReferralKey::Bare(folded(&number.id.value));
        if !keys.0.contains(&bare) {
            keys.0.push(bare);
        }
    }
    keys.0
}

#[derive(Default)]
struct Keys(Vec<ReferralKey>);

impl Keys {
    /// A number as a facility sends it: under each name of its authority, and without one.
    fn of_facility(&mut self, facility: &str, number: &Number, is_kept: bool) {
        let value = number.id.value.as_str();
        for authority in &number.authorities {
            if is_worldwide(authority) {
                self.number(&["", authority, value], true, true);
            } else if folded(authority) == folded(facility) {
                self.number(&[facility, "", value], true, is_kept);
            } else {
                self.number(&[facility, authority, value], true, is_kept);
            }
        }
        self.number(&[facility, "", value], number.authorities.is_empty(), is_kept);
    }

    fn number(&mut self, parts: &[&str; 3], is_certain: bool, is_kept: bool) {
        let [facility, authority, value] = parts.map(folded);
        self.add(["ei", &facility, &authority, &value].join("|"), is_certain, is_kept);
    }

    /// What the versions before kept.
    fn former(&mut self, facilities: &[&String], number: &Number) {
        let value = &number.id.value;
        for facility in facilities {
            for authority in &number.authorities {
                self.add(["referral", facility.as_str(), authority, value].join("|"), true, false);
            }
            self.add(["referral", facility.as_str(), "", value].join("|"), number.authorities.is_empty(), false);
        }
        for authority in &number.authorities {
            self.add(["referral", authority.as_str(), authority, value].join("|"), true, false);
        }
    }

    /// The first of two equal ones counts, but what is to be kept by either is kept.
    fn add(&mut self, new: String, certain: bool, kept: bool) {
        for known in &mut self.0 {
            if let ReferralKey::Number { text, is_kept, is_certain } = known
                && *text == new
            {
                *is_kept |= kept;
                *is_certain |= certain;
                return;
            }
        }
        self.0.push(ReferralKey::Number { text: new, is_certain: certain, is_kept: kept });
    }
}

/// As keys have it: the case of a number or a name says nothing, and an OID may be written as a URN (RFC 3061).
fn folded(text: &str) -> String {
    let text = text.trim().to_lowercase();
    match text.strip_prefix("urn:oid:").or_else(|| text.strip_prefix("urn:uuid:")) {
        Some(bare) => bare.to_owned(),
        None => text,
    }
}

/// Whether nobody else in the world has this name: an OID, or a UUID.
fn is_worldwide(authority: &str) -> bool {
    let name = folded(authority);
    let is_number = |arc: &str| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit());
    let is_oid = name.split('.').count() >= 3 && name.split('.').all(is_number);
    let groups = name.split('-').map(str::len);
    let is_uuid = groups.eq([8, 4, 4, 4, 12]) && name.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    is_oid || is_uuid
}

/// Whether two authorities cannot be one: two namespaces, or two universal ids. One of each may be.
pub(crate) fn differ(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => is_worldwide(one) == is_worldwide(other) && folded(one) != folded(other),
        (Some(_) | None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_one_under_its_names_and_no_other() {
        for (differs, one, other) in [
            (false, "EPC", "epc"),
            (false, "urn:oid:1.2.840", "1.2.840"),
            (false, "EPC", "1.2.840"),
            (true, "EPC", "LAB"),
            (true, "1.2.840", "1.2.841"),
            (true, "10.1", "1.2"),
        ] {
            assert_eq!(differ(Some(one), Some(other)), differs, "{one} {other}");
        }
        assert!(!differ(None, Some("EPC")) && !differ(Some("EPC"), None));
        assert!(is_worldwide("2AF1E0B6-0B32-4A8C-9F5E-4A2A1F6D8C11") && !is_worldwide("a.b.c") && !is_worldwide("1.2"));
    }
}
