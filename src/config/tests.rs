//! Real files in a temporary folder, as a site would write them.

mod directory;
mod profiles;
mod settings;

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    Config, ConfigErrors, Limits, LogFormat, Settings, SettingsSources,
    keys::{self, Key, Need, Shape},
};
use crate::{inbound::InboundConfig, normalize::DateOrder, outbound::OutboundConfig};

const MLLP: &str = "[inbound.mllp]\nlisten = \"127.0.0.1:2575\"\n";
const EMAIL_OUT: &str = "[outbound.email]\nfrom = \"referrals@loopline.example\"\nmaildir = \"mail-out\"\n";
const FAX_OUT: &str = "[outbound.fax]\npath = \"fax-out\"\nreturn_number = \"+1 503 555 0100\"\n";
const DIRECTORY: &str = "[heart]\nname = \"Heart Desk\"\nemail = \"heart@clinic.example\"\nfax = \"503-555-0141\"\n\n[gut]\nname = \"Gut Desk\"\nfax = \"503-555-0142\"\n";

/// A site's folder.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new(files: &[(&str, &str)]) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            site.write(name, text);
        }
        site
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sources(&self) -> SettingsSources {
        SettingsSources { folder: self.folder.path().to_owned(), ..SettingsSources::default() }
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        Config::load(&self.sources())
    }

    /// The mistakes, each as `file:line:column: key: message / help`, file names relative to the site.
    fn mistakes(&self) -> Vec<String> {
        let errors = self.load().expect_err("there should be a mistake");
        let prefix = format!("{}/", self.folder.path().display());
        errors.mistakes().iter().map(|mistake| mistake.to_string().replace(&prefix, "").replace("\n  help: ", " / ")).collect()
    }
}

fn assert_one(mistakes: &[String], parts: &[&str]) {
    let matching = mistakes.iter().filter(|mistake| parts.iter().all(|part| mistake.contains(part))).count();
    assert_eq!(matching, 1, "exactly one of these should contain {parts:?}:\n{}", mistakes.join("\n"));
}

fn whole_site() -> Site {
    Site::new(&[
        ("channels/ehr.toml", &format!("{MLLP}[route]\nspecialty.Cardiology = {{ through = \"email-out\", to = \"heart\" }}\n")),
        ("channels/email-out.toml", EMAIL_OUT),
        ("channels/fax-out.toml", FAX_OUT),
        ("channels/site/directory.toml", DIRECTORY),
    ])
}

#[test]
fn a_right_configuration_loads_with_its_defaults() {
    let config = whole_site().load().unwrap();
    assert_eq!(config.inbound.len(), 1);
    assert_eq!(config.outbound.len(), 2);
    let channel = config.inbound.values().next().unwrap();
    assert_eq!(channel.route.specialty["Cardiology"].to, "heart");
    let InboundConfig::Mllp(mllp) = &channel.inbound else { panic!("it is an MLLP channel") };
    assert_eq!(mllp.frame_bytes_max, 67_108_864);
}

#[test]
fn relative_paths_of_channels_are_completed_from_the_data_folder() {
    let site = whole_site();
    let config =
        Config::load(&SettingsSources { flags: vec![("data".into(), "/var/lib/loopline".into())], ..site.sources() }).unwrap();
    let folders: Vec<PathBuf> = config
        .outbound
        .values()
        .map(|outbound| match outbound {
            OutboundConfig::Email(email) => email.maildir.clone().unwrap(),
            OutboundConfig::Fax(fax) => fax.path.clone(),
            OutboundConfig::Mllp(_) => panic!("no MLLP channel is there"),
        })
        .collect();
    assert_eq!(folders, [Path::new("/var/lib/loopline/mail-out"), Path::new("/var/lib/loopline/fax-out")]);
}

#[test]
fn the_directory_keeps_fax_numbers_in_one_form() {
    let config = whole_site().load().unwrap();
    assert_eq!(config.directory.entries["gut"].fax.as_deref(), Some("+15035550142"));
}

