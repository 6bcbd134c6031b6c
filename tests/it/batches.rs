//! Faxes of several documents, and the same fax sent once more: through the folder and the real reader process.

use std::{fs, path::Path, process::Command, sync::Mutex};

use loopline::reader::{Progress, ReaderOptions, ReaderPool};
use serde_json::Value;

use crate::harness::{Site, wait_for};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fax").join(name)).unwrap()
}

fn fax(site: &Site, name: &str) {
    site.drop_file(&format!("fax-in/{name}"), &fixture(name));
}

/// The message of a file, once it rests in a state and whatever is owed is sent.
fn rested(site: &Site, name: &str, state: &str) -> Value {
    let found = || site.messages().into_iter().find(|one| one["file"]["name"] == name && one["state"] == state);
    assert!(wait_for(|| found().is_some()), "{name}: {:#?}\n{}", site.messages(), site.log());
    assert!(wait_for(|| site.deliveries().iter().all(|one| one["state"] == "sent")), "{name}: {:#?}", site.deliveries());
    found().unwrap()
}

fn of_patient(site: &Site, family: &str) -> Vec<Value> {
    site.referrals().into_iter().filter(|one| one["patient"]["name"]["family"] == family).collect()
}

fn pages(referral: &Value) -> Vec<u64> {
    referral["attachments"].as_array().unwrap().iter().filter_map(|one| one["page"].as_u64()).collect()
}

/// How many pages were sent with a purpose about a referral.
fn sent(site: &Site, referral: &Value, purpose: &str) -> Vec<u64> {
    let about = |one: &Value| one["purpose"] == purpose && one["referral"] == referral["id"];
    site.deliveries().iter().filter(|one| about(one)).filter_map(|one| one["content"]["fax"]["pages"].as_u64()).collect()
}

fn column(message: &Value, name: &str) -> Vec<String> {
    let pages = message["pages"].as_array().unwrap().iter();
    pages.map(|page| page[name].to_string().trim_matches('"').to_owned()).collect()
}

