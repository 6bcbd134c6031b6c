//! The integration tests, in one binary: real servers, real sockets, real folders.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod mail;
