//! The codes of ICD-10-CM: which of those that look like one there are.
//!
//! `icd10cm-2026.zst` holds the codes and categories of the fiscal year 2026 (in force from October 2025, with the additions of April
//! 2026) as published by the Centers for Medicare and Medicaid Services, in the public domain: sorted, without dots, one a line, each as
//! how many characters it shares with the line before and the rest, packed with zstd. Codes of earlier years stay known by their category.

use std::sync::LazyLock;

/// More than the list unpacks to.
const UNPACKED_BYTES_MAX: usize = 2 * 1024 * 1024;

static CODES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let packed = include_bytes!("icd10cm-2026.zst");
    let unpacked =
        zstd::bulk::decompress(packed, UNPACKED_BYTES_MAX).expect("the list is part of the program and a test reads it");
    let mut codes: Vec<String> = Vec::new();
    for line in unpacked.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok()) {
        let mut rest = line.chars();
        let Some(shared) = rest.next().and_then(|digit| digit.to_digit(10)) else { continue };
        let start: String = codes.last().map(|last| last.chars().take(shared as usize).collect()).unwrap_or_default();
        codes.push(start + rest.as_str());
    }
    codes
});

/// Whether a code, with or without its dot, is on the list.
pub(super) fn is_listed(code: &str) -> bool {
    let plain: String = code.chars().filter(|c| *c != '.').collect();
    CODES.binary_search(&plain).is_ok()
}

/// Whether a code is a category of three characters that is divided further: what stood behind its dot may have been lost.
pub(super) fn is_divided(code: &str) -> bool {
    let next = CODES.binary_search_by(|known| known.as_str().cmp(code)).map(|at| at + 1);
    code.len() == 3 && next.is_ok_and(|at| CODES.get(at).is_some_and(|known| known.starts_with(code)))
}

/// The one listed code that a code becomes when one character is put back that is often taken for another; `None` for none or several.
pub(super) fn repaired(code: &str) -> Option<String> {
    const TAKEN: [(char, &str); 16] = [
        ('0', "O8D"),
        ('1', "I7"),
        ('2', "Z"),
        ('5', "S6"),
        ('6', "G85"),
        ('8', "B36"),
        ('3', "89"),
        ('7', "1"),
        ('9', "34"),
        ('4', "9"),
        ('S', "5"),
        ('B', "8"),
        ('Z', "2"),
        ('G', "6"),
        ('O', "0"),
        ('I', "1"),
    ];
    let chars: Vec<char> = code.chars().collect();
    let mut found: Vec<String> = Vec::new();
    for (at, c) in chars.iter().enumerate().skip(1) {
        let others = TAKEN.iter().find(|(read, _)| read == c).map_or("", |(_, others)| others);
        for other in others.chars() {
            let changed: String = chars.iter().enumerate().map(|(place, c)| if place == at { other } else { *c }).collect();
            if is_listed(&changed) {
                found.push(changed);
            }
        }
    }
    if found.len() == 1 { found.pop() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole() {
        assert!(CODES.len() > 90_000, "{} codes", CODES.len());
        assert!(CODES.is_sorted());
        for code in ["I10", "K21.9", "E11.65", "M54.5", "M54.50", "C7A.1", "S72.001A", "Z23"] {
            assert!(is_listed(code), "{code}");
        }
        assert!(is_divided("D69") && !is_divided("I10") && !is_divided("D69.6"));
        for code in ["K99.9", "I19", "A00.7", "XYZ"] {
            assert!(!is_listed(code), "{code}");
        }
    }

    #[test]
    fn a_misread_character_is_put_back_only_where_one_code_is_left() {
        assert_eq!(repaired("D50.B"), Some("D50.8".to_owned()));
        assert_eq!(repaired("W99.Q"), None);
    }
}
