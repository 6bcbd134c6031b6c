//! What practices write above what they attach, and what it comes to.

use super::*;
use crate::referral::{IsoDate, PatientIdentifier, Phone, Priority, Sex};

/// Leslie Lee, 1 November 1934, female, routine, to Dr. Ames, cardiology.
fn attached() -> Record {
    let mut record = Record { priority: Priority::Routine, ..Record::default() };
    record.patient.name.family = Some("Lee".to_owned());
    record.patient.name.given = Some("Leslie".to_owned());
    record.patient.birth_date = IsoDate::parse("1934-11-01");
    record.patient.sex = Some(Sex::F);
    record.patient.identifiers.push(PatientIdentifier { value: "5202708".to_owned(), authority: None, kind: None });
    record.referring.name.family = Some("Phillips".to_owned());
    record.referring.organization = Some("Richardside Medical Associates".to_owned());
    record.referring.phones = ["+15859256511", "+16302749277"].map(phone).into();
    record.referred_to.name.family = Some("Ames".to_owned());
    record.referred_to.specialty = Some("Cardiology".to_owned());
    record
}

fn phone(number: &str) -> Phone {
    Phone { number: number.to_owned(), usage: None }
}

fn of_record(words: &str, subject: &str, record: &Record) -> Beside {
    let said = Sayings { texts: vec![words.to_owned()], subjects: vec![subject.to_owned()], ..Sayings::default() };
    beside(&said, record, |born| born.starts_with("11/1/") || born.starts_with("11/01/1934"))
}

fn of(words: &str, subject: &str) -> Beside {
    of_record(words, subject, &attached())
}

/// Those of them that come to something else.
fn others<'a>(cases: &[(&'a str, &'a str)], expected: Beside) -> Vec<(&'a str, &'a str, Beside)> {
    let all = cases.iter().map(|(words, subject)| (*words, *subject, of(words, subject)));
    all.filter(|(_, _, said)| *said != expected).collect()
}

