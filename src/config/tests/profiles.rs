//! Profiles and mappings of channels.

use super::*;

#[test]
fn a_channels_profile_is_the_shared_one_with_its_own_keys_laid_over() {
    let site = whole_site();
    site.write(
        "channels/site/profiles/north.toml",
        "time_zone = \"Asia/Tokyo\"\nregion = \"JP\"\ncodes.priority = { \"1\" = \"stat\", \"2\" = \"urgent\" }\n\
         reports.titles = [\"heart letter\"]\n[map]\n\"request.reason\" = { from = \"ZZZ-1\", table = { a = \"b\" } }\n\"request.service\" = \"ZZZ-2\"\n",
    );
    site.write(
        "channels/ehr.toml",
        &format!(
            "{MLLP}[profile]\nuse = \"north\"\nregion = \"NZ\"\ncodes.priority = {{ \"2\" = \"routine\" }}\nreports.codes = [\"HL\"]\n[profile.senders]\n\
             \"*|A\" = \"north\"\n\"X|A\" = \"north\"\n[map]\n\"request.reason\" = \"NTE-3\"\n"
        ),
    );
    let config = site.load().unwrap();
    let profiles = &config.inbound.values().next().unwrap().profiles;
    let usual = &profiles.usual;
    assert_eq!((usual.time_zone.as_deref(), usual.region.as_deref()), (Some("Asia/Tokyo"), Some("NZ")));
    assert_eq!(format!("{:?}", usual.codes.priority), "{\"1\": Stat, \"2\": Routine}");
    assert_eq!(
        (usual.reports.titles.as_slice(), usual.reports.codes.as_slice()),
        (&["heart letter".to_owned()][..], &["HL".to_owned()][..])
    );
    let map = format!("{:?}", usual.map);
    assert!(map.contains("[NTE-3]") && map.contains("[ZZZ-2]") && !map.contains("ZZZ-1"), "{map}");
    assert_eq!(profiles.by_sender.len(), 2);
    assert_eq!(profiles.by_sender[0].0.wildcards(), 0, "the most exact pattern is tried first");
    assert_eq!(profiles.by_sender[1].1.region.as_deref(), Some("JP"), "a channel's keys are laid over the profile it uses alone");
    assert!(format!("{:?}", profiles.by_sender[0].1.map).contains("[NTE-3]"), "its mapping holds for all of its senders");
}

#[test]
fn each_mistake_of_a_mapping_is_found_at_its_line() {
    let site = whole_site();
    site.write(
        "channels/ehr.toml",
        &format!(
            "{MLLP}[profile]\nuse = \"nroth\"\nreferral_id = [\"RF1.6\"]\n[profile.senders]\nEPIC = \"north\"\n[accept]\n\
             where = [\"RF1-3.1 = \"]\n[map]\n\"request.reson\" = \"RF1-10.2\"\n\"request.reason\" = [\"PDR-2\"]\n\
             \"identifiers.placer.value\" = \"OBR-2\"\nkind = {{ value = \"secnd-opinion\" }}\n\
             priority = {{ from = \"RF1-2\", tabel = {{}}, otherwise = \"urgent\" }}\nexpires_at = {{ value = \"tomorrow\" }}\nnotes = 3\n"
        ),
    );
    site.write("channels/site/profiles/north.toml", "[map]\n\"patient.sex\" = { from = \"PID-8\", table = { x = \"W\" } }\n");
    let mistakes = site.mistakes();
    for parts in [
        &["channels/ehr.toml:4:7: profile.use: there is no profile \"nroth\"", "did you mean \"north\"?"][..],
        &["channels/ehr.toml:5:16: profile.referral_id.0: the path \"RF1.6\"", "hyphen"],
        &["channels/ehr.toml:7:1: profile.senders.EPIC: names no sender", "bar between"],
        &["channels/ehr.toml:9:10: accept.where.0: the condition", "compares with nothing"],
        &["channels/ehr.toml:11:1: map.request.reson: is no field", "did you mean request.reason?"],
        &["channels/ehr.toml:12:21: map.request.reason.0: the path \"PDR-2\"", "did you mean PRD?"],
        &["channels/ehr.toml:13:1: map.identifiers.placer.value", "profile.referral_id"],
        &["channels/ehr.toml:14:18: map.kind.value", "did you mean \"second-opinion\"?"],
        &["channels/ehr.toml:15:30: map.priority.tabel: is not a known key", "did you mean table?"],
        &["channels/ehr.toml:15:1: map.priority: otherwise has no meaning without table"],
        &["channels/ehr.toml:16:24: map.expires_at.value: \"tomorrow\"", "20261120"],
        &["channels/ehr.toml:17:9: map.notes: must be a path, and is a whole number"],
        &["channels/site/profiles/north.toml:2:49: map.patient.sex.table.x: \"W\" is nothing that this field can be", "\"F\""],
    ] {
        assert_one(&mistakes, parts);
    }
}

#[test]
fn profiles_belong_to_channels_that_take_hl7() {
    let site = whole_site();
    site.write("channels/fax-in.toml", "[inbound.folder]\npath = \"fax-in\"\n[map]\n\"request.reason\" = \"NTE-3\"\n");
    site.write("channels/fax-out.toml", &format!("{FAX_OUT}[profile]\nregion = \"IE\"\n"));
    let mistakes = site.mistakes();
    assert_one(&mistakes, &["channels/fax-in.toml:3:2: map: has no meaning in this channel"]);
    assert_one(&mistakes, &["channels/fax-out.toml:4:2: profile: has no meaning in this channel"]);
}

#[test]
fn the_description_of_a_profile_and_its_type_agree() {
    assert_agrees::<crate::normalize::hl7::Profile>(crate::config::profiles::PROFILE, &[]);
    let generic = include_str!("../../../channels/site/profiles/generic.toml");
    let profile: crate::normalize::hl7::Profile = toml::from_str(generic).unwrap();
    assert_eq!(
        format!("{profile:?}"),
        format!("{:?}", crate::normalize::hl7::Profile::default()),
        "every default as it is shown"
    );
}
