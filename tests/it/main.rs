//! The integration tests, in one binary: the real engine on port 0, the real store, real files, sockets and processes.
#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a test that cannot go on fails where it stands")]
#![expect(unreachable_pub, reason = "a test binary is reached by nobody")]

mod acts;
mod answers;
mod batches;
mod certificates;
mod channel_test;
mod charsets;
mod cover;
mod crash;
mod documents;
mod fax;
mod forms;
mod harness;
mod hl7;
mod interop;
mod letters;
mod mail;
mod mail_in;
mod main_job;
mod matching;
mod mllp_connection;
mod mllp_out;
mod onward;
mod operations;
mod people;
mod privacy;
mod reader;
mod samples;
mod tidy;
mod tls;
mod tls_peers;
mod told;
mod unexpected;
