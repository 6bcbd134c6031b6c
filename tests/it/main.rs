//! The integration tests: the real program, real processes, real files. One binary, so that they link once.

mod reader;
