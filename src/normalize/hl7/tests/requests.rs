//! What is ordered, why, of whom, and by when.

use super::*;

/// The request of a referral with this RF1 and these segments more.
fn with(rf1: &str, more: &[&str]) -> Record {
    record(&[&[HEAD, rf1, RP, RT, PID], more].concat())
}

const BARE: &str = "RF1|P|R||||REF-1";

#[test]
fn what_is_ordered_is_the_service_and_a_procedure() {
    let obr = "OBR|1|O1||72148^MRI LUMBAR SPINE^CPT|||||||||||||||||||||||||||M54.5^Low back pain^I10C";
    let by_referral = with(BARE, &[obr]);
    let order = HEAD.replace("REF^I12^REF_I12", "OMG^O19^OMG_O19");
    let by_order = record(&[&order, PID, RP, RT, "ORC|NW|O1", obr]);
    for record in [by_referral, by_order] {
        assert_eq!(record.request.service.as_deref(), Some("MRI LUMBAR SPINE"));
        let procedure = &record.request.procedures[0];
        assert_eq!((procedure.code.as_deref(), procedure.system.as_deref()), (Some("72148"), Some("CPT")));
        assert_eq!(procedure.text.as_deref(), Some("MRI LUMBAR SPINE"));
        assert_eq!(record.evidence["request.procedures.0.code"].location.as_deref(), Some("OBR^1^4"));
        assert_eq!(record.request.procedures.len(), 1);
        assert_eq!(record.referred_to.specialty, None);
    }
    let typed = with("RF1|P|R|Rad^Radiology|||REF-1", &[obr, "PR1|1||72148^MRI^CPT"]);
    assert_eq!((typed.request.service.as_deref(), typed.request.procedures.len()), (Some("MRI LUMBAR SPINE"), 1));
    let local = with(BARE, &["OBR|1|A1||GICONS^GI Consult^L"]);
    assert_eq!(local.request.service.as_deref(), Some("GI Consult"));
    assert_eq!(local.request.procedures[0].code.as_deref(), Some("GICONS"));
    let of_a_specialty = with(BARE, &["OBR|1|A1||REFNEU^Referral to Neurology"]);
    assert_eq!(of_a_specialty.request.procedures[0].code.as_deref(), Some("REFNEU"));
    let specialty = with(BARE, &["OBR|1|A1||CARD^Cardiology"]);
    assert_eq!((specialty.request.service.as_deref(), specialty.request.procedures.len()), (Some("Cardiology"), 0));
}

#[test]
fn results_and_the_note_that_documents_hang_on_are_not_ordered() {
    for more in [
        &["OBR|1|||57133-1^Referral note^LN"][..],
        &["OBR|1|||4548-4^Haemoglobin A1c^LN", "OBX|1|NM|4548-4^Haemoglobin A1c^LN||6.1|%"],
        &["OBR|1|||CBC^Blood count^L|||||||||||||||||||||F", "OBX|1|ST|WBC^White cells^L||normal"],
        &["OBR|1|||CBC^Blood count^L", "NTE|1||x", "OBX|1|NM|WBC^White cells^L||6"],
    ] {
        let record = with(BARE, more);
        assert_eq!(record.request.service.as_deref(), Some("consultation"), "{more:?}");
        assert!(record.request.procedures.is_empty(), "{more:?}");
    }
}

#[test]
fn a_referral_type_is_the_service_and_no_specialty() {
    for (kind, service) in [
        ("CON^Consult and Treat^EPIC", "Consult and Treat"),
        ("CON", "CON"),
        ("EVAL^Evaluation only", "Evaluation only"),
        ("X^MRI brain", "MRI brain"),
        ("COL^Colonoscopy", "Colonoscopy"),
        ("Med^Medical^HL70281", "Medical"),
    ] {
        let record = with(&format!("RF1|P|R|{kind}|||REF-1"), &[]);
        assert_eq!((record.request.service.as_deref(), record.referred_to.specialty), (Some(service), None), "{kind}");
    }
    for (kind, specialty) in [("CARD^Cardiology^L", "Cardiology"), ("MEM^Memory Clinic", "Memory Clinic"), ("ENT", "ENT")] {
        let record = with(&format!("RF1|P|R|{kind}|||REF-1"), &[]);
        assert_eq!(record.referred_to.specialty.as_deref(), Some(specialty), "{kind}");
    }
}

