//! Where a confirmation request goes: from the channel's `[route]`, the directory and the record. Pure.
//!
//! Patient data goes only where a person configured it to go. What a page, a mail or a message says may *select* an entry
//! of the directory; it is never itself a destination. What selects no entry, or two, has no route and is held for a person.

use jiff::Timestamp;

use super::decide::SENDER;
use crate::{
    config::{Acknowledge, Config, DirectoryEntry, InboundChannel, RouteBy, RouteTarget},
    delivery::{Delivery, Purpose},
    ids::{ChannelName, ReferralId},
    message::{Message, Protocol},
    normalize::fax::specialty_called,
    outbound::OutboundConfig,
    referral::{HistoryEntry, HistoryEvent, PhoneUse, Provider, Record, Referral, ReplyOutcome},
};

/// The destination of a referral that came through this channel.
#[must_use]
pub(super) fn destination(config: &Config, channel: &InboundChannel, record: &Record) -> Option<RouteTarget> {
    let by: &[RouteBy] = if channel.route.by.is_empty() { &[RouteBy::Directory, RouteBy::Specialty] } else { &channel.route.by };
    // Who is meant, where the directory knows them and no way to them: another desk of the same specialty is then the wrong one.
    let mut meant: Option<&str> = None;
    for way in by {
        let found = match way {
            RouteBy::Directory => match by_directory(config, &record.referred_to) {
                Some((name, None)) => {
                    meant = Some(name);
                    None
                }
                Some((_, target)) => target,
                None => None,
            },
            RouteBy::Specialty => by_specialty(channel, &record.referred_to),
        };
        if let Some(target) = found.filter(|target| meant.is_none_or(|meant| meant == target.to)) {
            return Some(target);
        }
    }
    channel.route.default.clone()
}

/// Why nothing is sent to a destination before a person has looked, and what to do; none: it goes out.
#[must_use]
pub(super) fn objection(config: &Config, channel: &InboundChannel, record: &Record, target: &RouteTarget) -> Option<String> {
    let to = &target.to;
    if let Some(field) = rests_on_doubt(config, channel, record, target) {
        return Some(format!(
            "it would go to {to} by {field} alone, which was read with doubt: `confirm` or `correct` that field, or `route` it"
        ));
    }
    let field = contradicted(config, channel, record, target)?;
    Some(format!("it would go to {to} by a fax number alone, and {field} says otherwise: `correct` one of them, or `route` it"))
}

/// The field on which this destination rests and which was read off a page or a mail with doubt: without what it says the referral would
/// go elsewhere, or nowhere. None where the same desk follows from something that is not in doubt.
fn rests_on_doubt<'r>(config: &Config, channel: &InboundChannel, record: &'r Record, target: &RouteTarget) -> Option<&'r str> {
    let doubtful: Vec<&str> = record.review.iter().map(String::as_str).filter(|path| was_read(record, path)).collect();
    // As in most messages: nothing is asked again.
    if doubtful.is_empty() {
        return None;
    }
    let without = |paths: &[&str]| {
        let mut sure = record.clone();
        paths.iter().for_each(|path| forget(&mut sure.referred_to, path));
        destination(config, channel, &sure)
    };
    if without(&doubtful).as_ref() == Some(target) {
        return None;
    }
    let decides = |path: &&str| without(&[path]).as_ref() != Some(target);
    let to_whom = |path: &&str| path.starts_with(REFERRED_TO);
    doubtful.iter().copied().find(decides).or_else(|| doubtful.iter().copied().find(to_whom))
}

const REFERRED_TO: &str = "referred_to.";

/// The field that contradicts a destination that a fax number read off a page or a mail chose: the entry has other specialties than the one
/// asked for, or is the practice that refers. The number was then hardly the specialist's. None where the entry is named as well, or is
/// where the channel sends that specialty in any case.
fn contradicted(config: &Config, channel: &InboundChannel, record: &Record, target: &RouteTarget) -> Option<&'static str> {
    let numbers: Vec<String> =
        (0..record.referred_to.phones.len()).map(|at| format!("{REFERRED_TO}phones.{at}.number")).collect();
    if !numbers.iter().any(|path| was_read(record, path)) {
        return None;
    }
    let mut unnumbered = record.clone();
    numbers.iter().for_each(|path| forget(&mut unnumbered.referred_to, path));
    if destination(config, channel, &unnumbered).as_ref() == Some(target) {
        return None;
    }
    let entry = config.directory.entries.get(&target.to)?;
    let is_sender = entry.fax.as_ref().is_some_and(|fax| has_fax(&record.referring, fax))
        || record.referring.organization.as_ref().is_some_and(|name| is_called(entry, name));
    if is_sender {
        return Some("referring.organization");
    }
    let words = |text: &str| fold(text).split(' ').map(str::to_owned).collect::<Vec<_>>();
    let specialty = record.referred_to.specialty.as_deref()?;
    let wanted = words(specialty);
    // "Cardiology" is done where "Pediatric Cardiology" is asked for, and the other way round.
    let fits = |text: &String| {
        let listed = words(text);
        is_one_specialty(text, specialty)
            || listed.iter().all(|word| wanted.contains(word))
            || wanted.iter().all(|word| listed.contains(word))
    };
    (!entry.specialties.is_empty() && !entry.specialties.iter().any(fits)).then_some("referred_to.specialty")
}

