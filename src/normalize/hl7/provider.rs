//! PRD: who refers, and to whom. A provider may hold several roles, in any order, and columns slip.

use super::{
    draft::{Contacts, Draft, REPETITIONS_MAX, leaf, location, some},
    patient::{address, first_said, person_name},
    slips::{Alone, Slipped, organization_in, organization_numbers, slipped_name},
};
use crate::{
    protocols::hl7::{Field, Segment},
    referral::{Address, PatientIdentifier, PersonName, PhoneUse, Provider, checks::npi_is_sound},
};

/// The roles of whom the patient is referred to, the surest first.
const TARGET_ROLES: [&str; 3] = ["RT", "IR", "CP"];

impl<'t, 'm> Draft<'t, 'm> {
    pub(super) fn providers(&mut self) {
        let all: Vec<(Segment<'t, 'm>, usize)> = self.message.all("PRD").zip(1..).collect();
        let with_role = |role: &'static str| all.iter().copied().filter(move |(prd, _)| has_role(prd, role));
        let refers = ["RP", "AP"].into_iter().find_map(|role| with_role(role).next());
        let target = TARGET_ROLES.into_iter().find_map(|role| with_role(role).next());
        // Some name both sides RP: the second is then the one referred to.
        let second_rp = with_role("RP").nth(1).filter(|_| target.is_none());
        match refers.or_else(|| with_role("PP").next()) {
            Some((prd, occurrence)) => {
                self.record.referring = self.provider(&prd, occurrence, "referring");
                if refers.is_none() {
                    let message = "no PRD has the role RP: the primary care provider (PP) was taken";
                    self.doubt("referring-by-fallback", "referring.name.family", message);
                }
            }
            None => self.provider_elsewhere("referring", &[("PV1", 8), ("OBR", 16), ("ORC", 12)]),
        }
        match target.or(second_rp) {
            Some((prd, occurrence)) => {
                self.record.referred_to = self.provider(&prd, occurrence, "referred_to");
                if target.is_none() {
                    let message = "two PRD have the role RP and none RT: the second was taken for the one referred to";
                    self.doubt("referred-to-by-fallback", "referred_to.name.family", message);
                }
            }
            None => self.provider_elsewhere("referred_to", &[("PV1", 9)]),
        }
        if self.record.referred_to == Provider::default() {
            self.receiver_from_header();
        }
        let others = self.other_targets().len();
        if others > 0 {
            let name = &self.record.referred_to.name;
            let path = if name.family.is_some() { "referred_to.name.family" } else { "referred_to.organization" };
            let text = format!("{} providers are referred to: the first was taken, the others are in the notes", others + 1);
            self.doubt("referred-to-several", path, text);
        }
    }

    /// The further PRD that name somebody else who is referred to.
    pub(super) fn other_targets(&self) -> Vec<(Segment<'t, 'm>, usize)> {
        let all = self.message.all("PRD").zip(1..);
        let targets = all.filter(|(prd, _)| ["RT", "IR"].iter().any(|role| has_role(prd, role)));
        let mut targets: Vec<(Segment<'t, 'm>, usize)> = targets.take(REPETITIONS_MAX).collect();
        let first = TARGET_ROLES.into_iter().find_map(|role| targets.iter().position(|(prd, _)| has_role(prd, role)));
        let Some(first) = first else { return Vec::new() };
        let (taken, _) = targets.remove(first);
        let who = |prd: &Segment<'_, '_>| [2, 4, 7, 10].map(|field| prd.field(field).raw().trim().to_lowercase());
        let is_said = |prd: &Segment<'_, '_>| [2, 4, 7, 10].into_iter().any(|field| !prd.field(field).is_empty());
        let taken = who(&taken);
        targets.retain(|(prd, _)| is_said(prd) && who(prd) != taken);
        targets
    }

