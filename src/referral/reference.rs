//! The reference number that people read out, print and quote: `LL-7K3M-Q9XD`.
//!
//! Seven random Crockford base32 characters and a check character: 35 bits. The store makes sure that none is given twice.
//!
//! # Design notes
//! The check character is the weighted sum of the seven values modulo 31 (the largest prime under 32): it catches every
//! wrong character but one pair (31 is congruent to 0, so `Z` for `0`) and every swap of neighbours. Crockford's own check
//! uses 37 symbols, five of which (`*~$=U`) do not survive a fax or a phone call.

use std::{fmt, str::FromStr};

use rand::Rng;
use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A reference number, always well formed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference(String);

/// The text is not a reference number.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReferenceError {
    /// It has another shape.
    #[error("not a reference number: it should look like LL-7K3M-Q9XD")]
    Shape,
    /// One of its characters was misread.
    #[error("not a reference number of ours: the check character does not fit, so a character was misread")]
    Check,
}

impl Reference {
    /// A fresh one.
    #[must_use]
    pub fn generate() -> Self {
        let mut rng = rand::rng();
        let mut values = [0_u8; 7];
        values.fill_with(|| rng.random_range(0..32));
        Self::of(values)
    }

    fn of(values: [u8; 7]) -> Self {
        let symbol = |v: u8| char::from(ALPHABET[usize::from(v)]);
        let body: Vec<char> = values.iter().copied().chain([check(&values)]).map(symbol).collect();
        Self(format!("LL-{}-{}", body[..4].iter().collect::<String>(), body[4..].iter().collect::<String>()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(values: &[u8; 7]) -> u8 {
    let sum: u32 = values.iter().zip(2_u32..).map(|(value, weight)| u32::from(*value) * weight).sum();
    u8::try_from(sum % 31).expect("a remainder of 31 fits a byte")
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// Reads one as people write it: in any case, with or without `LL` and dashes, `O` for `0`, `I` and `L` for `1`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
        let body = match plain.len() {
            8 => plain.as_str(),
            10 => plain.strip_prefix("LL").ok_or(ReferenceError::Shape)?,
            _ => return Err(ReferenceError::Shape),
        };
        let mut values = [0_u8; 8];
        for (slot, symbol) in values.iter_mut().zip(body.bytes()) {
            let symbol = match symbol {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let at = ALPHABET.iter().position(|known| *known == symbol).ok_or(ReferenceError::Shape)?;
            *slot = u8::try_from(at).expect("the alphabet has 32 symbols");
        }
        let mut head = [0_u8; 7];
        head.copy_from_slice(&values[..7]);
        if check(&head) != values[7] {
            return Err(ReferenceError::Check);
        }
        Ok(Self::of(head))
    }
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_back_as_people_write_it() {
        for _ in 0..200 {
            let reference = Reference::generate();
            let text = reference.as_str();
            assert_eq!(text.parse(), Ok(reference.clone()));
            assert_eq!(text.to_lowercase().replace('-', " ").parse(), Ok(reference.clone()));
            assert_eq!(text.trim_start_matches("LL-").replace('0', "O").replace('1', "l").parse(), Ok(reference.clone()));
        }
    }

    #[test]
    fn a_misread_character_is_noticed() {
        let reference: Reference = Reference::of([7, 20, 3, 19, 22, 9, 28]);
        for at in [3, 4, 5, 6, 8, 9, 10] {
            let mut bytes = reference.as_str().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'8' { b'B' } else { b'8' };
            let wrong = String::from_utf8(bytes).unwrap();
            assert_eq!(wrong.parse::<Reference>(), Err(ReferenceError::Check), "{wrong}");
        }
        let mut swapped = reference.as_str().as_bytes().to_vec();
        swapped.swap(3, 4);
        assert_eq!(String::from_utf8(swapped).unwrap().parse::<Reference>(), Err(ReferenceError::Check));
    }
}