/// Whether a value was read off a page or a mail: what a message of HL7 says in an odd place was said all the same.
fn was_read(record: &Record, path: &str) -> bool {
    record.evidence.get(path).is_some_and(|it| it.page.is_some() || it.location.as_deref().is_some_and(|at| !at.contains('^')))
}

/// Takes away what a field says of who is referred to.
fn forget(provider: &mut Provider, path: &str) {
    match path.strip_prefix(REFERRED_TO) {
        Some("npi") => provider.npi = None,
        Some("organization") => provider.organization = None,
        Some("specialty") => provider.specialty = None,
        Some(other) => {
            let at = other.strip_prefix("phones.").and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
            if let Some(phone) = at.and_then(|at| provider.phones.get_mut(at)) {
                phone.number.clear();
            }
        }
        None => {}
    }
}

/// Where a person said that it goes, unless an answer or the sender said since that it goes elsewhere.
#[must_use]
pub(super) fn chosen(config: &Config, referral: &Referral) -> Option<RouteTarget> {
    let undone = |entry: &HistoryEntry| match &entry.event {
        HistoryEvent::Replied { outcome, .. } => matches!(
            outcome,
            ReplyOutcome::Redirected | ReplyOutcome::WrongRecipient | ReplyOutcome::Declined | ReplyOutcome::Cancelled
        ),
        // By its sender, who names another specialist or refers anew; a person who opens it means it as it was.
        HistoryEvent::Reopened => entry.message.is_some(),
        HistoryEvent::Received
        | HistoryEvent::Changed { .. }
        | HistoryEvent::Held
        | HistoryEvent::Acknowledged
        | HistoryEvent::Requested
        | HistoryEvent::Unclear
        | HistoryEvent::DeliveryDead
        | HistoryEvent::Reported
        | HistoryEvent::Enclosed
        | HistoryEvent::CancelRequested
        | HistoryEvent::Confirmed { .. }
        | HistoryEvent::Corrected { .. }
        | HistoryEvent::Merged { .. }
        | HistoryEvent::Routed { .. }
        | HistoryEvent::AskedAgain { .. }
        | HistoryEvent::ReplySetAside
        | HistoryEvent::Rejected { .. } => false,
    };
    let to = referral.history.iter().rev().take_while(|entry| !undone(entry)).find_map(|entry| {
        let HistoryEvent::Routed { to } = &entry.event else { return None };
        Some(to)
    })?;
    let through = way_out(config, config.directory.entries.get(to)?)?;
    Some(RouteTarget { through, to: to.clone() })
}

fn by_specialty(channel: &InboundChannel, provider: &Provider) -> Option<RouteTarget> {
    let named = provider.specialty.as_deref()?;
    let wanted = fold(named);
    let routes = &channel.route.specialty;
    if let Some((_, target)) = routes.iter().find(|(name, _)| fold(name) == wanted) {
        return Some(target.clone());
    }
    // "ENT" is otolaryngology; where two routes are for the one specialty, neither is meant by its other name.
    let mut same = routes.iter().filter(|(name, _)| is_one_specialty(name, named));
    let (_, target) = same.next()?;
    same.next().is_none().then(|| target.clone())
}

/// Whether two names are of one specialty of the list of specialties, to the letter.
fn is_one_specialty(one: &str, other: &str) -> bool {
    specialty_called(one).is_some_and(|name| specialty_called(other) == Some(name))
}