/// Words and subjects.
const COVERS: &[(&str, &str)] = &[
    ("", ""),
    ("Please see attached.", "Referral"),
    ("Hi,\n\nPlease find attached referral for Leslie Lee.\n\nThanks,\nMaria\n", "Referral - Cardiology"),
    (
        "Good morning,\n\nAttached please find a new patient referral for your review. Please contact our office with any questions.\n\n\
             Thank you,\n\nMaria Gonzalez, MA\nRichardside Medical Associates\n80 Hill Rd, Rochester NY 14604\nP: 585-925-6511 | F: 630-274-9277",
        "New patient referral",
    ),
    ("Attached.", "referral"),
    ("Pls see attached referral. Thx!", "Referral for L.L."),
    ("Please see the attached referral for Leslie Lee.", "Fwd: Referral"),
    ("Please see attached referral and records.\n\nThanks!\nKim\nReferral Coordinator", "Referral: Lee, Leslie - DOB 11/01/1934"),
    (
        "Hello,\n\nPlease see attached referral, demographics, insurance card and last office note for the above patient. Please call the \
             patient to schedule.\n\nThank you",
        "Cardiology referral",
    ),
    (
        "Hello,\n\nAttached is a referral for one of our patients. Please let us know once the appointment has been scheduled.\n\nThank \
             you and have a great day!\nSherry",
        "",
    ),
    (
        "Dear colleagues,\n\nI would be grateful if you could see this patient. The referral letter is attached.\n\nYours sincerely,\n\nDr Jesus Phillips",
        "",
    ),
    ("Kindly process the attached referral request.\n\nBest regards,\nReferrals Team", "Referral request"),
    ("Good Morning!\n\nReferral attached. Happy Friday!\n\nJen :)", "Referral"),
    ("Please see attached. Please confirm receipt.\n\nThanks", "Lee Leslie referral"),
    (
        "To Whom It May Concern,\n\nPlease accept the attached referral for our patient.\n\nShould you need anything further, please do not \
             hesitate to contact us at 585-925-6511.\n\nSincerely,\nRichardside Medical Associates",
        "Patient Referral",
    ),
    (
        "Good afternoon\n\nPlease see attached referral\n\nMany thanks\n\nSusan\n\nSusan Price\nMedical Secretary to Dr J Phillips",
        "",
    ),
    (
        "Please see attached referral for cardiology.\n\nThank you!\n\nKelly Moore, RN\nIf this is a medical emergency, please call 911.",
        "",
    ),
    ("Referral attached for scheduling at your earliest convenience.", "Referral for Cardiology - Lee"),
    ("Please see attached routine referral.", "Routine referral"),
    ("Attached is the referral we discussed on the phone.", "Referral"),
    (
        "Attached, please find the referral for Leslie Lee (DOB 11/01/1934, MRN 5202708).\n\nThank you for seeing this pleasant patient.",
        "",
    ),
    ("Referral packet attached - referral form, last 2 office notes, labs, EKG.", "Referral packet"),
    ("Please see attached referral to Dr. Ames.\n\nThanks,\nLaura", ""),
    ("Please see attached referral and contact the patient to schedule.", ""),
    ("Please see attached. If you have any questions, please feel free to contact our office.", ""),
    ("Please see attached referral. Let me know if you need anything else.", ""),
    ("Good morning, can you please schedule the attached patient?", ""),
    ("Could you please schedule this patient? Referral attached.", ""),
    ("Please see attached referral. Please fax back appointment date and time to 630-274-9277.", ""),
    ("Referral attached. Please advise once scheduled.", ""),
    ("Please see attached. Please send us your consultation notes when complete.", ""),
    ("Please see attached referral - evaluate and treat.", ""),
    ("Thank you for seeing this patient. Referral attached.", ""),
    ("Please see attached referral, sorry for the delay.", ""),
    ("As requested, the referral is attached.", ""),
    ("Here is the referral you asked for.", ""),
    ("Please see attached referral (3 pages including cover).", ""),
    ("See attached.", "Secure: Patient referral"),
    ("See attached.", "[SECURE] Lee, Leslie - Cardiology referral"),
    ("See attached.", "Lee L 11/01/1934"),
    ("This message was sent securely using Zix(R).\n\nPlease see attached referral.", "[SECURE] Referral"),
    ("See attached.", "FAX: 2 page(s) from 5859256511"),
    ("Please call the patient to schedule at the number listed.\nSending over insurance card front and back.", ""),
    ("See attached.\n\nMany thanks\n\nSusan\nSusan Price\nDirect line: 0117 496 0123\nWorking days: Monday - Thursday", ""),
];

#[test]
fn what_only_says_that_something_is_attached_is_nothing() {
    assert_eq!(others(COVERS, Beside::Nothing), []);
}

