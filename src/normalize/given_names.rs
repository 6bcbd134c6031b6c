//! The names that people in the United States are given (Census of 1990, public domain), without those that are words of a letter.
//!
//! Who is called otherwise is a person all the same: that a word is no such name says nothing by itself.

use std::{collections::HashSet, sync::LazyLock};

use super::fax::folded;

static NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("given_names.txt").split_ascii_whitespace().collect());
static FOLDED: LazyLock<HashSet<String>> = LazyLock::new(|| NAMES.iter().map(|name| folded(name)).collect());

/// Whether a word, in lower case, is one of them.
pub(super) fn is_given_name(word: &str) -> bool {
    NAMES.contains(word)
}

/// Whether a word is none of them, and is one as soon as letters are changed that text recognition confuses: `Deiphine`.
pub(super) fn is_like_a_given_name(word: &str) -> bool {
    !is_given_name(&word.to_lowercase()) && FOLDED.contains(&folded(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_and_a_misread_one_is_like_it() {
        assert!(is_given_name("delphine") && !is_given_name("fell") && !is_given_name("will"));
        for (word, like) in [("Deiphine", true), ("De1phine", true), ("DELPHINE", false), ("Delphine", false), ("Okafor", false)]
        {
            assert_eq!(is_like_a_given_name(word), like, "{word}");
        }
    }
}