/// The entry that is meant, and the way to it, if it has one of its own.
fn by_directory<'c>(config: &'c Config, provider: &Provider) -> Option<(&'c str, Option<RouteTarget>)> {
    let ways: [&dyn Fn(&DirectoryEntry) -> bool; 3] = [
        &|entry| provider.npi.as_ref().is_some_and(|npi| entry.npi.contains(npi)),
        &|entry| entry.fax.as_ref().is_some_and(|fax| has_fax(provider, fax)),
        &|entry| provider.organization.as_ref().is_some_and(|name| is_called(entry, name)),
    ];
    ways.iter().find_map(|fits| {
        let name = only(config.directory.entries.iter().filter(|(_, entry)| fits(entry)).map(|(name, _)| name))?;
        let through = config.directory.entries[name].through.clone();
        Some((name.as_str(), through.map(|through| RouteTarget { through, to: name.clone() })))
    })
}

/// The directory entry whose fax number is one of this provider's, for an acknowledgement to the practice that sent a fax.
#[must_use]
pub(super) fn entry_by_fax<'a>(config: &'a Config, provider: &Provider) -> Option<&'a str> {
    let entries = config.directory.entries.iter();
    only(entries.filter(|(_, entry)| entry.fax.as_ref().is_some_and(|fax| has_fax(provider, fax))).map(|(name, _)| name.as_str()))
}

/// The directory entry with this mail address.
#[must_use]
pub(super) fn entry_by_email<'a>(config: &'a Config, address: &str) -> Option<&'a str> {
    let entries = config.directory.entries.iter();
    only(
        entries
            .filter(|(_, entry)| entry.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(address)))
            .map(|(name, _)| name.as_str()),
    )
}

/// The configured destination that a message's sender is answered at, as `Delivery::to` names it.
#[must_use]
pub(super) fn way_back(
    config: &Config,
    acknowledge: &Acknowledge,
    message: &Message,
    referring: Option<&Provider>,
) -> Option<String> {
    if let Some(to) = &acknowledge.to {
        return Some(to.clone());
    }
    match message.protocol {
        Protocol::Hl7 => None,
        Protocol::Document => entry_by_fax(config, referring?).map(str::to_owned),
        Protocol::Mail => {
            let sender = message.sender.as_deref()?;
            let listed = acknowledge.senders.iter().any(|known| known.eq_ignore_ascii_case(sender));
            let entry = entry_by_email(config, sender).map(str::to_owned);
            entry.or_else(|| listed.then(|| SENDER.to_owned()))
        }
    }
}

/// The outbound channel an entry is reached through when a person chooses it: its own, else the first that can reach it.
#[must_use]
pub(super) fn way_out(config: &Config, entry: &DirectoryEntry) -> Option<ChannelName> {
    entry.through.clone().or_else(|| {
        config
            .outbound
            .iter()
            .find(|(_, outbound)| match outbound {
                OutboundConfig::Email(_) => entry.email.is_some(),
                OutboundConfig::Fax(_) => entry.fax.is_some(),
                OutboundConfig::Mllp(_) => entry.hl7.is_some(),
            })
            .map(|(name, _)| name.clone())
    })
}

/// The deliveries by which a specialist is asked, or told of a change: by the target's channel, and beside it by fax what a mail may not
/// carry, where the entry has a fax number.
#[must_use]
pub(super) fn to_specialist(
    config: &Config,
    purpose: Purpose,
    target: &RouteTarget,
    referral: ReferralId,
    now: Timestamp,
) -> Vec<Delivery> {
    let about = |purpose, through| {
        let mut delivery = Delivery::queued(purpose, through, target.to.clone(), now);
        delivery.referral = Some(referral);
        delivery
    };
    let beside = match purpose {
        Purpose::ConfirmationRequest | Purpose::Pages => Some(Purpose::Pages),
        Purpose::Update => Some(Purpose::Update),
        Purpose::Acknowledgement | Purpose::Withdrawal | Purpose::Forward | Purpose::Status => None,
    };
    let by_mail = matches!(config.outbound.get(&target.through), Some(OutboundConfig::Email(_)));
    let entry = config.directory.entries.get(&target.to);
    let bare = by_mail && entry.is_some_and(|entry| !entry.trusted_tls && entry.fax.is_some());
    let fax = config.outbound.iter().find(|(_, outbound)| matches!(outbound, OutboundConfig::Fax(_))).map(|(name, _)| name);
    let beside = beside.filter(|_| bare).zip(fax).map(|(purpose, fax)| about(purpose, fax.clone()));
    std::iter::once(about(purpose, target.through.clone())).chain(beside).collect()
}

