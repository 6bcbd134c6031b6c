//! Wire formats and page images: knows nothing of referrals, channels or the store; no `crate::` at all.

pub mod codes;
pub mod hl7;
pub mod lz4;
pub mod maildir;
pub mod markup;
pub mod mllp;
pub mod ocr;
pub mod pages;
pub mod rtf;
pub mod tls;
