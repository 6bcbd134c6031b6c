//! Each quirk that real senders have, as a test named after it, by section: what is accepted and noted (`quirk_1_…`), what is refused
//! (`quirk_2_…`), what is a repeat (`quirk_3_…`), whose number is whose (`quirk_4_…`). Those that need the running engine are in
//! `tests/it`. All people are invented.

mod accept;
mod answers;
mod clinical;
mod duplicates;
mod identity;
mod payloads;
mod refuse;
mod requests;
mod versions;

use super::*;
use crate::referral::{Priority, Record};

const HEAD: &str = "MSH|^~\\&|EHR|CEDAR|LOOP|DESK|20261120101500-0800||REF^I12^REF_I12|C1|P|2.5.1";
const RF1: &str = "RF1|P|A^ASAP|CARD^Cardiology^L|||REF-1^CEDAR|20261120|20270520";
const RP: &str =
    "PRD|RP|Phillips^Jesus^^^Dr|80 Hill Rd^^Rochester^NY^14604||^WPN^PH^^^585^9256511~^WPN^FX^^^630^2749277||1783266160^NPI";
const RT: &str = "PRD|RT|Ames^Dora|1 Lake Ave^^Portland^OR^97201";
const PID: &str = "PID|1||7^^^CEDAR^MR||Lee^Leslie^A^Jr||19341101|F|||12 Elm St^^Portland^OR^97201^US||^PRN^PH^^^415^2537700";

fn joined(lines: &[&str]) -> Vec<u8> {
    let mut text = lines.join("\r");
    text.push('\r');
    text.into_bytes()
}

/// The rules of a channel whose senders all have this profile.
fn following(profile: Profile) -> Hl7Rules {
    Hl7Rules { profiles: Arc::new(Profiles { usual: Arc::new(profile), by_sender: Vec::new() }), ..Hl7Rules::default() }
}

fn read_bytes(body: &[u8]) -> Hl7Message {
    normalize(body, &Hl7Rules::default()).unwrap()
}

fn read(lines: &[&str]) -> Hl7Message {
    read_bytes(&joined(lines))
}

fn record(lines: &[&str]) -> Record {
    let read = read(lines);
    assert_eq!(read.outcome.kind, Kind::Referral, "{:?}", read.refusal);
    *read.outcome.record.unwrap()
}

/// The keys in short: `~` where the patient must agree, `+` where it is kept.
fn keys(read: &Hl7Message) -> Vec<String> {
    let text = |key: &ReferralKey| match key {
        ReferralKey::Answered(control_id) => format!("answered {control_id}"),
        ReferralKey::Own(reference) => format!("own {reference}"),
        ReferralKey::Number { text, is_certain, is_kept } => {
            format!("{}{text}{}", if *is_certain { "" } else { "~" }, if *is_kept { "+" } else { "" })
        }
        ReferralKey::Bare(number) => format!("bare {number}"),
    };
    read.referral_keys.iter().map(text).collect()
}

fn has(record: &Record, code: &str) -> bool {
    record.problems.iter().any(|problem| problem.code == code)
}

/// The code and location a message is refused with, `AE 101 PID`.
fn refused(lines: &[&str]) -> String {
    let read = read(lines);
    assert_eq!(read.outcome.kind, Kind::Refused);
    let refusal = read.refusal.unwrap();
    let level = match refusal.level {
        RefusalLevel::Error => "AE",
        RefusalLevel::Reject | RefusalLevel::NotKept => "AR",
    };
    format!("{level} {} {}", refusal.code, refusal.location)
}

