//! The commands of the program, one file each.

pub mod reader_worker;
pub mod try_file;
