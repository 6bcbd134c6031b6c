//! What is written is read again as the same record, in every version.

use super::*;
use crate::{
    normalize::hl7::{Hl7Message, Hl7Rules, normalize},
    referral::{Record, Reference},
};

fn referral_of(record: impl Into<Box<Record>>) -> Referral {
    let message = crate::ids::MessageId::generate();
    let source =
        crate::referral::Source { channel: crate::ids::ChannelName::new("a"), message, received_at: now(), written_at: None };
    Referral {
        id: crate::ids::ReferralId::generate(),
        reference: Reference::generate(),
        status: Status::New,
        version: 1,
        record: record.into(),
        pending_replies: Vec::new(),
        sources: vec![source],
        history: Vec::new(),
    }
}

fn now() -> Timestamp {
    "2026-11-21T17:02:11Z".parse().unwrap()
}

fn face(version: Version) -> Face<'static> {
    Face {
        version,
        character_set: "UNICODE UTF-8",
        sending: ["LOOPLINE", "SITE"],
        receiving: ["EHR^1.2.3^ISO", "HEART"],
        processing_id: "P",
        enhanced: false,
        control_id: "01KAVM6Q2C9Y2R0N4N5S",
        now: now(),
    }
}

fn whole(face: &Face<'_>, event: Event, of: &Referral, enclosures: &Enclosures) -> Vec<u8> {
    super::referral(face, event, of, enclosures).unwrap()
}

fn read(bytes: &[u8]) -> Hl7Message {
    let rules = Hl7Rules { received_at: now(), ..Hl7Rules::default() };
    let message = normalize(bytes, &rules).unwrap();
    assert!(message.refusal.is_none(), "{:?}", message.refusal);
    message
}

/// What a record says of the referral; not where it was read.
fn said(record: &Record) -> serde_json::Value {
    let mut bare = record.clone();
    bare.evidence.clear();
    bare.problems.clear();
    bare.review.clear();
    bare.held.clear();
    bare.identifiers.filler = None;
    let mut value = serde_json::to_value(&bare).unwrap();
    value["identifiers"]["placer"]["found_in"].take();
    value
}

/// A record with something in every field that HL7 has a place for.
fn full_record() -> Record {
    serde_json::from_value(serde_json::json!({
        "priority": "urgent",
        "kind": "second-opinion",
        "identifiers": {"placer": {"value": "R-77", "authority": "ELM"}},
        "authored_at": "2026-11-20T10:15:00-08:00",
        "expires_at": "2027-05-20",
        "patient": {
            "identifiers": [
                {"value": "7|1", "authority": "ELM", "type": "MR"},
                {"value": "900-00", "type": "SS"},
                {"value": "55", "authority": "OAK"},
            ],
            "name": {"family": "O'Quill^feather & Søn", "given": "Ottoline", "middle": "M", "suffix": "Jr", "prefix": "Ms"},
            "birth_date": "1962-02-14",
            "sex": "F",
            "phones": [
                {"number": "+15035550144", "use": "home"},
                {"number": "+15035550145", "use": "mobile"},
                {"number": "+15035550146", "use": "work"},
            ],
            "emails": ["ottoline@quill.example"],
            "address": {"lines": ["12 Elm St", "Apt 3"], "city": "Portland", "state": "OR", "postal_code": "97201", "country": "US"},
        },
        "insurance": [
            {"payer": "Aster Health", "plan": "PPO", "member_id": "M-1", "group": "G-1"},
            {"payer": "Birch Life", "plan": "HMO", "member_id": "M-2"},
        ],
        "authorization": {"number": "A-9", "from": "2026-11-20", "to": "2027-02-20", "units": 3},
        "referring": {
            "name": {"family": "Whitcombe", "given": "Harriet", "prefix": "Dr"},
            "npi": "1245319599",
            "identifiers": [{"value": "L-5", "type": "LI", "authority": "OR"}],
            "organization": "Elm Street Family Medicine",
            "phones": [{"number": "+15035550143", "use": "work"}, {"number": "+15035550149", "use": "fax"}],
            "emails": ["desk@elm-street.example"],
            "address": {"lines": ["1 Elm St"], "city": "Portland", "state": "OR", "postal_code": "97201"},
        },
        "referred_to": {"organization": "Northside Heart Center", "specialty": "Cardiology"},
        "request": {
            "service": "Cardiology",
            "reason": "Palpitations on exertion\nfor six weeks \\ worse at night",
            "diagnoses": [{"code": "R00.2", "system": "ICD-10-CM", "text": "Palpitations"}, {"text": "Fatigue"}],
            "procedures": [{"code": "93000", "system": "CPT", "text": "ECG"}],
            "report_expected": true,
        },
        "notes": ["First note", "Second: a|b^c&d~e\\f\nand a line"],
    }))
    .unwrap()
}