    fn provider(&mut self, prd: &Segment<'_, '_>, occurrence: usize, path: &str) -> Provider {
        // Irish senders leave PRD-3 empty and have address, location and phones one column to the right.
        let shifted = prd.field(3).is_empty() && looks_like_phones(&prd.field(6)) && !looks_like_phones(&prd.field(5));
        let (address_at, location_at, contact_at) = if shifted { (4, 5, 6) } else { (3, 4, 5) };
        if shifted {
            let message = format!("PRD^{occurrence} has its address, location and phones one field to the right");
            self.note("prd-columns-shifted", path, message);
        }
        let mut provider = Provider { address: address(&first_said(&prd.field(address_at), 5)), ..Provider::default() };
        if provider.address == Address::default() {
            provider.address = address(&first_said(&prd.field(11), 5));
        }
        let slipped = self.provider_name(prd, occurrence, path, &mut provider);
        let mut contacts = Contacts::default();
        if slipped != Some(contact_at) {
            self.contacts(prd, occurrence, contact_at, PhoneUse::Work, path, &mut contacts);
        }
        if contacts.phones.is_empty() {
            self.contacts(prd, occurrence, 13, PhoneUse::Work, path, &mut contacts);
        }
        (provider.phones, provider.emails) = (contacts.phones, contacts.emails);
        let place = first_said(&prd.field(location_at), 9);
        let third = if shifted { place.value(3) } else { "".into() };
        let places = [(10, prd.value(10, 1)), (location_at, place.value(9)), (location_at, place.value(4)), (location_at, third)];
        let named = places.into_iter().find(|(field, name)| !name.is_empty() && slipped != Some(*field));
        // What stands in PRD-2 says more than the building; the field of its own says most.
        if let Some((field, name)) = named.filter(|(field, _)| *field == 10 || provider.organization.is_none()) {
            provider.organization = some(name);
            self.seen(leaf(path, "organization"), location("PRD", occurrence, field));
        }
        self.organization_elsewhere(occurrence, address_at, path, &mut provider);
        if slipped != Some(7) {
            self.provider_numbers(&prd.field(7), &location("PRD", occurrence, 7), path, &mut provider);
        }
        self.organization_numbers(prd, occurrence, path, &mut provider);
        provider
    }

    /// Gives the column that the name slipped into, if it is not where it belongs.
    fn provider_name(&mut self, prd: &Segment<'_, '_>, occurrence: usize, path: &str, provider: &mut Provider) -> Option<usize> {
        if let Some(Slipped { field, name, number }) = slipped_name(prd) {
            let place = location("PRD", occurrence, field);
            self.name_seen(&name, path, &place);
            provider.name = name;
            if npi_is_sound(&number.value) {
                self.seen(leaf(path, "npi"), place.clone());
                provider.npi = Some(number.value);
            } else {
                provider.identifiers.push(number);
            }
            let text = format!("{place} holds a name behind its number, which does not belong there: it was taken");
            self.doubt("name-elsewhere", &leaf(path, "name.family"), text);
            return Some(field);
        }
        let name = person_name(&first_said(&prd.field(2), 3), 1);
        let place = location("PRD", occurrence, 2);
        let is_alone = name.given.is_none() && name.middle.is_none();
        match name.family.clone().filter(|_| is_alone).map(|family| (Alone::of(&family), family)) {
            Some((Alone::Specialty, specialty)) => {
                provider.specialty = Some(specialty);
                self.seen(leaf(path, "specialty"), place.clone());
                self.doubt("name-is-specialty", &leaf(path, "specialty"), format!("{place} names a specialty, not a person"));
            }
            Some((Alone::Organization, organization)) => {
                provider.organization = Some(organization);
                self.seen(leaf(path, "organization"), place.clone());
                let text = format!("{place} names a practice, not a person");
                self.doubt("name-is-organization", &leaf(path, "organization"), text);
            }
            Some((alone @ (Alone::Unclear | Alone::Family), _)) => {
                self.name_seen(&name, path, &place);
                provider.name = name;
                if alone == Alone::Unclear {
                    let text = format!("{place} holds several words and no given name: a person, or a practice?");
                    self.doubt("name-in-one-piece", &leaf(path, "name.family"), text);
                }
            }
            None => {
                self.name_seen(&name, path, &place);
                provider.name = name;
            }
        }
        None
    }

    fn name_seen(&mut self, name: &PersonName, path: &str, place: &str) {
        let parts = [("name.family", &name.family), ("name.given", &name.given)];
        for (part, _) in parts.into_iter().filter(|(_, value)| value.is_some()) {
            self.seen(leaf(path, part), place);
        }
    }

    /// A practice where the state of an address belongs.
    fn organization_elsewhere(&mut self, occurrence: usize, address_at: usize, path: &str, provider: &mut Provider) {
        let Some(organization) = organization_in(&provider.address) else { return };
        provider.address = Address::default();
        if provider.organization.is_none() {
            let place = location("PRD", occurrence, address_at);
            provider.organization = Some(organization);
            self.seen(leaf(path, "organization"), place.clone());
            let text = format!("{place} holds a practice where a state belongs: it was taken for one");
            self.doubt("organization-elsewhere", &leaf(path, "organization"), text);
        }
    }

