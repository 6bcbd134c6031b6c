//! Who can be reached by what: the directory against the outbound channels.

use super::*;

const MLLP_OUT: &str = "[outbound.mllp]\nhost = \"127.0.0.1\"\nport = 6661\n";

#[test]
fn an_mllp_channel_is_a_destination_of_its_own_and_serves_entries_that_have_an_hl7_name() {
    let site = whole_site();
    site.write("channels/ehr-out.toml", MLLP_OUT);
    site.write(
        "channels/site/directory.toml",
        &format!(
            "{DIRECTORY}\n[lung]\nname = \"Lung Desk\"\nhl7 = \"EPIC|LUNG\"\nhl7_from = [\"HUB|REGION\"]\nthrough = \"ehr-out\"\n"
        ),
    );
    let forward = "[[forward]]\nthrough = \"ehr-out\"\n[[forward]]\nthrough = \"ehr-out\"\nto = \"lung\"\n";
    site.write("channels/ehr.toml", &format!("{MLLP}[acknowledge]\nthrough = \"ehr-out\"\nstatus = true\n{forward}"));
    let config = site.load().unwrap();
    let channel = config.inbound.values().next().unwrap();
    let targets: Vec<&str> = channel.forward.iter().map(|target| target.to.as_str()).collect();
    assert_eq!(targets, ["ehr-out", "lung"]);
}

#[test]
fn what_cannot_go_by_hl7_or_only_by_hl7_is_refused() {
    let site = whole_site();
    site.write("channels/ehr-out.toml", MLLP_OUT);
    site.write("channels/far-out.toml", "[outbound.mllp]\nhost = \"ehr.clinic.example\"\nport = 6661\nversion = \"2.9\"\n");
    let directory = format!("{DIRECTORY}\n[ehr-out]\nname = \"E\"\nhl7 = \"EPIC\"\nhl7_from = [\"HUB\"]\n");
    site.write("channels/site/directory.toml", &directory);
    site.write("channels/scans.toml", "[inbound.folder]\npath = \"in\"\n[acknowledge]\nthrough = \"ehr-out\"\nstatus = true\n");
    let route = "[route]\nspecialty.A = { through = \"email-out\" }\nspecialty.B = { through = \"ehr-out\", to = \"gut\" }\n";
    site.write(
        "channels/ehr.toml",
        &format!("{MLLP}[acknowledge]\nthrough = \"fax-out\"\n{route}[[forward]]\nthrough = \"fax-out\"\nto = \"gut\"\n"),
    );
    site.write(
        "channels/old.toml",
        "[inbound.mllp]\nlisten = \"127.0.0.1:2576\"\n[acknowledge]\nmode = \"original\"\nthrough = \"ehr-out\"\n",
    );
    site.write("channels/told.toml", "[inbound.mllp]\nlisten = \"127.0.0.1:2577\"\n[acknowledge]\nstatus = true\n");
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["far-out.toml:2:8: outbound.mllp.host: patient data would cross", "plaintext = true"]);
    assert_one(&mistakes, &["far-out.toml:4:11: outbound.mllp.version"]);
    assert_one(&mistakes, &["ehr-out.hl7: is no HL7 receiver"]);
    assert_one(&mistakes, &["is no HL7 sender"]);
    assert_one(&mistakes, &["ehr-out: is the name of an MLLP channel"]);
    assert_one(&mistakes, &["scans.toml:4:11: acknowledge.through: sends HL7 messages"]);
    assert_one(&mistakes, &["scans.toml:5:10: acknowledge.status: has a meaning only for [inbound.mllp]"]);
    assert_one(&mistakes, &["ehr.toml:4:11: acknowledge.through: sends no HL7 messages", "ehr-out"]);
    assert_one(&mistakes, &["route.specialty.A.to: is missing"]);
    assert_one(&mistakes, &["route.specialty.B.to: the entry \"gut\" has no hl7"]);
    assert_one(&mistakes, &["forward.0.through: sends no HL7 messages", "ehr-out"]);
    assert_one(&mistakes, &["old.toml:5:11: acknowledge.through: is never used"]);
    assert_one(&mistakes, &["told.toml:4:10: acknowledge.status: needs a way to the sender"]);
    assert_eq!(mistakes.len(), 13, "{mistakes:#?}");
}

#[test]
fn the_directory_names_each_desk_once_and_each_can_be_reached() {
    let site = whole_site();
    site.write("channels/site/directory.toml", &format!("{DIRECTORY}\n[other]\nname = \"Other\"\naliases = [\"gut desk\"]\n"));
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["other: can be sent nothing"]);
    assert_one(&mistakes, &["\"gut desk\" also names the entry \"gut\""]);
}

#[test]
fn an_npi_stands_in_one_entry_of_the_directory() {
    let site = whole_site();
    let entry = |key: &str| format!("[{key}]\nname = \"{key}\"\nfax = \"+15035550191\"\nnpi = \"1245319599\"\n");
    site.write("channels/site/directory.toml", &format!("{DIRECTORY}\n{}{}", entry("one"), entry("two")));
    assert_one(&site.mistakes(), &["two.npi: the NPI is also that of the entry \"one\""]);
}

#[test]
fn an_entry_asked_by_mail_must_be_reached_by_the_pages_too() {
    let site = whole_site();
    let entry = |lines: &str| format!("[heart]\nname = \"Heart Desk\"\nemail = \"heart@clinic.example\"\n{lines}");
    let directory = "channels/site/directory.toml";
    site.write(directory, &entry(""));
    let mistakes = site.mistakes();
    assert_one(
        &mistakes,
        &[
            "ehr.toml:4:54: route.specialty.Cardiology.to: the referral's pages cannot reach it",
            "directory.toml: fax = ",
            "add to [heart]",
        ],
    );
    assert_eq!(mistakes.len(), 1);

    site.write(directory, &entry("through = \"email-out\"\n"));
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["directory.toml:4:11: heart.through: the referral's pages cannot reach it", "trusted_tls = true"]);
    assert_eq!(mistakes.len(), 2);

    for enough in ["fax = \"503-555-0141\"\n", "trusted_tls = true\n"] {
        site.write(directory, &entry(enough));
        site.load().unwrap();
    }
    // Who is only acknowledged gets no pages.
    site.write("channels/ehr.toml", MLLP);
    site.write(directory, &entry(""));
    site.load().unwrap();
}

#[test]
fn a_fax_number_is_of_no_use_for_the_pages_where_nothing_sends_faxes() {
    let site = whole_site();
    fs::remove_file(site.path("channels/fax-out.toml")).unwrap();
    assert_one(&site.mistakes(), &["route.specialty.Cardiology.to", "no channel sends faxes", "[outbound.fax]"]);
}

#[test]
fn no_entry_is_called_what_the_engine_calls_the_sender_of_a_message() {
    let site = whole_site();
    site.write("channels/site/directory.toml", &format!("{DIRECTORY}\n[sender]\nname = \"Other\"\nfax = \"503-555-0143\"\n"));
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["directory.toml:10:2: sender: is the engine's own word", "give the entry another name"]);
    assert_eq!(mistakes.len(), 1);
}
