//! What the tests of the pages share: an invented referral, and what a page says.

use std::process::Command;

use crate::{
    compose::{Document, PageFace},
    ids::ReferralId,
    referral::{
        Address, Code, Coverage, IsoDate, Patient, PatientIdentifier, PersonName, Phone, PhoneUse, Priority, Provider, Record,
        Referral, Request, Sex, Status,
    },
};

pub(in crate::compose) fn name(family: &str, given: &str) -> PersonName {
    PersonName { family: Some(family.into()), given: Some(given.into()), ..PersonName::default() }
}

pub(in crate::compose) fn referral() -> Referral {
    let record = Record {
        priority: Priority::Urgent,
        authored_at: IsoDate::parse("2026-11-20"),
        patient: Patient {
            identifiers: vec![PatientIdentifier {
                value: "5510274".into(),
                authority: Some("CEDAR".into()),
                kind: Some("MR".into()),
            }],
            name: name("Quarterstone", "Ottilie"),
            birth_date: IsoDate::parse("1961-04-09"),
            sex: Some(Sex::F),
            phones: vec![Phone { number: "+14155550142".into(), usage: Some(PhoneUse::Home) }],
            address: Address { lines: vec!["12 Larkspur Lane".into()], city: Some("Fairmead".into()), ..Address::default() },
            ..Patient::default()
        },
        insurance: vec![Coverage {
            payer: Some("Harbor Mutual".into()),
            member_id: Some("HM0042219".into()),
            ..Coverage::default()
        }],
        referring: Provider {
            name: name("Abernathy", "Rue"),
            organization: Some("Cedar Family Clinic".into()),
            npi: Some("1234567893".into()),
            ..Provider::default()
        },
        referred_to: Provider { specialty: Some("Gastroenterology".into()), ..Provider::default() },
        request: Request {
            service: Some("consultation".into()),
            reason: Some("Iron deficiency anemia without obvious source, please evaluate for GI blood loss.".into()),
            diagnoses: vec![Code {
                code: Some("D50.9".into()),
                system: Some("ICD-10-CM".into()),
                text: Some("Iron deficiency anemia".into()),
            }],
            ..Request::default()
        },
        notes: vec!["Prefers appointments in the morning.".into()],
        ..Record::default()
    };
    Referral {
        id: ReferralId::generate(),
        reference: "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
            .chars()
            .find_map(|check| format!("LL-7K3M-Q9X{check}").parse().ok())
            .unwrap(),
        status: Status::New,
        version: 1,
        record: Box::new(record),
        pending_replies: Vec::new(),
        sources: Vec::new(),
        history: Vec::new(),
    }
}

pub(in crate::compose) fn face(code: &str) -> PageFace<'_> {
    PageFace {
        site_name: "Fairmead Referral Office",
        recipient: Some("Bayview Gastroenterology"),
        return_fax: Some("+14155550199"),
        return_email: Some("referrals@fairmead.example"),
        code: Some(code),
    }
}

pub(in crate::compose) fn pdftotext(document: &Document, page: u32) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.pdf");
    std::fs::write(&file, &document.bytes).unwrap();
    let page = page.to_string();
    let output = Command::new("pdftotext").args(["-f", &page, "-l", &page, "-layout"]).arg(&file).arg("-").output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
