//! What the specialist's side says: 360X orders, bookings, results and letters.

use super::*;
use crate::referral::ReplyOutcome;

const OID: &str = "2.16.840.1.113883.19.5";

/// A head of this type, between 360X partners.
fn head(kind: &str) -> String {
    format!("MSH|^~\\&||^{OID}.1^ISO||^{OID}.2^ISO|20261121101500+0000||{kind}|C1|P|2.5.1|||NE|NE|||||360X")
}

fn order(kind: &str, control: &str, status: &str, more: &[&str]) -> Hl7Message {
    let number = format!("889^^{OID}^ISO");
    let orc = format!("ORC|{control}|{number}|||{status}|||||||34^Allen^Anthony||||^No capacity before spring");
    let obr = format!("OBR|1|{number}||57133-1^Referral note^LN");
    read(&[&[&head(kind), PID, &orc, &obr], more].concat())
}

fn outcome(read: &Hl7Message) -> ReplyOutcome {
    assert_eq!(read.outcome.kind, Kind::Reply, "{:?}", read.refusal);
    read.outcome.reply.as_ref().unwrap().outcome
}

#[test]
fn a_360x_request_is_a_referral_known_by_its_order_number() {
    let request = order("OMG^O19^OMG_O19", "NW", "", &["TQ1|1|||||||20261218235959+0000|A"]);
    assert_eq!((request.outcome.kind, request.outcome.event), (Kind::Referral, Some(Event::New)));
    let found = keys(&request);
    assert_eq!(found[..2], [format!("ei||{OID}|889+"), format!("~ei|{OID}.1||889+")]);
    assert!(found.contains(&format!("referral|{OID}.1|{OID}|889")), "{found:?}");
    let record = request.outcome.record.unwrap();
    assert_eq!(record.identifiers.placer.unwrap().found_in.as_deref(), Some("ORC-2"));
    assert_eq!(record.referring.name.family.as_deref(), Some("Allen"));
    assert_eq!(record.priority, Priority::Urgent);
}

#[test]
fn a_360x_cancel_asks_and_its_confirmation_answers() {
    for control in ["CA", "DC"] {
        assert_eq!(order("OSU^O51^OSU_O51", control, "", &[]).outcome.event, Some(Event::Cancel));
    }
    assert_eq!(order("OMG^O19", "XO", "", &[]).outcome.event, Some(Event::Change));
    for (control, status) in [("CR", ""), ("OK", "CA"), ("OK", "DC")] {
        assert_eq!(outcome(&order("OSU^O51", control, status, &[])), ReplyOutcome::Cancelled, "{control} {status}");
    }
}

#[test]
fn a_360x_status_says_what_the_specialist_decided() {
    assert_eq!(outcome(&order("OSU^O51", "OK", "", &[])), ReplyOutcome::Accepted);
    let declined = order("OSU^O51", "UA", "", &[]);
    assert_eq!(outcome(&declined), ReplyOutcome::Declined);
    assert_eq!(declined.outcome.reply.unwrap().reason.as_deref(), Some("No capacity before spring"));
    assert_eq!(outcome(&order("OMG^O19", "SC", "IP", &[])), ReplyOutcome::Accepted);
    assert_eq!(outcome(&order("OMG^O19", "SC", "CM", &[])), ReplyOutcome::Completed);
    for (control, status) in [("SC", "HD"), ("UC", ""), ("ZZ", ""), ("", "")] {
        assert_eq!(outcome(&order("OSU^O51", control, status, &[])), ReplyOutcome::Unclear, "{control} {status}");
    }
}

#[test]
fn a_360x_outcome_with_its_note_is_the_report() {
    let note = "OBX|1|TX|11488-4^Consultation note^LN||No sign of ischaemia.||||||F";
    for control in ["SC", "NW"] {
        assert_eq!(order("OMG^O19", control, "CM", &[note]).outcome.kind, Kind::Report);
    }
}