fn said(site: &Site, arguments: &[&str]) -> String {
    let output = site.command().args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_batch_becomes_a_referral_for_each_patient_and_what_is_not_plain_waits_for_a_person() {
    let site = Site::new();
    let _running = site.start();
    fax(&site, "batch-two-patients.tif");
    let message = rested(&site, "batch-two-patients.tif", "processed");
    assert_eq!(column(&message, "kind"), ["cover", "referral", "lab", "referral"]);
    let [ottoline, rufus] = ["Wetherby", "Castellan"].map(|family| of_patient(&site, family));
    let ([ottoline], [rufus]) = (ottoline.as_slice(), rufus.as_slice()) else { panic!("{:#?}", site.referrals()) };
    assert_eq!((pages(ottoline), pages(rufus)), (vec![2, 3], vec![4]));
    assert_eq!((&ottoline["held"], &rufus["held"]), (&Value::Null, &Value::Null));
    assert_eq!(rufus["referring"]["phones"][0]["number"], "+15035550140");
    // Our own two pages, and the patient's behind them.
    assert_eq!((sent(&site, ottoline, "confirmation-request"), sent(&site, rufus, "confirmation-request")), (vec![4], vec![3]));
    assert_eq!((sent(&site, ottoline, "acknowledgement").len(), sent(&site, rufus, "acknowledgement").len()), (1, 1));

    fax(&site, "batch-unsure.tif");
    let held = rested(&site, "batch-unsure.tif", "held");
    assert_eq!(column(&held, "document"), ["1", "1", "2"]);
    assert_eq!(site.referrals().len(), 2, "nothing is made of what is not plain");
    let id = held["id"].as_str().unwrap();
    let shown = said(&site, &["messages", "show", id]);
    assert!(shown.contains("insurance-card") && shown.contains(&format!("loopline messages split {id}")), "{shown}");
    assert!(
        !site.command().args(["messages", "split", id, "1", "1-2"]).output().unwrap().status.success(),
        "a page is in one document"
    );

    said(&site, &["messages", "split", id, "1", "3", "--by", "mira"]);
    let message = rested(&site, "batch-unsure.tif", "processed");
    assert_eq!(
        (message["split"]["by"].as_str(), column(&message, "document")),
        (Some("mira"), vec!["1".into(), "null".into(), "2".into()])
    );
    let [ottoline, rufus] = ["Wetherby", "Castellan"].map(|family| of_patient(&site, family));
    assert_eq!((ottoline.len(), rufus.len()), (2, 2));
    let (again, before) = (&ottoline[0], &ottoline[1]);
    assert_eq!(pages(again), [1], "the page that was set apart goes to nobody");
    // It is the same form as before, so it is not sent on beside it.
    assert_eq!(again["held"][0], "possible-duplicate");
    assert!(again["problems"].to_string().contains(before["reference"].as_str().unwrap()), "{again:#}");
    assert!(!site.log().contains("Wetherby") && !site.log().contains("Castellan"));
}

#[test]
fn a_fax_sent_once_more_is_held_and_told_of_as_the_first_until_a_person_says() {
    let site = Site::new();
    let _running = site.start();
    fax(&site, "with-attachments.tif");
    let message = rested(&site, "with-attachments.tif", "processed");
    assert_eq!(column(&message, "kind"), ["cover", "referral", "lab", "note", "insurance-card"]);
    let first = site.referrals().remove(0);
    assert_eq!((pages(&first), &first["held"]), (vec![1, 2, 3, 4, 5], &Value::Null), "{first:#}");

    fax(&site, "sent-again.tif");
    rested(&site, "sent-again.tif", "processed");
    let again = site.referrals().into_iter().find(|one| one["id"] != first["id"]).unwrap();
    let reference = first["reference"].as_str().unwrap();
    assert_eq!(again["held"][0], "possible-duplicate");
    let problem = again["problems"].as_array().unwrap().iter().find(|one| one["code"] == "sent-again").unwrap();
    let text = problem["message"].as_str().unwrap();
    assert!(text.contains(reference) && text.contains("2 of 2 pages look the same"), "{text}");
    assert_eq!(sent(&site, &again, "confirmation-request"), [0; 0]);
    assert_eq!((sent(&site, &first, "acknowledgement").len(), sent(&site, &again, "acknowledgement").len()), (2, 0));

    said(&site, &["referrals", "settle", again["id"].as_str().unwrap(), "merge", reference]);
    let stands = site.referrals().into_iter().find(|one| one["id"] == first["id"]).unwrap();
    assert_eq!((pages(&stands).len(), stands["sources"].as_array().unwrap().len()), (5, 2), "its pages do not go out twice");
}

#[test]
fn a_referral_of_whose_fax_not_all_pages_were_read_waits_for_a_person() {
    let site = Site::new();
    fs::write(site.path("loopline.toml"), "[limits]\nreader_pages_max = 1\n").unwrap();
    let _running = site.start();
    fax(&site, "two-pages-g4.tif");
    assert!(wait_for(|| site.referrals().len() == 1), "{}", site.log());
    let held = &site.referrals()[0];
    assert!(held["held"].to_string().contains("not-all-read"), "{held:#}");
    assert!(held["problems"].to_string().contains("more than 1 pages"), "{held:#}");
}

#[test]
fn how_far_a_long_fax_is_read_is_seen_meanwhile() {
    const COPIES: usize = 4;
    let site = Site::new();
    let _running = site.start();
    let one = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fax/batch-unsure.tif");
    let long = site.path("long.tif");
    let copied = Command::new("tiffcp").args(vec![one; COPIES]).arg(&long).output().unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    site.drop_file("fax-in/long.tif", &fs::read(&long).unwrap());
    let mut seen = String::new();
    let is_told = || {
        seen = said(&site, &["messages", "list"]);
        seen.contains("it is being read: ") && seen.contains(" of 12 pages are done")
    };
    assert!(wait_for(is_told), "{}", site.log());
    rested(&site, "long.tif", "held");
    assert!(site.log().contains("reading a long document"), "{}", site.log());
    assert!(!said(&site, &["messages", "list"]).contains("it is being read"));
}

#[tokio::test]
async fn the_reading_of_a_fax_of_several_pages_tells_how_far_it_is() {
    let pool = ReaderPool::new(ReaderOptions {
        executable: env!("CARGO_BIN_EXE_loopline").into(),
        workers: 1,
        ..ReaderOptions::default()
    });
    let told = Mutex::new(Vec::new());
    let reading =
        pool.read_telling(fixture("batch-unsure.tif").into(), &|progress| told.lock().unwrap().push(progress)).await.unwrap();
    assert_eq!(reading.pages.len(), 3);
    assert!(reading.pages.iter().all(|page| page.look.is_some()));
    assert_eq!(*told.lock().unwrap(), [1, 2, 3].map(|page| Progress { page, pages: 3 }));
}