#[test]
fn every_mistake_of_all_files_is_found_at_once_at_its_line() {
    let site = whole_site();
    site.write(
        "channels/ehr.toml",
        "[inbound.mllp]\nlistn = \"127.0.0.1:2575\"\nconnections_max = \"many\"\nidle_secs = 9\n[acknowledge]\npositive = \"RRO\"\n",
    );
    site.write("channels/fax-out.toml", "[outbound.fax]\npath = \"fax-out\"\nreturn_number = \"12\"\n");
    site.write("channels/site/directory.toml", "[heart]\nname = \"Heart Desk\"\nemail = \"nobody\"\nnpi = [\"1234567890\"]\n");
    site.write("loopline.toml", "time_zone = \"America/Los_Angles\"\n[limits]\nreader_workers = 0\n");
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["channels/ehr.toml:2:1: inbound.mllp.listn: is not a known key", "did you mean listen?"]);
    assert_one(&mistakes, &["channels/ehr.toml:1:10: inbound.mllp.listen: is missing"]);
    assert_one(
        &mistakes,
        &["channels/ehr.toml:4:1: inbound.mllp.idle_secs: is not a known key", "did you mean idle_seconds_max?"],
    );
    assert_one(&mistakes, &["channels/ehr.toml:3:19: inbound.mllp.connections_max: must be a whole number, and is text"]);
    assert_one(&mistakes, &["channels/ehr.toml:6:12: acknowledge.positive", "did you mean \"RRI\"?"]);
    assert_one(&mistakes, &["channels/fax-out.toml:3:17: outbound.fax.return_number: is not a telephone number"]);
    assert_one(&mistakes, &["site/directory.toml:3:9: heart.email: is not a mail address"]);
    assert_one(&mistakes, &["site/directory.toml:4:8: heart.npi.0: is an NPI whose check digit is wrong"]);
    assert_one(&mistakes, &["loopline.toml:1:13: time_zone"]);
    assert_one(&mistakes, &["loopline.toml:3:18: limits.reader_workers: is out of range", "from 1 to 256"]);
    assert_eq!(mistakes.len(), 10);
}

#[test]
fn text_that_is_not_toml_is_shown_at_its_line_and_the_other_files_are_still_checked() {
    let site = whole_site();
    site.write("channels/email-out.toml", "[outbound.email]\nfrom = referrals@loopline.example\n");
    site.write("channels/fax-out.toml", "[outbound.fax]\npath = 3\nreturn_number = \"+1 503 555 0100\"\n");
    let mistakes = site.mistakes();
    assert!(mistakes.iter().any(|mistake| mistake.starts_with("channels/email-out.toml:2:")), "{mistakes:?}");
    assert_one(&mistakes, &["channels/fax-out.toml:2:8: outbound.fax.path: must be text"]);
    // The route through email-out is not reported: that channel is there, only its file is wrong.
    assert!(!mistakes.iter().any(|mistake| mistake.contains("ehr.toml")), "{mistakes:?}");
}

#[test]
fn a_key_that_stands_twice_and_letters_that_are_none_are_told_at_their_line() {
    let site = whole_site();
    site.write("channels/fax-out.toml", &format!("{FAX_OUT}path = \"other\"\n"));
    fs::write(site.path("channels/site/directory.toml"), b"[heart]\nname = \"Caf\xe9\"\n").unwrap();
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["fax-out.toml:4:1", "each key and each table stands once"]);
    assert_one(&mistakes, &["directory.toml:2:12: this letter is not UTF-8"]);
}

#[test]
fn a_file_that_is_not_read_for_its_name_is_told_of_with_the_name_that_it_needs() {
    let site = whole_site();
    site.write("channels/other.TOML", EMAIL_OUT);
    site.write("channels/site/labels.Toml", "");
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["channels/other.TOML: is not read, as its name ends in .TOML / name it other.toml"]);
    assert_one(&mistakes, &["channels/site/labels.Toml: is not read", "name it labels.toml"]);
    assert_eq!(mistakes.len(), 2);
}