#[test]
fn an_order_without_a_patient_is_refused_and_a_status_without_one_is_not() {
    assert_eq!(refused(&[&head("OMG^O19"), "ORC|NW|889"]), "AE 101 PID");
    assert_eq!(outcome(&read(&[&head("OSU^O51"), "ORC|OK|889"])), ReplyOutcome::Accepted);
}

#[test]
fn bookings_say_when_and_with_whom() {
    let sch = format!("SCH||77^^{OID}||||^Clinic moved|||||^^20^20261214103000|||||9^Ames^Dora||||||||||889^^{OID}^ISO");
    let booked = read(&[&head("SIU^S12^SIU_S12"), &sch, PID, "RGS|1", "AIP|1||9^Ames^Dora^^^Dr"]);
    assert_eq!(outcome(&booked), ReplyOutcome::Scheduled);
    assert_eq!(keys(&booked)[0], format!("ei||{OID}|889+"));
    let appointment = booked.outcome.reply.unwrap().appointment.unwrap();
    assert_eq!((appointment.at.as_str(), appointment.with.as_deref()), ("2026-12-14T10:30:00", Some("Dr Dora Ames")));
    let dublin = Profile { time_zone: Some("Europe/Dublin".to_owned()), ..Profile::default() };
    let lines = [head("SIU^S12^SIU_S12"), sch.clone(), PID.to_owned()].join("\r");
    let there = normalize(lines.as_bytes(), &following(dublin)).unwrap().outcome.reply.unwrap();
    assert_eq!(there.appointment.unwrap().at.as_str(), "2026-12-14T10:30:00+00:00");
    let moved = read(&[&head("SIU^S13"), &sch, "TQ1|1||||||20261215090000+0100", PID, "AIS|1||99243|20261216"]);
    assert_eq!(moved.outcome.reply.unwrap().appointment.unwrap().at.as_str(), "2026-12-16");
    let off = read(&[&head("SIU^S15"), &sch, PID]);
    assert_eq!(outcome(&off), ReplyOutcome::AppointmentCancelled);
    assert_eq!(off.outcome.reply.unwrap().reason.as_deref(), Some("Clinic moved"));
    assert_eq!(outcome(&read(&[&head("SIU^S26^SIU_S26"), &sch, PID])), ReplyOutcome::NoShow);
    assert_eq!(refused(&[&head("SIU^S14"), &sch, PID]), "AR 201 MSH^1^9^1^2");
}

#[test]
fn a_final_letter_or_result_is_the_report_and_what_is_a_draft_or_a_value_is_a_document() {
    let pdf = format!("OBX|1|ED|LTR^Letter^L||^application^pdf^Base64^{}||||||F", data_encoding::BASE64.encode(b"%PDF-1.4 x"));
    let obr = |status: &str| format!("OBR|1|GP-1|LAB-2|11488-4^Consultation note^LN{}{status}", "|".repeat(21));
    let kind = |lines: &[&str]| read(lines).outcome.kind;
    assert_eq!(kind(&[&head("ORU^R01^ORU_R01"), PID, &obr("F"), &pdf]), Kind::Report);
    assert_eq!(kind(&[&head("ORU^R01"), PID, &obr("P"), &pdf]), Kind::Document);
    assert_eq!(kind(&[&head("ORU^R01"), PID, "OBR|1|GP-1||718-7^Hb^LN", "OBX|1|NM|718-7^Hb^LN||13.1|g/dL"]), Kind::Document);
    let txa = |kind: &str, status: &str| format!("TXA|1|{kind}|TX|||||||||D-1||GP-1|||{status}");
    let text = "OBX|1|TX|LTR^Letter^L||Seen today, no further visit.";
    let letter = read(&[&head("MDM^T02^MDM_T02"), PID, &txa("CN", "AU"), text]);
    assert_eq!((letter.outcome.kind, keys(&letter)[0].as_str()), (Kind::Report, format!("ei|{OID}.2||gp-1").as_str()));
    assert_eq!(kind(&[&head("MDM^T02"), PID, &txa("CN", "DI"), text]), Kind::Document);
    assert_eq!(kind(&[&head("MDM^T02"), PID, &txa("DS", "AU"), text]), Kind::Document);
    assert_eq!(refused(&[&head("MDM^T01"), PID]), "AR 201 MSH^1^9^1^2");
}

