//! Codes and numbers with a shape: ICD-10-CM, NPI, member numbers.

use super::{dates::digits, icd10cm};
use crate::referral::checks::npi_is_sound;

/// An ICD-10-CM code that was read.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct ReadCode {
    /// Upper case, with its dot.
    pub(super) code: String,
    /// 1 as printed; less where something was repaired.
    pub(super) trust: f32,
}

/// How far three bare digits are trusted to be a code.
pub(super) const BARE_TRUST: f32 = 0.7;

/// A word as an ICD-10-CM code (letter, digit, digit or A/B, then up to four more behind a dot).
///
/// Repaired is what the shape proves: a code begins with a letter, so a leading 1 was an I; its second character is a digit; the letters I and O
/// never stand behind the first. Other leading digits (3 for J, 5 for S) are likely, not certain, and lower the trust below any threshold.
pub(super) fn icd10(word: &str) -> Option<ReadCode> {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    // Words are no codes, though many of their letters look like digits.
    let tail = || word.chars().skip(1);
    let printed_digits = tail().filter(char::is_ascii_digit).count();
    let small = tail().any(|c| c.is_ascii_lowercase() && !matches!(c, 'l' | 'o' | 's'));
    if printed_digits == 0 || 2 * printed_digits + 1 < tail().filter(char::is_ascii_alphanumeric).count() || small {
        return None;
    }
    let (category, rest) = match word.split_once(['.', ',']) {
        Some((category, rest)) => (category.to_owned(), rest.to_owned()),
        None => (word.chars().take(3).collect(), word.chars().skip(3).collect()),
    };
    let undotted = !word.contains('.') && !rest.is_empty();
    let mut trust: f32 = if !undotted {
        1.0
    } else if word.contains(',') {
        0.97
    } else {
        0.96
    };
    let head: Vec<char> = category.chars().collect();
    let [first, second, third] = head.as_slice() else { return None };
    if rest.chars().count() > 4 || (word.contains(['.', ',']) && rest.is_empty()) {
        return None;
    }
    // Three digits alone may be I10 read as 110, or any number.
    let bare = rest.is_empty() && first.is_ascii_digit();
    let (first, sure) = leading(*first)?;
    trust *= if bare { BARE_TRUST } else { sure };
    let second = number(*second, &mut trust)?;
    let third = match third.to_ascii_uppercase() {
        'A' if second != '0' || first == 'C' => 'A',
        _ => number(*third, &mut trust)?,
    };
    let mut code: String = [first, second, third].iter().collect();
    if !rest.is_empty() {
        code.push('.');
        for c in rest.chars() {
            code.push(match c {
                'O' | 'o' => {
                    trust *= 0.98;
                    '0'
                }
                'I' | 'l' | '|' => {
                    trust *= 0.98;
                    '1'
                }
                c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
                _ => return None,
            });
        }
        // Behind the dot stand digits, but for a few chapters: S could be a 5, B an 8, Z a 2.
        if rest.chars().take(3).any(|c| matches!(c, 'S' | 's' | 'B' | 'Z' | 'z' | 'G' | 'g')) {
            trust *= 0.8;
        }
    }
    // Without a dot, without a printed letter, it is any number.
    (undotted && word.starts_with(|c: char| c.is_ascii_digit())).then_some(()).map_or(Some(ReadCode { code, trust }), |()| None)
}

/// A code as the published list has it: one that is on it is trusted a little more, one that is not is repaired where one misread character
/// explains it, and doubted.
pub(super) fn checked(read: ReadCode) -> ReadCode {
    const REPAIRED_TRUST: f32 = 0.8;
    const UNLISTED_TRUST: f32 = 0.6;
    const DIVIDED_TRUST: f32 = 0.85;
    if icd10cm::is_divided(&read.code) {
        return ReadCode { trust: DIVIDED_TRUST.min(read.trust), ..read };
    }
    if icd10cm::is_listed(&read.code) {
        let trust = if read.trust >= 0.9 { read.trust.max(0.99) } else { read.trust };
        return ReadCode { trust, ..read };
    }
    match icd10cm::repaired(&read.code) {
        Some(code) => ReadCode { code, trust: REPAIRED_TRUST.min(read.trust) },
        None => ReadCode { trust: UNLISTED_TRUST.min(read.trust), ..read },
    }
}

fn leading(c: char) -> Option<(char, f32)> {
    match c {
        'A'..='Z' => Some((c, 1.0)),
        'l' | '|' | '!' => Some(('I', 0.97)),
        '1' => Some(('I', 0.96)),
        'a'..='z' => Some((c.to_ascii_uppercase(), 0.96)),
        '3' => Some(('J', 0.8)),
        '5' => Some(('S', 0.8)),
        '0' => Some(('O', 0.7)),
        '8' => Some(('B', 0.7)),
        '6' => Some(('G', 0.7)),
        '2' => Some(('Z', 0.7)),
        '4' => Some(('A', 0.6)),
        '7' => Some(('T', 0.6)),
        _ => None,
    }
}

