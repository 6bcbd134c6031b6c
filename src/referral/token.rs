//! The token that ties a reply to the request it answers: unforgeable, safe in a mail address.
//!
//! `<reference>-<16 base32 characters>`: the first 80 bits of an HMAC-SHA-256 of the reference under a key that only this
//! engine has. All lower case, because mail servers change case; read in any case.
//!
//! The specialist's and the sender's token of a referral differ: who was sent the one cannot answer in the place of the other.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Reference;

/// The engine's key. Never printed.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

/// Whose answer a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// The desk that was asked.
    Specialist,
    /// Who sent the referral, and was told what was read.
    Sender,
}

/// A token that verified, or was just made.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    reference: Reference,
    answerer: Answerer,
    text: String,
}

impl TokenKey {
    /// Takes 32 secret bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn mac(&self, reference: &Reference, answerer: Answerer) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(match answerer {
            Answerer::Specialist => b"loopline reply token 1\0",
            Answerer::Sender => b"loopline check token 1\0",
        });
        mac.update(reference.as_str().as_bytes());
        mac
    }

    /// The token of a referral for the specialist.
    #[must_use]
    pub fn token(&self, reference: &Reference) -> Token {
        self.token_for(reference, Answerer::Specialist)
    }

    /// The token of a referral for one of the two who answer.
    #[must_use]
    pub fn token_for(&self, reference: &Reference, answerer: Answerer) -> Token {
        let tag = self.mac(reference, answerer).finalize().into_bytes();
        let tag = data_encoding::BASE32_NOPAD.encode(&tag[..10]);
        Token { reference: reference.clone(), answerer, text: format!("{reference}-{tag}").to_ascii_lowercase() }
    }

    /// Takes a text for a token if this engine made it. A forged one is none.
    #[must_use]
    pub fn verify(&self, text: &str) -> Option<Token> {
        let (reference, tag) = text.trim().rsplit_once('-')?;
        let reference: Reference = reference.parse().ok()?;
        let tag = data_encoding::BASE32_NOPAD.decode(tag.to_ascii_uppercase().as_bytes()).ok()?;
        if tag.len() != 10 {
            return None;
        }
        let made_for = |answerer: &Answerer| self.mac(&reference, *answerer).verify_truncated_left(&tag).is_ok();
        let answerer = [Answerer::Specialist, Answerer::Sender].into_iter().find(made_for)?;
        Some(self.token_for(&reference, answerer))
    }

    /// The first token of this engine's in a text, wherever it stands in it.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Token> {
        let lower = text.to_ascii_lowercase();
        lower.match_indices("ll-").find_map(|(at, _)| {
            let candidate: String = lower.get(at..)?.chars().take(12 + 17).collect();
            self.verify(&candidate)
        })
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey { secret }")
    }
}

impl Token {
    /// The referral it names.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Whose answer it stands for.
    #[must_use]
    pub fn answerer(&self) -> Answerer {
        self.answerer
    }

    /// The text, lower case: `ll-7k3m-q9xd-…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_any_case_and_a_forged_one_is_not() {
        let key = TokenKey::new([7; 32]);
        let reference = Reference::generate();
        let token = key.token(&reference);
        let mail = format!("To: <Referrals+{}@clinic.example>", token.as_str().to_uppercase());
        assert_eq!(key.find(&mail).unwrap().reference(), &reference);
        assert!(TokenKey::new([8; 32]).find(&mail).is_none());
        assert!(key.find(&format!("{reference}-AAAAAAAAAAAAAAAA")).is_none());
        assert!(key.find(reference.as_str()).is_none());
        let other = key.token_for(&reference, Answerer::Sender);
        assert_eq!((key.verify(other.as_str()).unwrap().answerer(), token.answerer()), (Answerer::Sender, Answerer::Specialist));
        assert_ne!(other.as_str(), token.as_str());
    }
}
