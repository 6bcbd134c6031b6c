//! Check digits of the numbers that countries give their patients.

use serde::Deserialize;

/// A kind of number, and how it is checked. Blanks and hyphens in it are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumberCheck {
    /// England and Wales: ten digits, modulo 11.
    NhsNumber,
    /// New Zealand: `ZZZ0016` (modulo 11) or the newer `ZBN77VL` (modulo 23 or 24).
    Nhi,
    /// Australia: Medicare card, ten or eleven digits, the ninth a check digit.
    Medicare,
    /// Australia and Ireland: Individual Health Identifier; Australia's has sixteen digits (Luhn), Ireland's eighteen.
    Ihi,
    /// Ireland: seven digits, a check letter, and maybe another letter.
    Ppsn,
    /// Ontario: ten digits (Luhn), with or without a version code of two letters.
    OntarioHealthCard,
    /// British Columbia: ten digits that begin with 9, modulo 11.
    BritishColumbiaPhn,
}

impl NumberCheck {
    /// Its words in configuration.
    pub const ALL: [&'static str; 7] =
        ["nhs-number", "nhi", "medicare", "ihi", "ppsn", "ontario-health-card", "british-columbia-phn"];

    /// In words, for a person.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NhsNumber => "NHS number",
            Self::Nhi => "NHI number",
            Self::Medicare => "Medicare number",
            Self::Ihi => "Individual Health Identifier",
            Self::Ppsn => "PPS number",
            Self::OntarioHealthCard => "Ontario health card number",
            Self::BritishColumbiaPhn => "British Columbia Personal Health Number",
        }
    }

    /// Whether a number has this form and its check digit is right.
    #[must_use]
    pub fn holds(self, number: &str) -> bool {
        let plain: Vec<u8> =
            number.bytes().filter(|byte| !matches!(byte, b' ' | b'-')).map(|byte| byte.to_ascii_uppercase()).collect();
        match self {
            Self::NhsNumber => digits(&plain, 10..=10).is_some_and(|it| nhs(&it)),
            Self::Nhi => nhi(&plain),
            Self::Medicare => digits(&plain, 10..=11).is_some_and(|it| {
                matches!(it.first(), Some(2..=6)) && it.get(8) == Some(&(weighted(&it, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10))
            }),
            Self::Ihi => digits(&plain, 16..=18).is_some_and(|it| match it.len() {
                16 => luhn(&it),
                length => length == 18,
            }),
            Self::Ppsn => ppsn(&plain),
            Self::OntarioHealthCard => {
                let (number, version) = plain.split_at(plain.len().min(10));
                version.len() <= 2
                    && version.iter().all(u8::is_ascii_uppercase)
                    && digits(number, 10..=10).is_some_and(|it| luhn(&it))
            }
            Self::BritishColumbiaPhn => digits(&plain, 10..=10).is_some_and(|it| {
                let rest = weighted(it.get(1..).unwrap_or_default(), &[2, 4, 8, 5, 10, 9, 7, 3]) % 11;
                it.first() == Some(&9) && it.last() == Some(&((11 - rest) % 11))
            }),
        }
    }
}

fn digits(text: &[u8], length: std::ops::RangeInclusive<usize>) -> Option<Vec<u32>> {
    let sound = length.contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    sound.then(|| text.iter().map(|byte| u32::from(byte - b'0')).collect())
}

fn weighted(values: &[u32], weights: &[u32]) -> u32 {
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum()
}

fn nhs(digits: &[u32]) -> bool {
    let check = (11 - weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    check < 10 && digits.last() == Some(&check)
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| digit * 2 / 10 + digit * 2 % 10;
    let sum: u32 = digits.iter().rev().enumerate().map(|(at, digit)| if at % 2 == 1 { doubled(*digit) } else { *digit }).sum();
    sum.is_multiple_of(10)
}

/// Three letters (no I, no O), then two digits and two of: digit and check digit, or letter and check letter (HISO 10046).
fn nhi(text: &[u8]) -> bool {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    let letter = |byte: &u8| LETTERS.iter().position(|known| known == byte).and_then(|at| u32::try_from(at + 1).ok());
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let [a, b, c, d, e, f, check] = text else { return false };
    let head = [letter(a), letter(b), letter(c), digit(d), digit(e), digit(f).or_else(|| letter(f))];
    let Some(values) = head.into_iter().collect::<Option<Vec<u32>>>() else { return false };
    let sum = weighted(&values, &[7, 6, 5, 4, 3, 2]);
    if f.is_ascii_digit() {
        // A rest of 0 is never given out.
        return !sum.is_multiple_of(11) && digit(check) == Some((11 - sum % 11) % 10);
    }
    // The standard's first text divided by 24, the present one by 23: numbers of both are about.
    [23, 24]
        .into_iter()
        .any(|modulus| usize::try_from(modulus - sum % modulus - 1).is_ok_and(|at| LETTERS.get(at) == Some(check)))
}

fn ppsn(text: &[u8]) -> bool {
    let (Some(number), Some(check)) = (text.get(..7), text.get(7)) else { return false };
    let Some(values) = digits(number, 7..=7) else { return false };
    let second = match text.get(8) {
        None | Some(b'W') => 0,
        Some(letter) if letter.is_ascii_uppercase() => u32::from(letter - b'A') + 1,
        Some(_) => return false,
    };
    let rest = (weighted(&values, &[8, 7, 6, 5, 4, 3, 2]) + second * 9) % 23;
    let wanted = if rest == 0 { b'W' } else { b"ABCDEFGHIJKLMNOPQRSTUV".get(rest as usize - 1).copied().unwrap_or_default() };
    text.len() <= 9 && *check == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_test_numbers_hold_and_a_changed_digit_does_not() {
        for (check, number) in [
            (NumberCheck::NhsNumber, "943 476 5919"),
            (NumberCheck::NhsNumber, "9999999999"),
            (NumberCheck::Nhi, "ZZZ0016"),
            (NumberCheck::Nhi, "ZBN77VL"),
            (NumberCheck::Nhi, "ALU18KZ"),
            (NumberCheck::Medicare, "2123 45670 1"),
            (NumberCheck::Ihi, "8003608166690503"),
            (NumberCheck::Ppsn, "1234567T"),
            (NumberCheck::Ppsn, "1234567FA"),
            (NumberCheck::OntarioHealthCard, "1234-567-897-AB"),
            (NumberCheck::BritishColumbiaPhn, "9698658215"),
        ] {
            assert!(check.holds(number), "{number} is a {}", check.name());
            let last = number.rfind(|symbol: char| symbol.is_ascii_digit()).unwrap();
            let digit = number.as_bytes()[last] - b'0';
            let mut changed = number.to_owned();
            changed.replace_range(last..=last, &((digit + 1) % 10).to_string());
            // The tenth digit of a Medicare number is the issue, not the check digit; a letter may check more than one number.
            let unchecked = check == NumberCheck::Medicare || (check == NumberCheck::Nhi && number != "ZZZ0016");
            assert!(unchecked || !check.holds(&changed), "{changed} is no {}", check.name());
            assert!(
                !check.holds("ZZZ0017")
                    && !check.holds("ZBN77VA")
                    && !check.holds("2123456711")
                    && !check.holds("")
                    && !check.holds("12")
                    && !check.holds("ÄÖÜ"),
                "{}",
                check.name()
            );
        }
    }
}