#[test]
fn a_good_referral_becomes_a_full_record() {
    let in1 = "IN1|1|PPO^Choice Plus|UHC|UnitedHealthcare||||37618||||||||||||||||||||||||||||PD231007728";
    let dg1 = "DG1|1||I48.91^Atrial fibrillation^I10C";
    let obr = "OBR|1|||57133-1^Referral note^LN|||||||||||||||||||||||||||^Rate control and anticoagulation";
    let read =
        read(&[HEAD, RF1, "AUT|PPO|UHC||20261101|20270201|AUTH123||6", RP, RT, PID, in1, dg1, obr, "NTE|1||Started apixaban."]);
    assert_eq!(read.outcome.event, Some(Event::New));
    let expected = ["ei|cedar||ref-1+", "referral|CEDAR|CEDAR|REF-1", "~referral|CEDAR||REF-1", "bare ref-1"];
    assert_eq!(keys(&read), expected);
    let record = read.outcome.record.unwrap();
    assert_eq!(record.priority, Priority::Urgent);
    assert_eq!(record.authored_at.unwrap().as_str(), "2026-11-20");
    assert_eq!(record.expires_at.unwrap().as_str(), "2027-05-20");
    assert_eq!(record.patient.name.suffix.as_deref(), Some("Jr"));
    assert_eq!(record.patient.birth_date.unwrap().as_str(), "1934-11-01");
    assert_eq!(record.patient.phones[0].number, "+14152537700");
    assert_eq!(record.patient.address.postal_code.as_deref(), Some("97201"));
    assert_eq!(record.insurance[0].member_id.as_deref(), Some("PD231007728"));
    assert_eq!(record.authorization.unwrap().units, Some(6));
    assert_eq!(record.referring.npi.as_deref(), Some("1783266160"));
    assert_eq!(record.referring.phones[1].number, "+16302749277");
    assert_eq!(record.referred_to.name.family.as_deref(), Some("Ames"));
    assert_eq!(record.referred_to.specialty.as_deref(), Some("Cardiology"));
    assert_eq!(record.request.diagnoses[0].system.as_deref(), Some("ICD-10-CM"));
    assert_eq!(record.request.reason.as_deref(), Some("Rate control and anticoagulation"));
    assert_eq!(record.notes, ["Started apixaban."]);
    assert_eq!(record.evidence["priority"].location.as_deref(), Some("RF1^1^2"));
    assert_eq!(record.evidence["priority"].text.as_deref(), Some("A^ASAP"));
    assert!(record.review.is_empty() && record.held.is_empty() && record.problems.is_empty(), "{:?}", record.problems);
}

#[test]
fn no_problem_warning_or_refusal_repeats_what_the_message_says_of_the_patient() {
    let pid = "PID|1||CANARY1^^^CANARY2^MR||CANARY3^CANARY4||CANARY5|CANARY6|||CANARY7||CANARY8 12345";
    let obx = "OBX|1|ED|CANARY9^CANARY10||^x^pdf^Base64^CANARY%11";
    let read = read(&[HEAD, "RF1|P|CANARY12|||||CANARY13|CANARY14", "PRD|RP|CANARY15ology||||||CANARY16^NPI", pid, obx]);
    let record = read.outcome.record.as_ref().unwrap();
    assert!(record.problems.len() > 5);
    for problem in &record.problems {
        assert!(!format!("{problem:?}").contains("CANARY"), "{problem:?}");
    }
    assert!(!format!("{:?}{record:?}{:?}", read.warnings, read.header).contains("CANARY"));
}

#[test]
fn the_shipped_samples_are_what_their_names_say() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/st-mary-mllp");
    let kind = |name: &str| read_bytes(&std::fs::read(folder.join(name)).unwrap()).outcome;
    for name in ["referral.hl7", "referral-lf.hl7", "referral-2-3-without-rf1.hl7", "referral-with-pdf.hl7"] {
        let outcome = kind(name);
        assert_eq!((outcome.kind, outcome.event), (Kind::Referral, Some(Event::New)), "{name}");
        assert!(outcome.record.unwrap().held.is_empty(), "{name}");
    }
    assert!(kind("referral.hl7").record.unwrap().review.is_empty());
    assert_eq!(kind("referral-with-pdf.hl7").contents.len(), 1);
    assert_eq!(kind("cancel.hl7").event, Some(Event::Cancel));
    assert_eq!(kind("broken-no-patient.hl7").kind, Kind::Refused);
}

mod arbitrary {
    use proptest::prelude::*;

    use super::super::{Hl7Rules, normalize};
    use crate::compose::hl7_answer::{AnswerSettings, preview};

    proptest! {
        #[test]
        fn no_bytes_panic(
            segments in prop::collection::vec("(PID|PRD|RF1|OBR|OBX|NTE|DG1|IN1|AUT|PV1)\\|[A-Z0-9|^~&\\\\é .+-]{0,80}", 0..10),
            kind in "(REF|RRI|ACK|ADT)\\^I1[1-6]",
            tail in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut body = format!("MSH|^~\\&|A|B|C|D|20261120||{kind}|1|P|2.5\r{}\r", segments.join("\r")).into_bytes();
            body.extend(tail);
            let read = normalize(&body, &Hl7Rules::default()).unwrap();
            let answered = preview(&read, &AnswerSettings::default()).is_some();
            prop_assert!(answered != (kind.starts_with("ACK")));
        }
    }
}