#[test]
fn what_machines_write_is_nothing_but_where_it_surely_warns() {
    let cases = [
        (
            "This E-mail was sent from \"RNP002673A1B2C3\" (MP C4504).\n\nScan Date: 11.20.2026 15:04:11 (-0500)\nQueries to: \
             scanner@richardside.example",
            "Message from \"RNP002673A1B2C3\"",
        ),
        (
            "You have received a 2 page fax at 2026-11-20 15:04:11 GMT.\n\n* The reference number for this fax is sfo2_did11-1700511111-49.\n\n\
             Please visit www.efax.example if you have any questions regarding this message or your service.\n\nThis account is subject to the \
             terms listed in the Customer Agreement.",
            "eFax message from \"585-925-6511\" - 2 page(s), Caller-ID: 585-925-6511",
        ),
        (
            "Device Name: Sharp MFP\nDevice Model: MX-M565N\nLocation: Nurse station\n\nFile Format: PDF (Medium)\nUse a reader or other \
             program to view the document.",
            "Scanned image from MX-M565N",
        ),
        ("", "Scan_20261120_1504"),
        (
            "You have a new fax.\nFrom: (585) 925-6511\nReceived: Friday, November 20, 2026",
            "New Fax Message from (585) 925-6511 on 11/20/2026 3:04 PM",
        ),
    ];
    assert_eq!(others(&cases, Beside::Nothing), []);
    let warn = [
        ("You have received a new fax. Wrong patient on page 2, cancel it.", "eFax"),
        ("This E-mail was sent from \"RNP0026\" (MP C4504).", "Scan: wrong patient, do not schedule"),
        ("This E-mail was sent from \"RNP0026\" (MP C4504).", "Tobias Marsh"),
        ("Tobias is the patient.\nThis E-mail was sent from \"RNP0026\" (MP C4504).", "Scan"),
        ("This message is sent to take back the referral.", ""),
        ("This message was sent securely using Zix(R).\n\nPlease see attached. Her BP is 80/40.", ""),
        ("This message was sent securely using Zix(R).\n\nPlease see attached referral for Olga Petrov.", ""),
        ("You have received a 2 page fax.\n\nCover page: Needs to be seen this week.", ""),
        ("You have received a fax.\nMessage from sender: pt no longer wants to come", ""),
        ("Scan Date: 11.20.2026\nDOB 11/10/1943", ""),
        ("Scanned from her chart, page 3 belongs to her mother.", ""),
        ("This is an automated message. Priority: High", ""),
        ("", "Scan - patient moved to Ohio"),
        ("", "Scanned - Bleeding, see today"),
        ("Pages 3-5 are somebody else's.", ""),
    ];
    assert_eq!(others(&warn, Beside::Warning), []);
}

#[test]
fn what_a_copier_sends_is_of_a_machine_and_warns_all_the_same() {
    let said = |words: &str, subject: &str| Sayings {
        texts: vec![words.to_owned()],
        subjects: vec![subject.to_owned()],
        is_automatic: true,
        ..Sayings::default()
    };
    let of = |words: &str, subject: &str| beside(&said(words, subject), &attached(), |_| false);
    assert_eq!(of("Your practice system sent a document.", "Document 4711"), Beside::Nothing);
    assert_eq!(of("Please disregard the attached, sent in error.", "Document"), Beside::Warning);
    assert_eq!(of("", "Wrong patient - shred"), Beside::Warning);
    assert_eq!(of("", "Marsh"), Beside::Warning);
}

#[test]
fn what_says_more_is_a_note() {
    let cases = [
        ("Please see attached referral. She prefers mornings.", "Referral"),
        ("Please see attached. Patient speaks Spanish, interpreter needed.", "Referral"),
        ("Attached is the referral for Leslie Lee. She uses a wheelchair.", "Referral"),
        ("Please see attached. Her daughter Anna will drive her.", "Referral"),
        ("See attached. Patient is hard of hearing, please speak up on the phone.", "Referral"),
        ("Please see attached referral. Best to leave a voicemail.", "Referral"),
        ("Please see attached. Labs will follow under separate cover.", "Referral"),
        ("Please see attached. Patient has been told to expect your call.", "Referral"),
        ("Please see attached. No auth needed.", "Referral"),
        ("See attached. She will bring her MRI on a disc.", "Referral"),
    ];
    assert_eq!(others(&cases, Beside::Note), []);
    let mut record = attached();
    record.referred_to = Default::default();
    assert_eq!(of_record("Please see attached referral to Dr. Kim.", "", &record), Beside::Note);
    assert_eq!(of_record("See attached.", "Neurology referral", &record), Beside::Note);
}

