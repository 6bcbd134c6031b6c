//! The `loopline` program.

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((command, rest)) if command == "reader-worker" => loopline::commands::reader_worker::run(rest),
        _ => anyhow::bail!("usage: loopline reader-worker --dump FILE"),
    }
}
