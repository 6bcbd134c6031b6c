//! Section 3: what makes a message a repeat. What follows from it is tested through the engine.

use super::*;

#[test]
fn quirk_3_a_retry_has_the_same_key_and_other_content_another() {
    let key = |lines: &[&str]| read(lines).repeat_key;
    let first = key(&[HEAD, RF1, RP, RT, PID]);
    let later = HEAD.replace("20261120101500-0800", "20261120102200-0800").replace("2.5.1", "2.5.1|17");
    assert_eq!(
        key(&[&later, RF1, RP, RT, PID]).rsplit('|').next(),
        key(&[&HEAD.replace("2.5.1", "2.5.1|3"), RF1, RP, RT, PID]).rsplit('|').next()
    );
    assert_eq!(key(&[&HEAD.replace("1015", "1022"), RF1, RP, RT, PID]), first);
    assert_ne!(key(&[HEAD, RF1, RP, RT, &PID.replace("Elm", "Oak")]), first);
    assert_ne!(key(&[&HEAD.replace("C1", "C2"), RF1, RP, RT, PID]), first);
    assert_ne!(key(&[&HEAD.replace("CEDAR", "BIRCH"), RF1, RP, RT, PID]), first);
}

#[test]
fn quirk_3_an_empty_control_id_has_no_key_of_its_own() {
    assert_eq!(read(&[HEAD, RF1, RP, RT, PID]).control_key.as_deref(), Some("hl7-control|EHR|CEDAR|C1"));
    assert_eq!(read(&[&HEAD.replace("C1", ""), RF1, RP, RT, PID]).control_key, None);
}

#[test]
fn quirk_3_a_constant_control_id_is_told_by_content_alone() {
    let rules = following(Profile { control_ids_unique: false, ..Profile::default() });
    let keys = |lines: &[&str]| {
        let read = normalize(&joined(lines), &rules).unwrap();
        assert_eq!(read.control_key, None);
        read.repeat_key
    };
    assert_eq!(keys(&[HEAD, RF1, RP, RT, PID]), keys(&[&HEAD.replace("C1", "C2"), RF1, RP, RT, PID]));
    assert_ne!(keys(&[HEAD, RF1, RP, RT, PID]), keys(&[HEAD, RF1, RP, RT, PID, "NTE|1||more"]));
}