fn number(c: char, trust: &mut f32) -> Option<char> {
    if c.is_ascii_digit() {
        return Some(c);
    }
    let (plain, _) = digits(&c.to_string())?;
    *trust *= 0.96;
    plain.chars().next()
}

/// A National Provider Identifier: ten digits, the last a Luhn check digit over `80840` and the others (45 CFR 162.406).
pub(super) struct ReadNpi {
    pub(super) digits: String,
    pub(super) check: bool,
}

/// A word, or words, as an NPI; `None` where it is not ten digits.
pub(super) fn npi(words: &[&str]) -> Option<(ReadNpi, usize)> {
    (1..=words.len().min(4)).find_map(|count| {
        let joined = words.get(..count)?.concat();
        let (plain, _) = digits(joined.trim_matches(|c: char| !c.is_ascii_alphanumeric()))?;
        let plausible = plain.len() == 10 && plain.starts_with(['1', '2']) || (9..=11).contains(&plain.len()) && count == 1;
        let check = npi_is_sound(&plain);
        plausible.then_some((ReadNpi { digits: plain, check }, count))
    })
}

/// A member or group number: letters, digits and dashes, at least one digit.
pub(super) fn member_id(word: &str) -> Option<(String, f32)> {
    let plain = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let shaped = plain.chars().count() >= 4
        && plain.chars().count() <= 20
        && plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && plain.chars().any(|c| c.is_ascii_digit());
    shaped.then(|| (plain.to_owned(), doubt_of_mixture(plain)))
}

/// Letters that look like digits, standing next to digits: either could have been printed.
fn doubt_of_mixture(text: &str) -> f32 {
    let chars: Vec<char> = text.chars().collect();
    let mut trust: f32 = 1.0;
    for (at, c) in chars.iter().enumerate() {
        let digit_before = at > 0 && chars.get(at - 1).is_some_and(char::is_ascii_digit);
        let lower = c.is_ascii_lowercase();
        if (digit_before && matches!(c, 'O' | 'I' | 'S' | 'B' | 'Z' | 'G' | 'Q' | 'D')) || lower {
            trust *= 0.85;
        }
    }
    // One letter behind a leading digit, before a run of digits: numbers begin with two letters rather than with a digit and one.
    let digit_at = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    if digit_at(0) && chars.get(1).is_some_and(char::is_ascii_alphabetic) && digit_at(2) && digit_at(3) {
        trust *= 0.9;
    }
    // An O or I behind letters and before a digit run may be its first digit.
    if (1..chars.len()).any(|at| matches!(chars.get(at), Some('O' | 'I')) && digit_at(at + 1)) {
        trust *= 0.9;
    }
    trust
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(word: &str) -> Option<(String, f32)> {
        icd10(word).map(|read| (read.code, read.trust))
    }

    #[test]
    fn codes_are_read_as_printed() {
        for word in ["K21.9", "(K21.9).", "K21.9,", "I10", "M75.101", "C7A.1", "S72.001A"] {
            let (read, trust) = code(word).unwrap();
            assert_eq!(trust, 1.0, "{word}");
            assert_eq!(read, word.trim_matches(|c: char| !c.is_alphanumeric()));
        }
    }

    #[test]
    fn a_code_is_repaired_only_where_its_shape_proves_it() {
        assert_eq!(code("148.91").unwrap().0, "I48.91");
        assert_eq!(code("l48,91").unwrap().0, "I48.91");
        assert_eq!(code("KZ1.9").unwrap().0, "K21.9");
        assert_eq!(code("K2l.O").unwrap().0, "K21.0");
        let (read, trust) = code("344.9").unwrap();
        assert_eq!(read, "J44.9");
        assert!(trust < 0.95, "344.9 may be an ICD-9 code");
    }

    #[test]
    fn words_and_numbers_are_no_codes() {
        assert!(code("110").unwrap().1 < 0.95);
        for word in ["Unspecified", "2024", "and", "10", "Type", "37618", "Disease", "right", "A1c"] {
            assert_eq!(code(word), None, "{word}");
        }
    }

    #[test]
    fn an_npi_with_a_wrong_digit_fails_its_check() {
        assert!(npi(&["1783266160"]).unwrap().0.check);
        assert!(npi(&["(1783266160)"]).unwrap().0.check);
        assert!(!npi(&["1783266161"]).unwrap().0.check);
        assert!(npi(&["Richardside"]).is_none());
    }

    #[test]
    fn a_letter_among_the_digits_of_a_member_number_is_doubted() {
        assert_eq!(member_id("PD231007728").unwrap().1, 1.0);
        assert!(member_id("PD2310O7728").unwrap().1 < 0.95);
        assert!(member_id("Aetna").is_none());
    }
}