#[test]
fn responses_to_a_change_a_cancel_and_a_status_request_are_told_apart() {
    let response = |event: &str, status: &str| {
        let rf1 = format!("RF1|{status}|R||||REF-1");
        outcome(&read(&[&head(&format!("RRI^{event}^RRI_I12")), "MSA|AA|X1", &rf1, RT, PID]))
    };
    for event in ["I12", "I13", "I15"] {
        assert_eq!(response(event, "A"), ReplyOutcome::Accepted);
        assert_eq!(response(event, "P"), ReplyOutcome::Received);
    }
    assert_eq!(response("I14", "A"), ReplyOutcome::Cancelled);
    assert_eq!(response("I14", ""), ReplyOutcome::Cancelled);
    assert_eq!(response("I14", "P"), ReplyOutcome::Received);
    assert_eq!(response("I15", "R"), ReplyOutcome::Declined);
    for event in ["I13", "I14"] {
        assert_eq!(response(event, "R"), ReplyOutcome::Unclear, "the request or the referral");
    }
}

#[test]
fn an_acceptance_that_says_when_the_visit_is_is_an_appointment() {
    let accepted = |more: &[&str]| read(&[&[&head("RRI^I12^RRI_I12"), "MSA|AA|X1", "RF1|A|||||889", RT, PID], more].concat());
    assert_eq!(outcome(&accepted(&["TQ1|1|||||||20261218235959+0000|A"])), ReplyOutcome::Accepted, "that is what was asked for");
    let booked = accepted(&["SCH|1|F7|||||||||^^30^20261214103000", "AIP|1||9^Ames^Dora^^^Dr"]);
    assert_eq!(outcome(&booked), ReplyOutcome::Scheduled);
    let appointment = booked.outcome.reply.unwrap().appointment.unwrap();
    assert_eq!(appointment.at.as_str(), "2026-12-14T10:30:00");
}

