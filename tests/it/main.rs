//! The integration tests, in one binary: real servers, real sockets, real folders.

mod mail;
