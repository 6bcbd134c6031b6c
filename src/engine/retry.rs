//! When a failed delivery is tried again: pauses that double, up to a limit, each shortened by chance so that what failed
//! together is not retried together.

use jiff::{SignedDuration, Timestamp};

use crate::config::Limits;

/// When attempt number `attempts` having failed, the next one is due; `chance` is a random number in 0..1.
///
/// The pause lies between half and the whole of `first · 2^(attempts-1)`, at most `delivery_backoff_seconds_max`.
#[must_use]
pub fn next_attempt(now: Timestamp, attempts: u32, limits: &Limits, chance: f64) -> Timestamp {
    let doublings = attempts.saturating_sub(1).min(32);
    let whole = limits.delivery_backoff_seconds.saturating_mul(1 << doublings).min(limits.delivery_backoff_seconds_max).max(1);
    let milliseconds = i64::try_from(whole.saturating_mul(1_000)).unwrap_or(i64::MAX / 2);
    // The half of a pause is far below 2^52 milliseconds, so the float holds it exactly enough.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a jitter of milliseconds")]
    let jitter = (milliseconds as f64 / 2.0 * chance.clamp(0.0, 1.0)) as i64;
    now.saturating_add(SignedDuration::from_millis(milliseconds / 2 + jitter)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_are_never_under_half() {
        let limits = Limits { delivery_backoff_seconds: 4, delivery_backoff_seconds_max: 20, ..Limits::default() };
        let now = Timestamp::UNIX_EPOCH;
        let seconds = |attempts, chance| next_attempt(now, attempts, &limits, chance).as_second();
        assert_eq!([1, 2, 3, 4, 40].map(|n| seconds(n, 1.0)), [4, 8, 16, 20, 20]);
        assert_eq!([1, 2, 3, 4, 40].map(|n| seconds(n, 0.0)), [2, 4, 8, 10, 10]);
    }
}