    /// The numbers of the organization (PRD-10, from 2.6): the provider's own where no person is named; beside a person, the practice's.
    fn organization_numbers(&mut self, prd: &Segment<'_, '_>, occurrence: usize, path: &str, provider: &mut Provider) {
        let place = location("PRD", occurrence, 10);
        for mut number in organization_numbers(&prd.field(10)) {
            let is_npi = [&number.kind, &number.authority].into_iter().flatten().any(|text| text.eq_ignore_ascii_case("NPI"));
            if is_npi && provider.npi.is_none() && provider.name == PersonName::default() {
                let path = leaf(path, "npi");
                self.seen(path.clone(), place.clone());
                if !npi_is_sound(&number.value) {
                    self.doubt("npi-check-digit", &path, format!("the NPI in {place} fails its check digit"));
                }
                provider.npi = Some(number.value);
                continue;
            }
            if is_npi {
                // Table 0338 has a type for the NPI of an organization: it is not the person's.
                number.kind = Some("NPIO".to_owned());
            }
            let is_known = provider.npi.as_ref() == Some(&number.value)
                || provider.identifiers.iter().any(|known| known.value == number.value);
            if !is_known {
                provider.identifiers.push(number);
            }
        }
    }

    /// PRD-7: `id^type^…`; a bare ten-digit number that passes the check is taken for an NPI.
    fn provider_numbers(&mut self, numbers: &Field<'_, '_>, place: &str, path: &str, provider: &mut Provider) {
        for number in numbers.repetitions().take(REPETITIONS_MAX) {
            let Some(value) = some(number.value(1)) else { continue };
            let kinds = [number.value(2), number.value(3)];
            let named = kinds.iter().any(|kind| kind.eq_ignore_ascii_case("NPI"));
            let untyped = kinds.iter().all(|kind| kind.is_empty());
            if provider.npi.is_none() && (named || (untyped && npi_is_sound(&value))) {
                let path = leaf(path, "npi");
                self.seen(path.clone(), place);
                if !npi_is_sound(&value) {
                    self.doubt("npi-check-digit", &path, format!("the NPI in {place} fails its check digit"));
                }
                provider.npi = Some(value);
                continue;
            }
            let [kind, authority] = kinds.map(some);
            provider.identifiers.push(PatientIdentifier { value, authority, kind });
        }
    }

    /// XCN fields of other segments, where PRD is silent.
    fn provider_elsewhere(&mut self, path: &str, places: &[(&str, usize)]) {
        for (name, field) in places {
            let Some(segment) = self.message.first(name).filter(|segment| !segment.field(*field).is_empty()) else { continue };
            let person = segment.field(*field).first();
            // An XCN begins with a number; some write an XPN there.
            let number_first = person.len() > 2 || person.value(1).chars().any(|symbol| symbol.is_ascii_digit());
            let found = person_name(&person, if number_first { 2 } else { 1 });
            let mut provider = Provider { name: found, ..Provider::default() };
            let place = location(name, 1, *field);
            if number_first && let Some(value) = some(person.value(1)) {
                if npi_is_sound(&value) {
                    provider.npi = Some(value);
                } else {
                    provider.identifiers.push(PatientIdentifier { value, authority: None, kind: None });
                }
            }
            if provider.name == PersonName::default() {
                continue;
            }
            let leaf = format!("{path}.name.family");
            self.seen(leaf.clone(), place.clone());
            self.doubt("provider-elsewhere", &leaf, format!("no PRD names this provider: {place} was taken"));
            match path {
                "referring" => self.record.referring = provider,
                _ => self.record.referred_to = provider,
            }
            return;
        }
    }

    /// The last resort: whom MSH-5 and MSH-6 address.
    fn receiver_from_header(&mut self) {
        let facility = self.header.first_component(6);
        let name = if facility.is_empty() { self.header.first_component(5) } else { facility };
        if name.is_empty() {
            self.doubt(
                "referred-to-missing",
                "referred_to.organization",
                "the message does not say to whom the patient is referred",
            );
            return;
        }
        self.record.referred_to.organization = Some(name);
        self.seen("referred_to.organization", "MSH^1^6");
        let message = "no provider is referred to: the receiving facility of the header was taken";
        self.doubt("referred-to-by-fallback", "referred_to.organization", message);
    }

    /// Whether a PRD says that somebody is referred to.
    pub(super) fn has_target(&self) -> bool {
        self.message.all("PRD").any(|prd| TARGET_ROLES.iter().any(|role| has_role(&prd, role)))
    }

    /// Whether a PRD says that it is a copy for the patient's own practice.
    pub(super) fn has_primary_care(&self) -> bool {
        self.message.all("PRD").any(|prd| has_role(&prd, "PP"))
    }
}

fn has_role(prd: &Segment<'_, '_>, role: &str) -> bool {
    prd.field(1).repetitions().any(|given| given.value(1).eq_ignore_ascii_case(role))
}

fn looks_like_phones(field: &Field<'_, '_>) -> bool {
    field.repetitions().any(|contact| {
        let codes = [contact.value(2), contact.value(3)];
        let coded =
            codes.iter().any(|code| matches!(code.as_ref(), "PRN" | "WPN" | "ORN" | "NET" | "PH" | "FX" | "CP" | "Internet"));
        let digits = contact.value(1).chars().filter(char::is_ascii_digit).count();
        coded || digits >= 7
    })
}