#[test]
fn every_field_is_read_again_as_it_was_in_every_version() {
    for version in Version::ALL {
        let referral = referral_of(full_record());
        let message = read(&whole(&face(version), Event::New, &referral, &Enclosures::default()));
        let back = message.outcome.record.unwrap();
        assert_eq!(said(&back), said(&referral.record), "{}", version.as_str());
        assert_eq!(message.reference.as_ref(), Some(&referral.reference), "our number is found");
        assert!(back.held.is_empty() && back.review.is_empty(), "{}: {:?}", version.as_str(), back.review);
    }
}

#[test]
fn an_allergy_goes_on_as_a_segment_and_is_read_again_as_it_was() {
    let came = "MSH|^~\\&|EHR|ELM|LOOPLINE|SITE|20261121||REF^I12|C1|P|2.5.1\rRF1|P|R||||R-77^ELM|20261120\rPRD|RP|Whitcombe^Harriet\r\
                PRD|RT|Ames^Dora\rPID|1||7^^^ELM^MR||Lee^Leslie||19620214|F\rNK1|1|Lee^Sam|SPO^Spouse\r\
                AL1|1|DA|70618^Penicillin^RXNORM|SV|anaphylaxis~hives\rAL1|2|MA^Other|^Dust \\T\\ mites|XX^Very bad\rNTE|1||Please see.\r\
                IAM|1|FA|^Nuts|MI|||||||||||||C\r";
    let record = read(came.as_bytes()).outcome.record.unwrap();
    for version in Version::ALL {
        let referral = referral_of(record.clone());
        let bytes = whole(&face(version), Event::Change, &referral, &Enclosures::default());
        let text = String::from_utf8(bytes.clone()).unwrap();
        let lines = |name: &str| text.split('\r').filter(|line| line.starts_with(name)).collect::<Vec<_>>();
        assert_eq!(
            lines("AL1"),
            [
                "AL1|1|DA^drug|70618^Penicillin^RXNORM|SV^severe|anaphylaxis, hives",
                "AL1|2|MA^miscellaneous|^Dust \\T\\ mites|^Very bad",
            ]
        );
        // What AL1 cannot say whole, and what is no allergy, stays a note.
        let words = ["NTE|1||Allergy: Nuts; type: food; severity: mild; status: C", "NTE|2||Please see."];
        assert_eq!(lines("NTE")[..2], words);
        assert_eq!(lines("NTE")[2], "NTE|3||Next of kin: Sam Lee (Spouse)");
        let mut back = read(&bytes).outcome.record.unwrap();
        back.notes.sort();
        let mut sent = record.notes.clone();
        sent.sort();
        assert_eq!(back.notes, sent);
    }
    // What a person or a fax put into words is no segment.
    let mut said = full_record();
    said.notes = vec!["Allergy: Penicillin".to_owned(), "Allergies: iodine".to_owned()];
    let text = whole(&face(Version::V2_5_1), Event::New, &referral_of(said), &Enclosures::default());
    assert!(!String::from_utf8(text).unwrap().contains("\rAL1|"));
}

#[test]
fn the_shipped_samples_are_read_again_as_they_were() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/st-mary-mllp");
    for name in ["referral.hl7", "referral-lf.hl7", "referral-with-pdf.hl7"] {
        let mut first = read(&std::fs::read(folder.join(name)).unwrap());
        let record = first.outcome.record.take().unwrap();
        let documents = record.attachments.iter().zip(first.outcome.contents);
        let documents = documents.map(|(attachment, content)| Enclosure {
            name: attachment.name.as_ref().and_then(|name| name.rsplit_once('.')).map(|(stem, _)| stem.to_owned()),
            media_type: attachment.media_type.clone(),
            content: content.to_vec().into(),
        });
        let enclosures = Enclosures { documents: documents.collect(), left_out: 0 };
        let referral = referral_of(record);
        let second = read(&whole(&face(Version::V2_5_1), Event::New, &referral, &enclosures));
        assert_eq!(said(&second.outcome.record.unwrap()), said(&referral.record), "{name}");
    }
}