#[test]
fn a_file_name_that_no_channel_can_have_is_told_of_and_suggested_nowhere() {
    let site = whole_site();
    fs::rename(site.path("channels/fax-out.toml"), site.path("channels/Fax Out.toml")).unwrap();
    site.write("channels/ehr.toml", &format!("{MLLP}[route]\ndefault = {{ through = \"fax-out\", to = \"gut\" }}\n"));
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["channels/Fax Out.toml: the file's name is no channel name", "rename the file to fax-out.toml"]);
    assert_one(&mistakes, &["route.default.through: there is no channel \"fax-out\" / "]);
    assert!(!mistakes.iter().any(|mistake| mistake.contains("\"Fax Out\"")), "{mistakes:?}");
}

#[test]
fn names_that_do_not_resolve_come_with_the_nearest_that_does() {
    let site = whole_site();
    site.write(
        "channels/ehr.toml",
        &format!(
            "{MLLP}[route]\ndefault = {{ through = \"email-ut\", to = \"hart\" }}\nspecialty.A = {{ through = \"ehr\", to = \"gut\" }}\nspecialty.B = {{ through = \"email-out\", to = \"gut\" }}\n"
        ),
    );
    let mistakes = site.mistakes();
    assert_one(
        &mistakes,
        &["ehr.toml:4:23: route.default.through: there is no channel \"email-ut\"", "did you mean \"email-out\"?"],
    );
    assert_one(&mistakes, &["route.default.to: the directory has no entry \"hart\"", "did you mean \"heart\"?"]);
    assert_one(&mistakes, &["route.specialty.A.through: \"ehr\" is an inbound channel"]);
    assert_one(&mistakes, &["route.specialty.B.to: the entry \"gut\" has no email"]);
    assert_eq!(mistakes.len(), 4);
}

#[test]
fn listening_where_others_can_reach_it_must_be_said_in_so_many_words() {
    let site = whole_site();
    site.write("channels/ehr.toml", "[inbound.mllp]\nlisten = \"0.0.0.0:2575\"\n");
    assert_one(&site.mistakes(), &["ehr.toml:2:10: inbound.mllp.listen", "plaintext = true"]);
    site.write("channels/ehr.toml", "[inbound.mllp]\nlisten = \"0.0.0.0:2575\"\nplaintext = true\n");
    site.load().unwrap();
}

#[test]
fn two_channels_on_one_port_or_one_folder_are_refused() {
    let site = whole_site();
    site.write("channels/other-ehr.toml", "[inbound.mllp]\nlisten = \"0.0.0.0:2575\"\nplaintext = true\n");
    site.write("channels/scans.toml", "[inbound.folder]\npath = \"./x/../fax-out/\"\n");
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["other-ehr.toml:2:10", "port 2575 is also listened on by the channel \"ehr\""]);
    assert_one(&mistakes, &["scans.toml:2:8: inbound.folder.path: the folder is also used by the channel \"fax-out\""]);
    assert_eq!(mistakes.len(), 2);
}

#[test]
fn a_channel_does_not_use_the_folders_of_the_engine() {
    let site = whole_site();
    site.write("channels/scans.toml", "[inbound.folder]\npath = \"bodies/x\"\n");
    site.write("channels/mails.toml", "[inbound.mailbox]\nmaildir = \".\"\n");
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["scans.toml:2:8: inbound.folder.path: is a folder of the engine itself"]);
    assert_one(&mistakes, &["mails.toml:2:11: inbound.mailbox.maildir: is a folder of the engine itself"]);
}

#[test]
fn a_channel_does_not_take_from_where_another_puts_what_it_has_taken() {
    let site = whole_site();
    site.write("channels/scans.toml", "[inbound.folder]\npath = \"scans\"\n");
    site.write("channels/again.toml", "[inbound.folder]\npath = \"scans/done\"\n");
    assert_one(&site.mistakes(), &["again.toml:2:8: inbound.folder.path: the folder lies where the channel \"scans\" puts"]);
    site.write("channels/again.toml", "[inbound.folder]\npath = \"scans/hospital\"\n");
    assert!(site.load().is_ok(), "a folder beside the files is somebody's own");
}