fn has_fax(provider: &Provider, number: &str) -> bool {
    let wanted = digits(number);
    provider.phones.iter().any(|phone| phone.usage == Some(PhoneUse::Fax) && digits(&phone.number) == wanted)
}

fn is_called(entry: &DirectoryEntry, name: &str) -> bool {
    let wanted = fold(name);
    fold(&entry.name) == wanted || entry.aliases.iter().any(|alias| fold(alias) == wanted)
}

/// The one item, if there is exactly one.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

/// The last ten digits: a number with and without its country code is the same.
fn digits(number: &str) -> String {
    let all: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    all.iter().skip(all.len().saturating_sub(10)).collect()
}

fn fold(text: &str) -> String {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::SettingsSources,
        referral::{Evidence, Phone},
    };

    const DIRECTORY: &str = "[heart-desk]\nname = \"Harbor Heart Group\"\nfax = \"+15035550142\"\nnpi = [\"1245319599\"]\nthrough = \"fax-out\"\n\n\
        [brain-desk]\nname = \"Harbor Brain Group\"\nspecialties = [\"Neurology\"]\nfax = \"+15035550143\"\nthrough = \"fax-out\"\n\n\
        [skin-desk]\nname = \"Harbor Skin Group\"\nfax = \"+15035550144\"\nnpi = [\"1234567893\"]\n";

    fn config(route: &str) -> (Config, InboundChannel) {
        let folder = tempfile::tempdir().unwrap();
        let channels = folder.path().join("channels");
        std::fs::create_dir_all(channels.join("site")).unwrap();
        std::fs::write(channels.join("site/directory.toml"), DIRECTORY).unwrap();
        std::fs::write(channels.join("fax-out.toml"), "[outbound.fax]\npath = \"fax-out\"\nreturn_number = \"+15035550100\"\n")
            .unwrap();
        let inbound = format!("[inbound.folder]\npath = \"fax-in\"\n\n[route]\n{route}");
        std::fs::write(channels.join("fax-in.toml"), inbound).unwrap();
        let sources = SettingsSources { folder: folder.path().to_owned(), ..SettingsSources::default() };
        let config = Config::load(&sources).unwrap();
        let channel = config.inbound[&ChannelName::new("fax-in")].clone();
        (config, channel)
    }

    const BY_SPECIALTY: &str = "specialty.Cardiology = { through = \"fax-out\", to = \"heart-desk\" }\n";

    /// A referral whose specialty was read off a page, with doubt or without.
    fn faxed(specialty: &str, doubtful: bool) -> Record {
        let mut record = Record::default();
        record.referred_to.specialty = Some(specialty.to_owned());
        read(&mut record, "referred_to.specialty", doubtful);
        record
    }

    fn read(record: &mut Record, path: &str, doubtful: bool) {
        let evidence = Evidence { page: Some(1), confidence: if doubtful { 0.8 } else { 0.99 }, ..Evidence::default() };
        record.evidence.insert(path.into(), evidence);
        if doubtful {
            record.mark(path);
        }
    }

    fn doubt(route: &str, record: &Record) -> Option<String> {
        let (config, channel) = config(route);
        let target = destination(&config, &channel, record).unwrap();
        rests_on_doubt(&config, &channel, record, &target).map(str::to_owned)
    }

    #[test]
    fn a_desk_that_a_doubtful_specialty_alone_chose_rests_on_doubt() {
        assert_eq!(doubt(BY_SPECIALTY, &faxed("Cardiology", true)).as_deref(), Some("referred_to.specialty"));
        assert_eq!(doubt(BY_SPECIALTY, &faxed("Cardiology", false)), None);
    }

    #[test]
    fn a_desk_without_a_way_of_its_own_that_is_meant_is_asked_by_its_route_or_nobody_is() {
        let route = "specialty.Cardiology = { through = \"fax-out\", to = \"heart-desk\" }\n\
            specialty.Dermatology = { through = \"fax-out\", to = \"skin-desk\" }\n";
        let to = |route: &str, specialty: &str| {
            let (config, channel) = config(route);
            let mut record = faxed(specialty, false);
            record.referred_to.npi = Some("1234567893".to_owned());
            destination(&config, &channel, &record).map(|target| target.to)
        };
        assert_eq!(to(route, "Dermatology").as_deref(), Some("skin-desk"));
        assert_eq!(to(route, "Cardiology"), None, "another desk than the one that is named");
        let with_default = format!("{route}default = {{ through = \"fax-out\", to = \"brain-desk\" }}\n");
        assert_eq!(to(&with_default, "Cardiology").as_deref(), Some("brain-desk"), "who gets the rest gets this");
    }

    #[test]
    fn a_specialty_goes_by_its_other_names_too_where_they_are_of_one_route() {
        let to = |routes: &[&str], specialty: &str| {
            let route = |name: &&str| format!("specialty.\"{name}\" = {{ through = \"fax-out\", to = \"heart-desk\" }}\n");
            let (config, channel) = config(&routes.iter().map(route).collect::<String>());
            destination(&config, &channel, &faxed(specialty, false)).is_some()
        };
        for (route, specialty) in
            [("ENT", "Otolaryngology"), ("Orthopedic Surgery", "Orthopaedics"), ("cardiology", "Cardiologist")]
        {
            assert!(to(&[route], specialty), "{route} {specialty}");
        }
        assert!(to(&["Orthopedics", "Orthopedic Surgery"], "Orthopedics"), "to the letter");
        assert!(!to(&["Orthopedics", "Orthopedic Surgery"], "Orthopaedics"), "which of the two is for a person");
        assert!(!to(&["Cardiology"], "Pediatric Cardiology") && !to(&["Urology"], "Neurology") && !to(&["Wards"], "Beds"));
    }

    #[test]
    fn a_desk_that_follows_from_something_else_too_does_not() {
        let mut record = faxed("Cardiology", true);
        record.referred_to.npi = Some("1245319599".to_owned());
        assert_eq!(doubt(BY_SPECIALTY, &record), None, "by its NPI");
        let by_default = "default = { through = \"fax-out\", to = \"heart-desk\" }\n";
        assert_eq!(doubt(by_default, &faxed("Cardiology", true)), None, "everything goes there");
        let both = format!("{by_default}{BY_SPECIALTY}");
        assert_eq!(doubt(&both, &faxed("Cardiology", true)), None, "it goes there in any case");
        let other = format!("default = {{ through = \"fax-out\", to = \"brain-desk\" }}\n{BY_SPECIALTY}");
        assert_eq!(doubt(&other, &faxed("Cardiology", true)).as_deref(), Some("referred_to.specialty"));
    }

    #[test]
    fn a_desk_that_a_fax_number_chose_against_what_else_the_page_says_is_contradicted() {
        let against = |record: &Record| {
            let (config, channel) = config(BY_SPECIALTY);
            let target = destination(&config, &channel, record).unwrap();
            (target.to.clone(), contradicted(&config, &channel, record, &target))
        };
        let mut record = faxed("Urology", false);
        record.referred_to.phones.push(Phone { number: "+15035550143".to_owned(), usage: Some(PhoneUse::Fax) });
        read(&mut record, "referred_to.phones.0.number", false);
        assert_eq!(against(&record), ("brain-desk".to_owned(), Some("referred_to.specialty")));
        record.referred_to.specialty = Some("Neurology".to_owned());
        assert_eq!(against(&record).1, None, "they do that");
        record.referred_to.specialty = None;
        assert_eq!(against(&record).1, None, "nothing else is said");
        record.referring.organization = Some("Harbor Brain Group".to_owned());
        assert_eq!(against(&record).1, Some("referring.organization"), "they are who refers");
        record.referred_to.organization = Some("Harbor Brain Group".to_owned());
        assert_eq!(against(&record).1, None, "they are named as well");
        let mut said = faxed("Urology", false);
        said.referred_to.phones.push(Phone { number: "+15035550143".to_owned(), usage: Some(PhoneUse::Fax) });
        assert_eq!(against(&said).1, None, "no page said it");
    }

    #[test]
    fn a_doubtful_name_or_fax_number_of_the_desk_is_doubt_as_well_unless_one_of_two_is_sure() {
        let mut record = faxed("Neurology", false);
        record.referred_to.organization = Some("Harbor Heart Group".to_owned());
        read(&mut record, "referred_to.organization", true);
        assert_eq!(doubt(BY_SPECIALTY, &record).as_deref(), Some("referred_to.organization"));
        record.referred_to.phones.push(Phone { number: "+15035550142".to_owned(), usage: Some(PhoneUse::Fax) });
        read(&mut record, "referred_to.phones.0.number", false);
        assert_eq!(doubt(BY_SPECIALTY, &record), None, "its fax number is sure");
        read(&mut record, "referred_to.phones.0.number", true);
        assert!(doubt(BY_SPECIALTY, &record).is_some(), "both are in doubt");
    }
}
