//! Throwaway.
#[test]
fn throwaway_samples() {
    let mut names: Vec<_> = std::fs::read_dir("/work/shared/samples/hl7").unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "hl7")).collect();
    names.sort();
    for path in names {
        let body = std::fs::read(&path).unwrap();
        let read = super::normalize(&body, &super::Hl7Rules::default()).unwrap();
        println!("=== {} kind={:?} event={:?} refusal={:?} keys={:?}", path.file_name().unwrap().to_string_lossy(), read.outcome.kind, read.outcome.event, read.refusal.as_ref().map(|r| (r.level, r.code, r.location.clone())), read.referral_keys);
        if std::env::var("FULL").is_ok() {
        println!("{}", serde_json::to_string_pretty(&read.outcome).unwrap());
        println!("{}", crate::compose::hl7_answer::preview(&read, &Default::default()).unwrap_or_default());
        }
        for cut in (0..body.len()).step_by(7) { super::normalize(&body[..cut], &super::Hl7Rules::default()).ok(); }
    }
}
