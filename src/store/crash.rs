//! A test hook: named points at which the process can be made to die.
//!
//! `LOOPLINE_TEST_CRASH_AT=after-fdatasync:3` aborts the process (no destructors, no flushing) the third time it passes that point.
//! Without the variable each point costs one load of a static. It is compiled always, so that what is tested is what is shipped.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

struct Armed {
    name: String,
    passes_left: AtomicU64,
}

/// Dies here, if the environment says so.
///
/// The points, in the order of a batch: `body-written`, `body-renamed`, `before-write`, `after-write`, `before-fdatasync`,
/// `after-fdatasync`, `after-apply`, `after-answer`; and behind it `before-index`, `after-index`.
pub(crate) fn crash_point(name: &str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| parse(&std::env::var("LOOPLINE_TEST_CRASH_AT").ok()?));
    if let Some(armed) = armed
        && armed.name == name
        && armed.passes_left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

fn parse(setting: &str) -> Option<Armed> {
    let (name, count) = setting.split_once(':').unwrap_or((setting, "1"));
    Some(Armed { name: name.to_owned(), passes_left: AtomicU64::new(count.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_named_with_a_count_or_alone() {
        let armed = parse("after-apply:7").unwrap();
        assert_eq!((armed.name.as_str(), armed.passes_left.into_inner()), ("after-apply", 7));
        assert_eq!(parse("after-apply").unwrap().passes_left.into_inner(), 1);
        assert!(parse("after-apply:soon").is_none());
    }
}