const WARNINGS: &[&str] = &[
    "Please disregard the attached, it was sent in error.",
    "Correct DOB is 11/10/1934, the form has it wrong.",
    "DOB 01/11/1943",
    "d.o.b. 11/10/1934",
    "Birthdate: Nov 10, 1934",
    "DOB 11/01/1934, husband DOB 05/05/1932",
    "Lee (11/10/1934)",
    "This needs to be seen today.",
    "Please hold this until we call you.",
    "She will be going to Mayo for this.",
    "Referral is for her sister.",
    "Please get her in this week.",
    "Her INR is 9.",
    "Please give this to Dr. Chen.",
    "Please see attached referral for Dr. Chen.",
    "Patient undecided.",
    "Page 3 is not hers.",
    "BP 220/130 in the office.",
    "Scratch that.",
    "Nvm",
    "Amended referral.",
    "Resending with right patient this time.",
    "This is for Leslie Lee Sr.",
    "Note sex is male.",
    "He is looking forward to it.",
    "This is for a pleasant gentleman.",
    "New phone 503-226-9911",
    "PAUSE",
    "urgnet",
    "pls cancell",
    "2WW",
    "Please send to the Salem office.",
    "Please route to neurology.",
    "We are withdrawing this referral.",
    "Patient is in the hospital.",
    "Attached are 2 referrals.",
    "MRN is 7719923.",
    "Please see attached referral for John Smith.",
    "For Tobias Marsh.",
    "FOR TOBIAS MARSH",
    "Re: Tobias J. Marsh",
    "Referral for Mrs. Petrov.",
    "Referral for Karen.",
    "Marsh, Tobias",
    "Thank you for seeing Tobias.",
    "Favor de cancelar, paciente equivocado.",
    "C A N C E L",
    "Please contact the patient's daughter.",
    "Please do not contact the patient.",
    "See attached.\n\nThanks,\nKim\nHigh Priority",
    "See attached.\n\nThanks,\nKim\nAttn: Dr. Chen",
    "See attached.\n\nThanks,\nKim\nCell: 503-555-0199 is her daughter, use that",
    "See attached.\n\nThanks,\nKim\nOffice hours: she can only come Fridays",
    "See attached.\n\nThanks,\nKim\nBleeding",
    "See attached.\n\nThanks,\nKim\nSee Tomorrow",
    "Please also do an echo.",
    "See attached.\n\nThanks,\nKim Doyle\nCedar Clinic\n585-925-6511\nTobias Marsh",
    "See attached.\n\nThanks,\nKim Doyle\nCedar Clinic\n585-925-6511\nRUSH",
    "See attached.\n\nThanks,\nMaria\nCedar Clinic\n503-555-0100\nP.S. she died",
    "Please see attached?? not sure",
];

#[test]
fn whatever_else_it_says_is_for_a_person() {
    let of_words: Vec<(&str, &str)> = WARNINGS.iter().map(|words| (*words, "Referral")).collect();
    assert_eq!(others(&of_words, Beside::Warning), []);
    let subjects = [
        "STAT referral",
        "Please cancel",
        "REFERRAL - PLS RUSH",
        "Referral - CORRECTED",
        "Hold - Referral",
        "Referral - DOB 11/01/1943",
        "Leslie Lee 11/10/1934",
        "Leslie Leigh referral",
        "Marsh",
        "T. Marsh",
        "Tobias Marsh",
        "Lee, Lester",
        "RE: Tobias Marsh",
        "Referral for Tobias",
        "REFERRAL FOR TOBIAS MARSH",
        "Petrov, Olga - Referral",
        "Referral - Mrs. Petrov",
        "Referral - MRN 7719923",
        "Neurology referral",
        "Attn Dr. Chen",
        "Amended",
        "2 referrals",
        "Referral - 48hrs",
        "Referral - please see by 11/27",
    ];
    let of_subjects: Vec<(&str, &str)> = subjects.iter().map(|subject| ("Please see attached.", *subject)).collect();
    assert_eq!(others(&of_subjects, Beside::Warning), []);
}

#[test]
fn what_the_reason_says_takes_no_weight_from_what_the_mail_says() {
    let mut record = attached();
    record.request.reason = Some("Palpitations now worsening, please see her today".to_owned());
    for words in ["Please see her today.", "Please see her now.", "Worsening."] {
        assert_eq!(of_record(words, "Referral", &record), Beside::Warning, "{words}");
    }
    assert_eq!(of_record("Reason: palpitations", "Referral", &record), Beside::Nothing);
}

