//! The pages of a fax, for the person who looks: what each is, which document it belongs to, and how to say otherwise.

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use super::print;

/// Page numbers that one fax can have at most, so that a slip is no long list.
const PAGE_MAX: u32 = 10_000;

/// `loopline messages split`
#[derive(Debug, Args)]
pub struct SplitArgs {
    /// The message's id.
    pub(super) id: String,
    /// The pages of each document: `1-3 4,6`; none: as it was proposed. A page in none of them is set apart and goes to nobody.
    #[arg(value_name = "PAGES")]
    documents: Vec<String>,
    /// Who decides; kept with the message.
    #[arg(long, env = "USER", default_value = "unknown")]
    pub(super) by: String,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

impl SplitArgs {
    /// The pages of each document, as numbers.
    pub(super) fn pages(&self) -> anyhow::Result<Vec<Vec<u32>>> {
        self.documents.iter().map(|text| pages(text)).collect()
    }
}

fn pages(text: &str) -> anyhow::Result<Vec<u32>> {
    let wrong = || format!("{text}: write the pages of a document as 1-3,5");
    let mut found = Vec::new();
    for piece in text.split(',') {
        let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
        let (first, last): (u32, u32) = (first.parse().with_context(wrong)?, last.parse().with_context(wrong)?);
        anyhow::ensure!(first >= 1 && first <= last && last <= PAGE_MAX, wrong());
        found.extend(first..=last);
    }
    Ok(found)
}

/// Prints what the pages of a message are.
pub(super) fn show(message: &Value) {
    let Some(pages) = message["pages"].as_array().filter(|pages| !pages.is_empty()) else { return };
    let rows: Vec<Vec<String>> = pages
        .iter()
        .map(|page| {
            let document = print::text(page, "/document");
            let document = if document.is_empty() { "set apart".to_owned() } else { document };
            vec![print::text(page, "/page"), print::text(page, "/kind"), document, print::text(page, "/evidence")]
        })
        .collect();
    print::say("");
    print::table(&["PAGE", "IS", "DOCUMENT", "TOLD BY"], &rows, "no pages");
    let several = pages.iter().any(|page| page["document"].as_u64() > Some(1));
    if several && message["state"] == "held" {
        let id = print::text(message, "/id");
        print::say("this is how it is proposed to be taken apart; look at it first: loopline messages export ID --pdf");
        print::say(&format!("  it is right:     loopline messages split {id}"));
        print::say(&format!("  say otherwise:   loopline messages split {id} 1-3 4,5   (the pages of each document)"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_written_as_people_write_them() {
        assert_eq!(pages("1-3,5").unwrap(), [1, 2, 3, 5]);
        for wrong in ["", "0", "3-1", "a", "1,,2", "1-99999999"] {
            assert!(pages(wrong).is_err(), "{wrong}");
        }
    }
}