#[test]
fn every_text_that_says_why_is_kept_once() {
    let reason = |rf1: &str, more: &[&str]| with(rf1, more).request.reason.unwrap();
    let rf1 = "RF1|P|R||||REF-1||||^Evaluate and treat; rule out MS";
    let obr = "OBR|1|A1||REFNEU^Referral to Neurology|||20261126||||||Optic neuritis 2019";
    assert_eq!(reason(rf1, &[obr]), "Optic neuritis 2019\nEvaluate and treat; rule out MS");
    let twice = "RF1|P|R||||REF-1||||^CHF exacerbation~^Shortness of breath on exertion";
    assert_eq!(reason(twice, &[]), "CHF exacerbation\nShortness of breath on exertion");
    let same = format!("OBR|1|A1||57133-1^^LN{}^Optic neuritis, rule out MS", "|".repeat(27));
    assert_eq!(reason("RF1|P|R||||REF-1||||^rule out MS~P^Patient preference", &[&same]), "Optic neuritis, rule out MS");
    assert_eq!(reason(twice, &["NTE|1||Chest pain|REASON"]), "Chest pain\nCHF exacerbation\nShortness of breath on exertion");
}

#[test]
fn a_practice_is_read_where_a_person_or_its_own_field_belongs() {
    let to = |prd: &str| record(&[HEAD, RF1, RP, prd, PID]);
    let named = to("PRD|RT|Maple Skin Clinic|1 A St^^Portland^OR^97201||^WPN^PH^^1^503^5550143");
    assert_eq!(named.referred_to.organization.as_deref(), Some("Maple Skin Clinic"));
    assert_eq!(named.referred_to.name.family, None);
    assert!(named.review.contains(&"referred_to.organization".to_owned()));
    let unclear = to("PRD|RT|Quiet Minds");
    assert_eq!(unclear.referred_to.name.family.as_deref(), Some("Quiet Minds"));
    assert!(unclear.review.contains(&"referred_to.name.family".to_owned()), "a person or a practice: nobody can tell");

    let own = "Quiet Minds^L^^^^NPI&2.16&ISO^NPI^^^1003000134|9 Elm^^Bend^OR^97701||^WPN^PH^^^^^^^^^(541) 555-0109";
    let alone = to(&format!("PRD|RT|||||||||{own}")).referred_to;
    assert_eq!((alone.organization.as_deref(), alone.npi.as_deref()), (Some("Quiet Minds"), Some("1003000134")));
    assert_eq!((alone.address.city.as_deref(), alone.phones[0].number.as_str()), (Some("Bend"), "+15415550109"));
    let person = to(&format!("PRD|RT|Ames^Dora||||||||{own}")).referred_to;
    assert_eq!(person.npi, None, "the number of the practice is not the person's");
    assert_eq!((person.identifiers[0].value.as_str(), person.identifiers[0].kind.as_deref()), ("1003000134", Some("NPIO")));
}

#[test]
fn a_new_referral_that_expired_before_it_came_is_marked_and_not_held() {
    let rules = Hl7Rules { received_at: "2026-11-26T10:00:00Z".parse().unwrap(), ..Hl7Rules::default() };
    let read = |event: &str, expires: &str| {
        let lines = [&HEAD.replace("I12^REF_I12", event), &RF1.replace("20270520", expires), RP, RT, PID];
        normalize(&joined(&lines), &rules).unwrap().outcome.record.unwrap()
    };
    let late = read("I12", "20261125");
    assert!(has(&late, "expired-on-arrival") && late.review == ["expires_at"], "{:?}", late.problems);
    assert!(late.held.is_empty());
    for (event, expires) in [("I12", "20261126"), ("I12", "202612"), ("I13", "20261125")] {
        assert!(!has(&read(event, expires), "expired-on-arrival"), "{event} {expires}");
    }
}

#[test]
fn without_a_time_of_arrival_the_day_of_sending_stands_in_for_it() {
    let tried =
        |birth: &str, expires: &str| record(&[HEAD, &RF1.replace("20270520", expires), RP, RT, &PID.replace("19341101", birth)]);
    assert!(has(&tried("20261121", "20270520"), "birth-date-in-future"), "sent on the 20th");
    assert!(has(&tried("18501231", "20270520"), "birth-date-too-old"));
    assert!(has(&tried("19341101", "20261119"), "expired-on-arrival"));
    let silent = record(&[&HEAD.replace("20261120101500-0800", ""), RF1, RP, RT, &PID.replace("19341101", "20991121")]);
    assert!(silent.review.is_empty(), "nobody knows the day");
}