#[test]
fn what_a_file_is_called_can_warn_too() {
    let of = |name: &str| {
        let said = Sayings { texts: vec!["See attached.".to_owned()], file_names: vec![name.to_owned()], ..Sayings::default() };
        beside(&said, &attached(), |_| false)
    };
    assert_eq!(["scan0001.pdf", "Lee_Leslie_referral.pdf", "referral.hl7"].map(of), [Beside::Nothing; 3]);
    assert_eq!(
        ["CANCELLED referral.hl7", "Tobias_Marsh.pdf", "petrov_olga.pdf", "draft unsigned.hl7"].map(of),
        [Beside::Warning; 4]
    );
    assert_eq!(of("Lee patient referral.pdf"), Beside::Nothing);
    let said = Sayings { texts: vec!["See attached.".to_owned()], is_important: true, ..Sayings::default() };
    assert_eq!(beside(&said, &attached(), |_| false), Beside::Note, "the exclamation mark is kept");
}

#[test]
fn a_number_that_is_not_the_referral_s_is_not_passed_over() {
    let mut record = attached();
    record.patient.phones = vec![phone("+14152537001")];
    let of = |words: &str| of_record(&format!("Please find attached a referral for Leslie Lee. {words}"), "Referral", &record);
    let cases = [
        "Her new number is 503-555-0188.",
        "The patient's new number is (503) 555-0188.",
        "Please call her at her new number (503) 555-0188.",
        "Please contact her at new number (503) 555-0188.",
        "Please call the patient at (585) 925-6599.",
        "Contact her at 503-555-0188.",
        "Reach her at 503-555-0188.",
        "Please schedule her at 503-555-0188.",
        "Please call her to schedule at 503-555-0188.",
        "Please contact the patient at 503-555-0188 to schedule.",
        "Her new email is ann@mail.example.",
        "Our new fax number is 585-555-0144.",
        "New fax 585-555-0144.",
        "Please fax the notes to our new fax 585-555-0144.",
    ];
    assert_eq!(cases.map(of), [Beside::Warning; 14]);
    let cases =
        ["Please send the report to 585-555-0144.", "Please email the notes to x@gmail.example.", "Our fax is 585-555-0144."];
    assert_eq!(cases.map(of), [Beside::Note; 3], "it goes along, so that the specialist knows");
    let cases = [
        "Please call the patient at (415) 253-7001 to schedule.",
        "If you have any questions, please contact our office at 585-925-6599.",
        "Please call our office at 585-925-6599 with any questions.",
        "Please fax the report to 630-274-9277.",
    ];
    assert_eq!(cases.map(of), [Beside::Nothing; 4]);
}

#[test]
fn papers_that_are_named_and_did_not_come_are_a_note() {
    let cases = [
        "EKG and labs attached.",
        "MRI report attached.",
        "Insurance card attached.",
        "Chart notes attached.",
        "Labs to follow.",
    ];
    let of =
        |record: &Record| cases.map(|words| of_record(&format!("Please see attached referral. {words}"), "Referral", record));
    assert_eq!(of(&attached()), [Beside::Note; 5]);
    let mut record = attached();
    record.evidence.insert("patient.name".into(), crate::referral::Evidence { page: Some(1), ..Default::default() });
    assert_eq!(of(&record), [Beside::Nothing, Beside::Nothing, Beside::Nothing, Beside::Nothing, Beside::Note]);
}

