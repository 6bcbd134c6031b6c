//! The `loopline` program.

fn main() {}