#[test]
fn a_referral_without_a_number_goes_by_ours_and_an_unknown_priority_stays_unknown() {
    let mut record = full_record();
    record.identifiers.placer = None;
    record.priority = crate::referral::Priority::Unknown;
    let referral = referral_of(record);
    let back = read(&whole(&face(Version::V2_5_1), Event::New, &referral, &Enclosures::default()));
    let record = back.outcome.record.unwrap();
    assert_eq!(record.identifiers.placer.unwrap().value, referral.reference.as_str());
    assert_eq!(record.priority, crate::referral::Priority::Unknown);
}

#[test]
fn the_header_is_as_the_version_and_the_channel_want_it() {
    let referral = referral_of(full_record());
    let header = |face: &Face<'_>, event| {
        let text = String::from_utf8(whole(face, event, &referral, &Enclosures::default())).unwrap();
        text.split('\r').next().unwrap().to_owned()
    };
    assert_eq!(
        header(&face(Version::V2_3), Event::New),
        "MSH|^~\\&|LOOPLINE|SITE|EHR^1.2.3^ISO|HEART|20261121170211+0000||REF^I12|01KAVM6Q2C9Y2R0N4N5S|P|2.3||||||UNICODE UTF-8"
    );
    let enhanced = Face { enhanced: true, ..face(Version::V2_8) };
    assert!(header(&enhanced, Event::Cancel).contains("||REF^I14^REF_I12|01KAVM6Q2C9Y2R0N4N5S|P|2.8|||AL|NE||UNICODE UTF-8"));
    assert!(header(&face(Version::V2_4), Event::Change).contains("|REF^I13^REF_I12|"));
}

#[test]
fn what_a_version_requires_is_there_and_what_it_withdrew_is_not() {
    let referral = referral_of(full_record());
    for version in Version::ALL {
        let text = String::from_utf8(whole(&face(version), Event::New, &referral, &Enclosures::default())).unwrap();
        let field = |segment: &str, number: usize| {
            let line = text.split('\r').find(|line| line.starts_with(segment)).unwrap_or_default();
            line.split('|').nth(number).unwrap_or_default().to_owned()
        };
        let name = version.as_str();
        assert_eq!(field("PR1", 6), if version < Version::V2_4 { "U" } else { "" }, "{name}");
        assert_eq!(field("PID", 13).starts_with("+1503"), version < Version::V2_6, "{name}: XTN.1");
        let kind = if version < Version::V2_7 { "" } else { "^U" };
        assert!(field("PID", 3).ends_with(&format!("~55^^^OAK{kind}")), "{name}: {}", field("PID", 3));
        let payer = if version < Version::V2_7 { "Aster Health" } else { "Aster Health^^^^U" };
        assert_eq!(field("IN1", 3), payer, "{name}");
        assert_eq!(field("AUT", 13), if version < Version::V2_8 { "" } else { "^Cardiology" }, "{name}");
    }
}

#[test]
fn a_referral_says_how_it_stands_and_a_request_is_pending() {
    let mut referral = referral_of(full_record());
    for (status, code) in [
        (Status::Requested, "P^Pending"),
        (Status::Scheduled, "A^Accepted"),
        (Status::Closed, "A^Accepted"),
        (Status::Declined, "R^Rejected"),
        (Status::Expired, "E^Expired"),
    ] {
        referral.status = status;
        for (event, code) in [(Event::New, code), (Event::Change, code), (Event::Request, "P^Pending")] {
            let bytes = whole(&face(Version::V2_5_1), event, &referral, &Enclosures::default());
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(&format!("\rRF1|{code}^HL70283|")), "{status:?} {event:?}: {text}");
            assert_eq!(said(&read(&bytes).outcome.record.unwrap()), said(&referral.record), "a receiver reads the same referral");
        }
    }
}

#[test]
fn text_is_written_in_the_character_set_of_the_channel() {
    let latin = Face { character_set: "8859/1", ..face(Version::V2_4) };
    let referral = referral_of(full_record());
    let bytes = whole(&latin, Event::New, &referral, &Enclosures::default());
    assert!(bytes.windows(3).any(|part| part == b"S\xF8n"));
    assert_eq!(read(&bytes).outcome.record.unwrap().patient.name, referral.record.patient.name);
}

#[test]
fn a_message_that_its_character_set_cannot_say_whole_is_not_written() {
    let latin = Face { character_set: "8859/1", ..face(Version::V2_5_1) };
    let mut record = full_record();
    record.patient.name.family = Some("Wałęsa".to_owned());
    record.notes.push("Dr Łoś knows her".to_owned());
    let mut lost = referral_of(record);
    let unwritable = super::referral(&latin, Event::New, &lost, &Enclosures::default()).unwrap_err();
    assert_eq!(unwritable.to_string(), "PID-5 and NTE-3");
    assert_eq!(super::status(&latin, &lost).unwrap_err().to_string(), "PID-5");
    *lost.record = full_record();
    lost.record.notes = vec!["It’s “so” – 5 µg…".to_owned()];
    let bytes = whole(&latin, Event::New, &lost, &Enclosures::default());
    let text: String = bytes.into_iter().map(char::from).collect();
    assert!(text.contains("NTE|1||It's \"so\" - 5 µg...\r"), "{text}");
}

