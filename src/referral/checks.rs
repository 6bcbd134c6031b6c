//! What identifiers and codes must be like: check digits and shapes, the same for every door.

/// Nobody who is referred was born longer ago.
pub const AGE_YEARS_MAX: i16 = 130;

/// Whether it is a National Provider Identifier: ten digits, the first 1 or 2, the last a check digit (Luhn over `80840` and the
/// number; 45 CFR 162.406).
#[must_use]
pub fn npi_is_sound(text: &str) -> bool {
    if text.len() != 10 || !text.starts_with(['1', '2']) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let doubled = |digit: u32| digit * 2 / 10 + digit * 2 % 10;
    let digits = text.bytes().rev().map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits.enumerate().map(|(at, digit)| if at % 2 == 1 { doubled(digit) } else { digit }).sum();
    // 24 is what the constant prefix 80840 adds.
    (sum + 24).is_multiple_of(10)
}

/// Whether it is like an ICD-10 code: a letter, a digit, a digit or letter, then up to four more behind a point (or without one).
#[must_use]
pub fn is_like_icd10(text: &str) -> bool {
    let mut parts = text.splitn(2, '.');
    let (head, tail) = (parts.next().unwrap_or_default(), parts.next());
    let (category, rest) = match (head.get(..3), head.get(3..), tail) {
        (Some(category), Some(""), tail) => (category, tail.unwrap_or_default()),
        (Some(category), Some(rest), None) => (category, rest),
        _ => return false,
    };
    let mut letters = category.bytes();
    letters.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && letters.next().is_some_and(|byte| byte.is_ascii_digit())
        && letters.all(|byte| byte.is_ascii_alphanumeric())
        && rest.len() <= 4
        && (tail.is_none() || !rest.is_empty())
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_npi_has_a_check_digit() {
        assert!(npi_is_sound("1234567893") && npi_is_sound("1245319599"));
        for wrong in ["1234567890", "123456789", "12345678931", "3234567893", "123456789x", ""] {
            assert!(!npi_is_sound(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_diagnosis_code_has_its_shape() {
        for right in ["I10", "R00.2", "R002", "S72.001A", "C7A.010", "E11.9"] {
            assert!(is_like_icd10(right), "{right}");
        }
        for wrong in ["ZZZ", "10", "R00.", "R00.12345", "R0", "I 10", "R00.2.1", "\u{e9}10"] {
            assert!(!is_like_icd10(wrong), "{wrong}");
        }
    }
}
