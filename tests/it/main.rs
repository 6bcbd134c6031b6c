//! The integration tests: the real program, real processes, real files. One binary, so that they link once.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod reader;