#[test]
fn who_sends_it_is_nobody_else_and_can_warn() {
    let of = |sender: &str, words: &str, subject: &str| {
        let said = Sayings {
            texts: vec![words.to_owned()],
            subjects: vec![subject.to_owned()],
            sender_name: Some(sender.to_owned()),
            ..Sayings::default()
        };
        beside(&said, &attached(), |_| false)
    };
    assert_eq!(of("Willow Family Practice", "Please see attached.", "Referral from Willow Family Practice"), Beside::Nothing);
    assert_eq!(of("Tanya Whitfield", "One referral attached.\n\nTanya Whitfield (she/her)", "Referral"), Beside::Nothing);
    let practice = "Cedar Urgent Care";
    assert_eq!(of(practice, "Please see attached.\n\nCedar Urgent Care", "Referral from Cedar Urgent Care"), Beside::Nothing);
    assert_eq!(of(practice, "Please see attached, urgent care needed.", "Referral"), Beside::Warning);
    assert_eq!(of("HOLD - wrong patient", "Please see attached.", "Referral"), Beside::Warning);
    assert_eq!(of("Olga Petrov", "Please see attached referral for Olga.", "Referral"), Beside::Warning);
    assert_eq!(of("Urgent Care", "Please see attached, urgent.", "Referral"), Beside::Warning);
}

#[test]
fn what_everyday_mails_say_around_it_is_nothing() {
    let cases = [
        (
            "This message was generated automatically by Cedar EHR. Please do not reply to this address.\n\nThe referral is attached as an HL7 file.",
            "Referral message",
        ),
        (
            "A document has been scanned to you from Cedar-Front-Desk-MFP.\n\nDevice Name: Cedar-Front-Desk-MFP\nLocation: Front desk",
            "Scanned document",
        ),
        (
            "Dear Colleagues,\n\nThank you for seeing this patient. The referral is attached.\n\nWith kind regards,\nDr. Jesus Phillips",
            "Referral: Lee, Leslie",
        ),
        ("[EXTERNAL]\n\nPlease find enclosed the referral for the above patient.", "[SECURE] Referral"),
        (
            "Hi,\n\nHope you are well and had a nice Thanksgiving! Attached please find a referral for a mutual patient.",
            "Cardiology referral",
        ),
        ("Attached please find a referral for a mutual patient.\n\nHave a great weekend,\nTanya", "Cardiology referral"),
        ("Please find enclosed the referral.\n\nThanks in advance.\n\nM. Okafor, MA\nRichardside Medical Associates", "Referral"),
        ("You have received a secure message from Richardside Medical Associates. Referral attached.", "Referral"),
        ("Thank you.\n\nNOTE: Our office will be closed on Thursday 11/26 and Friday 11/27 for Thanksgiving.", "Referral"),
        ("Dear Dr. Ames,\n\nThank you for agreeing to see this pleasant lady. I enclose the referral.", "Referral"),
        ("Hello scheduling team,\n\nAttached is the referral for Leslie Lee.", "New patient referral"),
        (
            "Referral attached.\n\nThanks,\nBeth\n\n--\nBeth Larkin\nMedical Assistant to Dr. Phillips\nOffice hours: Monday to Friday 8 am - 5 pm, closed 12-1 for lunch\nPlease allow 48-72 hours for refill requests.",
            "Referral attached",
        ),
        ("Attached: 1 referral (HL7).", "Electronic referral"),
        (
            "You have received a secure message from Cedar Family Clinic.\n\nThis email was encrypted in transit with TLS by Paubox.\n\nReferral attached.",
            "Referral",
        ),
        ("Good morning ladies!\n\nHere is another one for you :)", "Referral"),
        (
            "Please see attached referral.\n\nThank you,\nKim\n\nFollow us on Facebook! Now accepting new patients. Flu shots available - call today to schedule yours.",
            "Referral",
        ),
        ("Referring provider: Dr. Phillips\n\nReferral attached.", "Referral"),
        ("We would appreciate it if you could see Leslie Lee. The referral letter is attached.", "Referral"),
        ("Dear Dr. Ames,\n\nThank you for agreeing to see this patient. I enclose the referral.", "Referral"),
        ("Routine referral attached. Please schedule next available.", "Referral"),
        ("Thanks for your call. As discussed, here is the referral.", "Re: Referral"),
        ("Kindly find the attached consult request. We look forward to your report.", "Referral"),
    ];
    assert_eq!(others(&cases, Beside::Nothing), []);
    assert_eq!(
        of("Referral attached. We have informed the patient that your office will be in touch.", "Referral"),
        Beside::Note
    );
}