#[test]
fn the_defaults_are_the_documented_ones_wherever_the_program_runs() {
    let site = Site::new(&[("loopline.toml", "foo = 1\nregion = \"DE\"\n")]);
    let sources = SettingsSources { defaults_alone: true, ..site.sources() };
    assert_eq!(Settings::load(&sources).unwrap().region, "US");
}

#[test]
fn a_file_is_one_channel_one_way() {
    let site = whole_site();
    site.write("channels/ehr.toml", "[acknowledge]\nmode = \"auto\"\n");
    site.write("channels/fax-out.toml", &format!("{FAX_OUT}{MLLP}"));
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["ehr.toml", "has neither [inbound.…] nor [outbound.…]"]);
    assert_one(&mistakes, &["fax-out.toml:1:2: outbound: stands beside [inbound]"]);
}

#[test]
fn a_password_in_a_channel_file_is_refused_and_never_shown() {
    let site = whole_site();
    site.write(
        "channels/email-out.toml",
        "[outbound.email]\nfrom = \"a@b.example\"\n[outbound.email.smtp]\nhost = \"mail.b.example\"\nport = 25\nsecurity = \"none\"\npassword = \"hunter2-canary\"\n",
    );
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["email-out.toml:7:1: outbound.email.smtp.password", "name that file in password_file"]);
    assert_one(&mistakes, &["email-out.toml:6:12: outbound.email.smtp.security", "in the clear"]);
    assert!(!mistakes.join("\n").contains("hunter2"));
}

#[test]
fn keys_that_a_door_would_ignore_are_refused() {
    let site = whole_site();
    site.write(
        "channels/scans.toml",
        "[inbound.folder]\npath = \"fax-in\"\n[acknowledge]\npositive = \"ACK\"\nto = \"gut\"\nsenders = [\"a\"]\n",
    );
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["scans.toml:4:12: acknowledge.positive: has a meaning only for [inbound.mllp]"]);
    assert_one(&mistakes, &["scans.toml:5:6: acknowledge.to: needs the outbound channel"]);
    assert_one(&mistakes, &["scans.toml:6:12: acknowledge.senders.0"]);
    assert_eq!(mistakes.len(), 3);
}

#[test]
fn how_documents_are_read_is_a_table_of_channels_that_take_them() {
    let site = whole_site();
    site.write("channels/ehr.toml", &format!("{MLLP}[documents]\n"));
    site.write(
        "channels/scans.toml",
        "[inbound.folder]\npath = \"fax-in\"\n[documents]\nreview_below = 2\ndate_order = \"dmy\"\n",
    );
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["ehr.toml:3:2: documents: has no meaning for an HL7 channel"]);
    assert_one(&mistakes, &["scans.toml:4:16: documents.review_below"]);
    assert_one(&mistakes, &["scans.toml:5:14: documents.date_order", "day-first"]);
    assert_eq!(mistakes.len(), 3);
    site.write("channels/ehr.toml", MLLP);
    site.write(
        "channels/scans.toml",
        "[inbound.folder]\npath = \"fax-in\"\n[documents]\nreview_below = 0.9\ndate_order = \"day-first\"\n",
    );
    let config = site.load().unwrap();
    let documents = |name: &str| config.inbound[&crate::ids::ChannelName::new(name)].documents.clone();
    assert_eq!((documents("scans").review_below, documents("scans").date_order), (0.9, Some(DateOrder::DayFirst)));
    assert_eq!((documents("ehr").review_below, documents("ehr").date_order), (0.95, None));
}

#[test]
fn what_a_sites_forms_call_things_is_checked_whole() {
    let site = whole_site();
    site.write(
        "channels/site/labels.toml",
        "[[label]]\nmeaning = \"birth-dat\"\nvariants = [\"born on\", \"-\"]\n[[label]]\nmeaning = \"sex\"\nvariants = [\"Born: on\"]\n",
    );
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["labels.toml:2:11: label.0.meaning", "birth-date"]);
    assert_one(&mistakes, &["labels.toml:3:24: label.0.variants.1", "two letters at least"]);
    assert_one(&mistakes, &["labels.toml:6:13: label.1.variants.0: stands for birth-dat already"]);
    assert_eq!(mistakes.len(), 3);
    site.write("channels/site/labels.toml", "[[label]]\nmeaning = \"birth-date\"\nvariants = [\"hatched\"]\n");
    let shipped = format!("{:?}", crate::normalize::fax::Labels::shipped()).len();
    assert!(format!("{:?}", site.load().unwrap().labels).len() > shipped);
}