#[test]
fn what_is_left_out_is_said() {
    let enclosures = Enclosures { documents: Vec::new(), left_out: 2 };
    let text = String::from_utf8(whole(&face(Version::V2_5_1), Event::New, &referral_of(full_record()), &enclosures));
    assert!(text.unwrap().contains("NTE|3||2 documents of this referral are not in this message"));
}

#[test]
fn a_status_says_how_it_stands_without_an_answer_to_anything() {
    let mut referral = referral_of(full_record());
    referral.status = Status::Scheduled;
    referral.record.appointment =
        serde_json::from_value(serde_json::json!({"at": "2026-12-14T10:30", "with": "Dr Ames"})).unwrap();
    let text = String::from_utf8(super::status(&face(Version::V2_5_1), &referral).unwrap()).unwrap();
    assert!(
        text.contains("||RRI^I12^RRI_I12|") && text.contains("\rRF1|A^Accepted^HL70283|") && !text.contains("MSA|"),
        "{text}"
    );
    assert!(text.contains("Appointment: 2026-12-14 10:30 with Dr Ames."), "{text}");
    let read = read(text.as_bytes());
    assert_eq!(read.outcome.reply.unwrap().outcome, crate::referral::ReplyOutcome::Accepted);
}

#[test]
fn a_status_says_why_and_that_an_appointment_is_off() {
    use crate::{ids::MessageId, referral::HistoryEntry};
    let mut referral = referral_of(full_record());
    let say = |referral: &mut Referral, outcome: ReplyOutcome, reason: Option<&str>| {
        let event = HistoryEvent::Replied { outcome, reason: reason.map(str::to_owned) };
        let message = Some(MessageId::generate());
        referral.record_event(HistoryEntry { at: now(), event, by: "channel a".to_owned(), message, delivery: None });
        standing(referral)
    };
    let scheduled = say(&mut referral, ReplyOutcome::Scheduled, None);
    assert!(scheduled[0].starts_with("An appointment is made."), "{scheduled:?}");
    let off = say(&mut referral, ReplyOutcome::AppointmentCancelled, Some("Dr Ames is away"));
    assert!(off[0].starts_with("The appointment is cancelled; the specialist still takes the referral."), "{off:?}");
    assert_eq!(off[1], "Reason: Dr Ames is away");
    assert_eq!(say(&mut referral, ReplyOutcome::Received, None), off, "that they have it is no news");
    let declined = say(&mut referral, ReplyOutcome::Declined, Some("no new patients\nbefore spring"));
    assert!(declined[0].starts_with("The specialist declines the referral."), "{declined:?}");
    assert_eq!(say(&mut referral, ReplyOutcome::Declined, None), declined, "what was said stands");
    let text = String::from_utf8(super::status(&face(Version::V2_5_1), &referral).unwrap()).unwrap();
    assert!(text.contains("\rNTE|2||Reason: no new patients\\.br\\before spring\r"), "{text}");
    let other = say(&mut referral, ReplyOutcome::NeedsInformation, None);
    assert_eq!(other.len(), 1, "the reason was of the refusal");
}

#[test]
fn a_report_that_comes_anew_and_the_words_beside_a_yes_are_news_for_the_sender() {
    let mut referral = referral_of(Record::default());
    let entry = |event: HistoryEvent| crate::referral::HistoryEntry {
        at: now(),
        event,
        by: "channel a".to_owned(),
        message: None,
        delivery: None,
    };
    let reason = Some("We call her on Monday".to_owned());
    referral.record_event(entry(HistoryEvent::Replied { outcome: ReplyOutcome::Accepted, reason }));
    assert_eq!(standing(&referral)[1], "The specialist wrote: We call her on Monday");
    let mut said = Vec::new();
    for _ in 0..3 {
        referral.record_event(entry(HistoryEvent::Reported));
        said.push(standing(&referral));
    }
    assert!(said[0][0].starts_with("The report came back;") && said[1][0].contains("anew"), "{said:?}");
    assert!(said[1] != said[2] && said.iter().all(|words| words.len() == 1), "{said:?}");
}
