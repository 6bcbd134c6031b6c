//! Phone numbers by the region's rules.
//!
//! # Design notes
//! Where the region is in the North American plan, a number needs its shape (ten digits, area and exchange not beginning with 0 or 1); whether
//! the area code is assigned today is not asked, since codes are opened faster than a library's table is renewed.

use std::str::FromStr;

use super::dates::digits;

/// A phone number that was read.
pub(super) struct ReadPhone {
    /// E.164 where the region allows it, else as printed.
    pub(super) number: String,
    /// Whether the region's rules allow it.
    pub(super) sound: bool,
    /// Whether letters were read as digits.
    pub(super) repaired: bool,
    /// How many words it took.
    pub(super) words: usize,
}

/// The number that the words begin with.
pub(super) fn read(words: &[&str], region: &str) -> Option<ReadPhone> {
    let longest = (1..=words.len().min(5)).rev();
    let mut fallback = None;
    for count in longest {
        let Some(text) = words.get(..count).map(|parts| parts.join(" ")) else { continue };
        let Some((plain, repaired)) = dialled(&text) else { continue };
        if let Some(number) = valid(&plain, region) {
            return Some(ReadPhone { number, sound: true, repaired, words: count });
        }
        if fallback.is_none() && (9..=12).contains(&plain.trim_start_matches('+').len()) {
            fallback = Some(ReadPhone { number: text, sound: false, repaired, words: count });
        }
    }
    fallback
}

/// The digits of what looks like a phone number: digits, brackets, dots, dashes, blanks, and at most a few letters that OCR took for digits.
fn dialled(text: &str) -> Option<(String, bool)> {
    let text = text.trim_end_matches([',', ';', '.', ')']);
    let mut plain = String::new();
    let mut repaired = 0;
    for c in text.chars() {
        match c {
            '0'..='9' => plain.push(c),
            '+' if plain.is_empty() => plain.push(c),
            '(' | ')' | '{' | '}' | '[' | ']' | '-' | '.' | ' ' | '/' | '\u{2013}' | '\u{2014}' | '~' | ',' | '*' | '\u{b7}' => {}
            other => {
                let (digit, _) = digits(&other.to_string())?;
                plain.push_str(&digit);
                repaired += 1;
            }
        }
    }
    (repaired <= 2).then_some((plain, repaired > 0))
}

fn valid(plain: &str, region: &str) -> Option<String> {
    let country = phonenumber::country::Id::from_str(region).ok()?;
    let parsed = phonenumber::parse(Some(country), plain).ok()?;
    let national = parsed.national().value().to_string();
    let sound = if parsed.code().value() == 1 {
        let at = |place: usize| national.as_bytes().get(place).is_some_and(|digit| *digit >= b'2');
        national.len() == 10 && at(0) && at(3)
    } else {
        phonenumber::is_valid(&parsed)
    };
    sound.then(|| parsed.format().mode(phonenumber::Mode::E164).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> Option<(String, bool)> {
        let words: Vec<&str> = text.split(' ').collect();
        read(&words, "US").map(|read| (read.number, read.sound))
    }

    #[test]
    fn numbers_are_read_as_forms_print_them() {
        for text in [
            "(415) 253-7700",
            "415-253-7700",
            "415.253.7700",
            "+1 415 253 7700",
            "1-415-253-7700",
            "(415)253-7700 Fax",
            "{415) 253-77OO",
        ] {
            assert_eq!(us(text), Some(("+14152537700".to_owned(), true)), "{text}");
        }
    }

    #[test]
    fn a_number_with_a_digit_too_few_is_kept_as_printed_and_fails_its_check() {
        assert_eq!(us("415-253-770"), Some(("415-253-770".to_owned(), false)));
        assert_eq!(us("(115) 253-7700").map(|read| read.1), Some(false));
    }

    #[test]
    fn what_is_no_number_is_none() {
        assert_eq!(us("Leslie Lee"), None);
        assert!(!us("11/01/1934").is_some_and(|read| read.1));
    }

    #[test]
    fn another_region_has_its_own_rules() {
        let read = read(&["020", "7946", "0018"], "GB").unwrap();
        assert_eq!((read.number.as_str(), read.sound), ("+442079460018", true));
    }
}
