//! The integration tests, in one binary: the real engine on port 0, the real store, real files, sockets and processes.

mod crash;
mod harness;
mod mail;
mod main_job;
mod operations;
mod privacy;
mod reader;
mod tidy;
