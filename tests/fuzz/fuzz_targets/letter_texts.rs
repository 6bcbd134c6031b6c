#![no_main]
//! Any bytes as a letter: its words are read once through, and are never more than its bytes can say.

use libfuzzer_sys::fuzz_target;
use loopline::protocols::{
    markup::{self, Markup},
    rtf,
};

fuzz_target!(|content: &[u8]| {
    assert!(rtf::text(content).len() <= content.len() * 4);
    let source = String::from_utf8_lossy(content);
    for markup in [Markup::Html, Markup::Cda] {
        assert!(markup::text(&source, markup).len() <= source.len() * 2);
    }
});
