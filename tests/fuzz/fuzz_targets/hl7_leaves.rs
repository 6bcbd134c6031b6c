#![no_main]
//! Any text as a leaf of a message: escapes are undone without growing beyond bounds and encoding is undone by decoding; what is read as a
//! date is one, and is read the same again from its ISO form's digits.

use libfuzzer_sys::fuzz_target;
use loopline::protocols::hl7::{Delimiters, decode, encode, read_date};

fuzz_target!(|text: &str| {
    let delimiters = Delimiters::default();
    assert!(decode(text, &delimiters).len() <= text.len() * 2 + 1, "a sequence grew");
    let plain: String = text.chars().filter(|symbol| !symbol.is_control()).collect();
    assert_eq!(decode(&encode(&plain, &delimiters), &delimiters), plain.as_str());
    if let Ok(date) = read_date(text) {
        let day: String = date.iso.chars().take(10).filter(char::is_ascii_digit).collect();
        let again = read_date(&day).expect("the day of a date is a date");
        assert!(date.iso.starts_with(&again.iso));
    }
});
