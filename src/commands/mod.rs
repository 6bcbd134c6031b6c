//! The commands of the program, one file each.

pub mod check;
pub mod deliveries;
pub mod form;
pub mod messages;
mod pages;
pub mod print;
pub mod reader_worker;
pub mod referrals;
mod returned;
pub mod run;
pub mod send;
pub mod test;
pub mod try_file;