#[test]
fn what_may_be_the_report_is_told_from_the_report_and_from_other_papers() {
    let pdf = |title: &str| format!("OBX|1|ED|{title}||^application^pdf^Base64^JVBERi0xLjQK||||||F");
    let brings = |lines: &[&str]| {
        let outcome = read(lines).outcome;
        let problems = outcome.record.unwrap().problems;
        let doubt = problems.iter().find_map(|problem| problem.code.strip_suffix("-the-report").map(str::to_owned));
        (outcome.kind, doubt.unwrap_or_default())
    };
    let is = |kind: Kind, doubt: &str| (kind, doubt.to_owned());
    let of_type =
        |kind: &str, obx: &str| brings(&[&head("MDM^T02^MDM_T02"), PID, &format!("TXA|1|{kind}|TX|||||||||D-1||GP-1|||AU"), obx]);
    let text = "OBX|1|TX|||Seen today, start bisoprolol.||||||F";
    for kind in ["CL^Clinic letter", "CONS^Consultation Report^L", "11488-4^Consult note^LN", "L^Letter to GP^L", "X^^L^11488-4"]
    {
        assert_eq!(of_type(kind, text), is(Kind::Report, ""), "{kind}");
        assert_eq!(of_type(kind, &pdf("PDF^Letter^L")), is(Kind::Report, ""), "{kind}");
    }
    assert_eq!(of_type("PN^Progress note", text), is(Kind::Document, "perhaps"), "words of no referral are nobody's business");
    assert_eq!(of_type("PDF^Scan", &pdf("PDF^Document^L")), is(Kind::Report, "perhaps"));
    assert_eq!(of_type("REQ^Request for consultation", text), is(Kind::Document, "perhaps"), "it says both");
    for kind in ["CONSENT^Consent form", "CONS^Consent form", "APPT^Appointment letter to patient", "DS"] {
        assert_eq!(of_type(kind, text), is(Kind::Document, ""), "{kind}");
    }
    let result = |order: &str, obx: &str| {
        let obr = format!("OBR|1|GP-1||{order}{}F", "|".repeat(21));
        brings(&[&head("ORU^R01^ORU_R01"), PID, &obr, obx])
    };
    assert_eq!(result("58410-2^CBC panel^LN", &pdf("58410-2^CBC^LN")), is(Kind::Report, "perhaps"));
    let picture = format!("OBX|1|TX|||{}", "Clear lungs. ".repeat(12));
    assert_eq!(result("36643-5^Chest X-ray^LN", &picture), is(Kind::Document, "perhaps"));
    assert_eq!(result("718-7^Hb^LN", "OBX|1|NM|718-7^Hb^LN||13.1|g/dL"), is(Kind::Document, ""));
    let ordered = "99243^Cardiology consultation^CPT";
    assert_eq!(result(ordered, "OBX|1|ST|STAT^Visit status||Arrived"), is(Kind::Document, ""), "what was ordered is no title");
    let response = |more: &[&str]| brings(&[&[&head("RRI^I12^RRI_I12"), "RF1|A|R||||REF-1", RT, PID], more].concat());
    assert_eq!(response(&[&pdf("PREP^Patient instructions^L")]), is(Kind::Reply, ""));
    let booking = format!("OBR|1|GP-1||BOOK^Booking letter^L|||20261127{}F", "|".repeat(18));
    assert_eq!(response(&[&booking, &pdf("PREP^Preparation^L")]), is(Kind::Reply, ""));
    for title in ["INV^Invitation letter^L", "57133-1^Referral note^LN", "L^Lab report^L", "L^Letter to patient^L"] {
        assert_eq!(response(&[&pdf(title)]), is(Kind::Reply, ""), "{title}");
    }
    let remark = "OBX|1|TX|REM^Remark^L||Bring your medicines";
    assert_eq!(response(&["MSA|AA|X1", &format!("OBR|1|REF||{ordered}"), remark]), is(Kind::Reply, ""));
    assert_eq!(response(&[&pdf("PDF^Document^L")]), is(Kind::Report, "perhaps"));
    assert_eq!(response(&[&pdf("LTR^Letter^L")]), is(Kind::Report, "called"));
    let consent = pdf("C^Consent form^L");
    assert_eq!(order("OMG^O19", "SC", "CM", &[&consent]).outcome.kind, Kind::Reply, "done, and no note with it");
}