const FORM: &str = "\
[[anchor]]\nwords = \"Patient Name\"\nbox_mm = [20, 40, 45, 44]
[[anchor]]\nwords = \"Member ID\"\nbox_mm = [20, 60, 45, 64]
[[anchor]]\nwords = \"Referring Provider\"\nbox_mm = [20, 90, 45.5, 94]
[[anchor]]\nwords = \"Reason for Referral\"\nbox_mm = [20, 150, 45, 154]
[[field]]\npath = \"patient.birth_date\"\nbox_mm = [60, 39.5, 100, 45]
[[field]]\npath = \"priority\"
options = [{ value = \"urgent\", box_mm = [1, 1, 5, 5] }, { value = \"routine\", box_mm = [10, 1, 15, 5] }]
";

#[test]
fn a_form_of_a_known_sender_is_checked_whole() {
    let site = whole_site();
    site.write("channels/site/forms/cedar-intake.toml", FORM);
    let config = site.load().unwrap();
    assert_eq!(config.forms.count(), 1);
    site.write("channels/site/forms/cedar-form.toml", include_str!("../../channels/site/forms/cedar-form.toml.example"));
    let (config, effective) = Config::load_with_origins(&site.sources()).unwrap();
    assert_eq!(config.forms.count(), 2, "the shipped example is right");
    assert!(effective.to_toml().contains("anchors_min = 4"), "{}", effective.to_toml());

    let lines =
        |from: usize, count: usize| FORM.lines().skip(from).take(count).map(|line| format!("{line}\n")).collect::<String>();
    site.write("channels/site/forms/cedar-intake.toml", &lines(0, 9));
    site.write("channels/site/forms/Corner.toml", &FORM.replace(" 150", " 44").replace(" 154", " 48").replace(" 9", " 5"));
    let broken = FORM
        .replace("[20, 40, 45, 44]", "[45, 40, 20, 44]")
        .replace("[20, 60, 45, 64]", "[20, 60, 45]")
        .replace("[20, 90, 45.5, 94]", "[20, 90, 4500, 94]")
        .replace("patient.birth_date", "patient.birthdate")
        .replace("\"urgent\"", "\"asap\"");
    let more = "[[field]]\npath = \"referring.npi\"\nkind = \"npi\"\n[[field]]\npath = \"referring.npi\"\noptions = []\n";
    site.write("channels/site/forms/broken.toml", &format!("anchors_min = 3\nanchor_min = 5\n{broken}{more}"));
    site.write("channels/site/forms/no-toml.toml", "[[anchor]\n");
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["cedar-intake.toml:1:1: anchor: has 3 entries, and 4 must be found"]);
    assert_one(&mistakes, &["Corner.toml: the file's name is no name of a form"]);
    assert_one(&mistakes, &["Corner.toml:1:1: anchor: all lie in one corner of the page"]);
    assert_one(&mistakes, &["broken.toml:1:15: anchors_min: is out of range", "from 4 to 40"]);
    assert_one(&mistakes, &["broken.toml:2:1: anchor_min: is not a known key", "anchors_min"]);
    assert_one(&mistakes, &["broken.toml:5:10: anchor.0.box_mm: is no box on the page", "[left, top, right, bottom]"]);
    assert_one(&mistakes, &["broken.toml:8:10: anchor.1.box_mm: is no box on the page"]);
    assert_one(&mistakes, &["broken.toml:11:19: anchor.2.box_mm.2: is out of range"]);
    assert_one(&mistakes, &["broken.toml:16:8: field.0.path", "did you mean \"patient.birth_date\"?"]);
    assert_one(&mistakes, &["field.1.options.0.value: \"asap\" is nothing that priority can be", "\"urgent\""]);
    assert_one(&mistakes, &["field.2.kind: is not a known key"]);
    assert_one(&mistakes, &["field.2: needs either box_mm or options"]);
    assert_one(&mistakes, &["field.3: referring.npi stands on the form already"]);
    assert_one(&mistakes, &["field.3.options: referring.npi is not chosen by boxes"]);
    assert_one(&mistakes, &["no-toml.toml:1:"]);
}

#[test]
fn the_built_in_limits_are_the_documented_ones() {
    assert_eq!(format!("{:?}", Config::defaults().settings.limits), format!("{:?}", Limits::default()));
}

/// A file with every key of a description at its default, or at the example for those that have none.
fn spelled_out(keys: &[Key], examples: &[(&str, &str)], with_defaults: bool) -> String {
    let lines = keys.iter().filter_map(|key| {
        let value = match key.need {
            Need::Default(value) => with_defaults.then_some(value),
            Need::Required => examples.iter().find(|(name, _)| *name == key.name).map(|(_, value)| *value),
            Need::Optional => None,
        };
        value.map(|value| format!("{} = {value}\n", key.name))
    });
    lines.collect()
}

/// Deserializes the same table with its defaults left out and spelled out, and compares.
fn assert_agrees<T: serde::de::DeserializeOwned + std::fmt::Debug>(keys: &[Key], examples: &[(&str, &str)]) {
    let read = |with_defaults| {
        let text = spelled_out(keys, examples, with_defaults);
        toml::from_str::<T>(&text).map(|value| format!("{value:?}")).unwrap_or_else(|error| panic!("{error}\n{text}"))
    };
    assert_eq!(read(false), read(true));
}

fn below(keys: &'static [Key], path: &[&str]) -> &'static [Key] {
    path.iter().fold(keys, |keys, name| match &keys.iter().find(|key| key.name == *name).unwrap().shape {
        Shape::Table(keys) | Shape::Choice(keys) => keys,
        Shape::Map(Shape::Table(keys)) => keys,
        _ => panic!("{name} is no table"),
    })
}

#[test]
fn the_description_and_the_types_agree() {
    let channel = |path: &[&str]| below(keys::CHANNEL, path);
    assert_agrees::<crate::inbound::mllp::MllpConfig>(channel(&["inbound", "mllp"]), &[("listen", "\"127.0.0.1:2575\"")]);
    let files = [("certificate_file", "\"a\""), ("key_file", "\"b\"")];
    assert_agrees::<crate::protocols::tls::ServerTlsConfig>(channel(&["inbound", "mllp", "tls"]), &files);
    assert_agrees::<crate::protocols::tls::ClientTlsConfig>(channel(&["outbound", "mllp", "tls"]), &[]);
    assert_agrees::<crate::inbound::folder::FolderConfig>(channel(&["inbound", "folder"]), &[("path", "\"a\"")]);
    assert_agrees::<crate::inbound::mailbox::MailboxConfig>(channel(&["inbound", "mailbox"]), &[("maildir", "\"a\"")]);
    assert_agrees::<crate::outbound::email::EmailConfig>(channel(&["outbound", "email"]), &[("from", "\"a@b.example\"")]);
    assert_agrees::<crate::outbound::email::SmtpConfig>(
        channel(&["outbound", "email", "smtp"]),
        &[("host", "\"a\""), ("port", "25"), ("security", "\"tls\"")],
    );
    assert_agrees::<crate::outbound::fax::FaxConfig>(
        channel(&["outbound", "fax"]),
        &[("path", "\"a\""), ("return_number", "\"1\"")],
    );
    assert_agrees::<crate::outbound::mllp::MllpConfig>(channel(&["outbound", "mllp"]), &[("host", "\"a\""), ("port", "6661")]);
    assert_agrees::<super::Acknowledge>(channel(&["acknowledge"]), &[]);
    assert_agrees::<super::Route>(channel(&["route"]), &[]);
    assert_agrees::<super::Documents>(channel(&["documents"]), &[]);
    let Shape::Map(Shape::Table(entry)) = &keys::DIRECTORY else { panic!("the directory is a map of tables") };
    assert_agrees::<super::DirectoryEntry>(entry, &[("name", "\"a\"")]);
}
