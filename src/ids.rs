//! Newtype identifiers, so that a message's id is never taken for a referral's.
//!
//! All are ULIDs: they sort by the time they were given, which the store's listings rely on.

use std::{fmt, ops::Deref, str::FromStr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ulid::Ulid;

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Ulid);

        impl $name {
            /// A new id, sorting after every id given in an earlier millisecond.
            #[must_use]
            pub fn generate() -> Self {
                Self(Ulid::new())
            }

            /// The id as bytes, which sort as ids do.
            #[must_use]
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_bytes()
            }
        }

        impl From<[u8; 16]> for $name {
            fn from(bytes: [u8; 16]) -> Self {
                Self(Ulid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ulid::DecodeError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ulid::from_string(text).map(Self)
            }
        }
    };
}

ulid_id!(
    /// Names one message that arrived: its bytes, whatever they turned out to be.
    MessageId
);
ulid_id!(
    /// Names one referral.
    ReferralId
);
ulid_id!(
    /// Names one delivery: one thing owed to one destination.
    DeliveryId
);

/// The name of a channel: the stem of its file in `channels/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelName(String);

impl ChannelName {
    /// Takes a name as it stands.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names content by its SHA-256: `sha256:` and 64 hexadecimal digits. Equal content has one id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BodyId(String);

impl BodyId {
    /// The id of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_digest(&Sha256::digest(bytes).into())
    }

    fn of_digest(digest: &[u8; 32]) -> Self {
        Self(["sha256:", &data_encoding::HEXLOWER.encode(digest)].concat())
    }

    /// The 64 hexadecimal digits alone.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }

    /// The id as text, `sha256:…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Content with its name, which is worked out once, and here alone: nothing can be stored under the name of something else.
#[derive(Clone)]
pub struct Named {
    bytes: Bytes,
    digest: [u8; 32],
}

impl Named {
    /// Its SHA-256.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> BodyId {
        BodyId::of_digest(&self.digest)
    }
}

impl Deref for Named {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

impl From<Bytes> for Named {
    fn from(bytes: Bytes) -> Self {
        let digest = Sha256::digest(&bytes).into();
        Self { bytes, digest }
    }
}

impl fmt::Display for BodyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
