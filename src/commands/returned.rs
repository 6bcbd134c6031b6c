//! A page of ours that came back, for the person who looks: what is ticked, and which blanks are written in.

use serde_json::Value;

use super::print;

/// Prints the pages of ours that came back in a message, with every image that can be had of them.
pub(super) fn show(message: &Value) {
    let mut number = 0;
    for page in message["returned"].as_array().into_iter().flatten() {
        let form = match print::text(page, "/form").as_str() {
            "" => "a page of ours whose boxes were not found".to_owned(),
            form => format!("our {form} page"),
        };
        print::say(&format!("\n{form} came back, on page {}", print::text(page, "/page")));
        let boxes = page["boxes"].as_array().into_iter().flatten();
        let boxes = boxes.map(|one| ["/name", "/tick", "/ink", "/box"].map(|part| print::text(one, part)).to_vec());
        print::table(&["BOX", "IS", "INK", "WHERE"], &boxes.collect::<Vec<_>>(), "no boxes");
        let mut images = vec![vec![(number + 1).to_string(), "the whole page".to_owned(), String::new()]];
        for written in page["writing"].as_array().into_iter().flatten() {
            let row = (number + 1 + images.len()).to_string();
            images.push(vec![row, print::text(written, "/name"), print::text(written, "/box")]);
        }
        number += images.len();
        print::table(&["IMAGE", "SHOWS", "WHERE"], &images, "no images");
    }
    if number > 0 {
        print::say(&format!("look at one: loopline messages show {} --image NUMBER > image.png", print::text(message, "/id")));
    }
}

/// Prints where a person finds what is written by hand on the page of one reply.
pub(super) fn show_writing(message: &str, page: &Value) {
    let blanks: Vec<String> =
        page["writing"].as_array().into_iter().flatten().map(|written| print::text(written, "/name")).collect();
    let written = if blanks.is_empty() { String::new() } else { format!("; written by hand: {}", blanks.join(", ")) };
    print::say(&format!("  it is page {}{written}", print::text(page, "/page")));
    print::say(&format!("  see the boxes and the writing: loopline messages show {message}"));
}
