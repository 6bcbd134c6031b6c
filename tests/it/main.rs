//! The integration tests: one binary, real files, real sockets, real processes.

mod tidy;