#[test]
fn papers_that_come_with_an_answer_are_no_report() {
    let pdf = format!("OBX|1|ED|LTR^Letter^L||^application^pdf^Base64^{}||||||F", data_encoding::BASE64.encode(b"%PDF-1.4 x"));
    let invitation = pdf.replace("LTR^Letter^L", "INV^Appointment letter^L");
    let note = "OBX|1|TX|11488-4^Consultation note^LN||No ischaemia.||||||F";
    let remark = "OBX|1|TX|REM^Remark^L||We will see her in clinic B";
    let said = |event: &str, status: &str, msa: &str, more: &[&str]| {
        let rf1 = format!("RF1|{status}|R||||REF-1");
        let read = read(&[&[&head(&format!("RRI^{event}^RRI_I12")), msa, &rf1, RT, PID], more].concat());
        (read.outcome.kind, read.outcome.reply.unwrap())
    };
    let (kind, reply) = said("I12", "R", "", &["NTE|1||No capacity", &pdf]);
    assert_eq!((kind, reply.outcome, reply.reason.as_deref()), (Kind::Reply, ReplyOutcome::Declined, Some("No capacity")));
    assert_eq!(said("I12", "P", "", &[note]).1.outcome, ReplyOutcome::Received);
    for (msa, papers) in [("", invitation.as_str()), ("", remark), ("MSA|AA|X1", &pdf), ("MSA|AA|X1", remark)] {
        let (kind, reply) = said("I12", "A", msa, &[papers]);
        assert_eq!((kind, reply.outcome), (Kind::Reply, ReplyOutcome::Accepted), "{msa} {papers}");
    }
    assert_eq!(said("I14", "A", "MSA|AA|X1", &[&pdf]).1.outcome, ReplyOutcome::Cancelled);
    for status in ["P", "X", "D", "W", "R"] {
        let preliminary = note.replace("||||||F", &format!("||||||{status}"));
        assert_eq!(said("I12", "A", "", &[&preliminary]).0, Kind::Reply, "OBX-11 {status}");
        let result = format!("OBR|1|GP-1||11488-4^Consultation note^LN|||20261120{}{status}", "|".repeat(18));
        assert_eq!(said("I12", "A", "", &[&result, note]).0, Kind::Reply, "OBR-25 {status}");
    }
    let seen = "OBR|1|GP-1||57133-1^Referral note^LN|||20261120";
    assert_eq!(said("I12", "A", "", &[seen, remark]).0, Kind::Reply, "a remark is short");
    let found = remark.replace("clinic B", &"clinic B. Stress test positive at 7 METS. ".repeat(5));
    let next = "OBX|2|TX|FU^Next appointment^L||in six months";
    for (msa, lines) in [("", vec![pdf.as_str()]), ("MSA|AA|X1", vec![note]), ("", vec![seen, &found]), ("", vec![next, &pdf])] {
        assert_eq!(said("I12", "A", msa, &lines).0, Kind::Report, "{lines:?}");
    }
    // A draft beside a laboratory report that is final.
    let draft = format!("OBR|1|GP-1||11488-4^Consultation note^LN|||20261120{}P", "|".repeat(18));
    let values = format!("OBR|2|GP-1||58410-2^CBC^LN|||20261120{}F", "|".repeat(18));
    let value = "OBX|1|NM|718-7^Hb^LN||13.1|g/dL|||||F";
    let result = [head("ORU^R01^ORU_R01").as_str(), PID, &draft, note, &values, value].map(str::to_owned);
    assert_eq!(read(&result.each_ref().map(String::as_str)).outcome.kind, Kind::Document);
}

#[test]
fn what_a_site_calls_its_reports_stands_in_its_profile() {
    let pdf =
        |title: &str| format!("OBX|1|ED|{title}||^application^pdf^Base64^{}||||||F", data_encoding::BASE64.encode(b"%PDF-1.4 x"));
    let profile = Profile {
        reports: Reports {
            codes: vec!["cardlet".to_owned()],
            titles: vec!["Patient Report".to_owned()],
            other_titles: vec!["Consultation Plan".to_owned()],
        },
        ..Profile::default()
    };
    let profiles = Profiles { usual: std::sync::Arc::new(profile), by_sender: Vec::new() };
    let site = Hl7Rules { profiles: std::sync::Arc::new(profiles), ..Hl7Rules::default() };
    let perhaps = |rules: &Hl7Rules, title: &str| {
        let text = [head("ORU^R01^ORU_R01").as_str(), PID, "OBR|1|GP-1||1^X^L", &pdf(title)].join("\r");
        let outcome = normalize(text.as_bytes(), rules).unwrap().outcome;
        let record = outcome.record.unwrap();
        (outcome.kind, record.problems.iter().any(|problem| problem.code == "perhaps-the-report"))
    };
    let usual = Hl7Rules::default();
    for (title, without, with) in [
        ("CARDLET^Letter^L", (Kind::Report, true), (Kind::Report, false)),
        ("X^Our patient report no. 7^L", (Kind::Document, false), (Kind::Report, false)),
        ("X^Consultation plan^L", (Kind::Report, false), (Kind::Document, false)),
        ("X^Consultation report^L", (Kind::Report, false), (Kind::Report, false)),
        ("11488-4^Consultation plan^LN", (Kind::Report, false), (Kind::Document, false)),
        ("11488-4^Consult note (DRAFT)^LN", (Kind::Report, true), (Kind::Report, true)),
    ] {
        assert_eq!((perhaps(&usual, title), perhaps(&site, title)), (without, with), "{title}");
    }
}
