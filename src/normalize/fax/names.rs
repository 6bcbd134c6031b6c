//! Names of people as forms print them: `Lee, Leslie A`, `Leslie A. Lee, MD`, `GARCIA LOPEZ, MARIA`.

use super::lists;
use crate::referral::PersonName;

/// A name that was read.
pub(super) struct ReadName {
    pub(super) name: PersonName,
    /// How sure it is which part is the family name.
    pub(super) trust: f32,
    /// How many words it took.
    pub(super) words: usize,
    /// Which word holds the family name, and which the given name (indices into the words).
    pub(super) family_at: Vec<usize>,
    pub(super) given_at: Vec<usize>,
    /// Whether a professional title (MD, NP) stood behind it.
    pub(super) credentials: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Name,
    Initial,
    Particle,
    Suffix,
    Prefix,
    Credential,
}

/// The name that the words begin with; `None` where they do not look like one.
pub(super) fn read(words: &[&str]) -> Option<ReadName> {
    let mut parts: Vec<(usize, Part, String)> = Vec::new();
    let mut comma: Option<usize> = None;
    let mut prefix = None;
    let mut taken = 0;
    let mut finished = false;
    let mut doubt = 1.0;
    for (at, word) in words.iter().enumerate().take(9) {
        // What ends in a colon is a label: its value is another's.
        let bracketed = word.starts_with('(') && suffix(word).is_none();
        if bracketed || word.ends_with(':') || word.chars().any(|c| c.is_ascii_digit()) || finished {
            break;
        }
        if matches!(*word, "," | "." | "-") {
            if *word == "," && comma.is_none() {
                comma = Some(parts.len());
            }
            taken = at + 1;
            continue;
        }
        let Some((part, text)) = part(word, parts.is_empty()).or_else(|| {
            let capital =
                cut_capital(word).filter(|_| at == 0 && words.get(1).is_some_and(|next| next.starts_with(char::is_uppercase)))?;
            doubt = CUT_TRUST;
            Some((Part::Name, capital))
        }) else {
            break;
        };
        if part == Part::Prefix {
            prefix = Some(text);
        } else {
            parts.push((at, part, text));
        }
        taken = at + 1;
        if word.ends_with(',') && comma.is_none() && part != Part::Credential {
            comma = Some(parts.len());
        }
        finished = word.ends_with(';');
    }
    let read = arrange(&parts, comma, prefix, taken)?;
    Some(ReadName { trust: read.trust * doubt, ..read })
}

/// How far a family name is trusted whose capital was lost: a person must see it.
const CUT_TRUST: f32 = 0.8;

/// `lilingworth,` before a given name is a family name, of whose first letters not much is left.
fn cut_capital(word: &str) -> Option<String> {
    let plain = word.strip_suffix(',').filter(|plain| plain.chars().count() > 3 && plain.chars().all(char::is_alphabetic))?;
    let rest: String = plain.chars().skip(1).collect();
    plain.chars().next().map(|first| match first {
        'l' => format!("I{rest}"),
        first => first.to_uppercase().chain(rest.chars()).collect(),
    })
}

/// What a word is in a name; `None` where it is none.
fn part(word: &str, first: bool) -> Option<(Part, String)> {
    let word = capital_j(&lists::capital_i(word));
    let plain = word.trim_matches(|c: char| !c.is_alphabetic());
    let lower = plain.to_lowercase();
    let lists = lists::words();
    let sound = !plain.is_empty() && plain.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '-' | '\u{2019}' | '.'));
    if !sound || lists.no_name.contains(&lower) {
        return None;
    }
    if lists.prefixes.contains(&lower) && first {
        return Some((Part::Prefix, plain.to_owned()));
    }
    if let Some(suffix) = suffix(plain).filter(|_| !first) {
        return Some((Part::Suffix, suffix));
    }
    let title = lists.credentials.contains(&lower) && !first && (plain.chars().filter(|c| c.is_uppercase()).count() >= 2);
    if title {
        return Some((Part::Credential, plain.to_owned()));
    }
    if lists.particles.contains(&lower) {
        return Some((Part::Particle, plain.to_owned()));
    }
    let capital = plain.chars().next().is_some_and(char::is_uppercase);
    if !capital {
        return None;
    }
    let part = if plain.chars().count() == 1 { Part::Initial } else { Part::Name };
    Some((part, plain.to_owned()))
}

/// `Jr.`, `(Sr)`, `III`; also where the recognizer took some of its I for a small l: no part of a name is spelled `Ill` or `lI`.
pub(super) fn suffix(word: &str) -> Option<String> {
    let plain = word.trim_matches(|c: char| !c.is_alphabetic() && c != '|');
    let roman: String = plain.chars().map(|c| if matches!(c, 'l' | '|') { 'I' } else { c }).collect();
    let misread = matches!(roman.as_str(), "II" | "III" | "IV").then_some(roman);
    let listed = || Some(plain.to_owned()).filter(|plain| lists::words().suffixes.contains(&plain.to_lowercase()));
    misread.or_else(listed)
}

/// `jessop` was `Jessop`: a small j and a capital one look alike, and a name has the capital.
fn capital_j(word: &str) -> String {
    match word.strip_prefix('j') {
        Some(rest) if rest.chars().count() > 1 && rest.starts_with(char::is_lowercase) => format!("J{rest}"),
        _ => word.to_owned(),
    }
}

fn arrange(parts: &[(usize, Part, String)], comma: Option<usize>, prefix: Option<String>, words: usize) -> Option<ReadName> {
    let credentials = parts.iter().any(|(_, part, _)| *part == Part::Credential);
    let suffix = parts.iter().find(|(_, part, _)| *part == Part::Suffix).map(|(_, _, text)| text.clone());
    let core = |range: &[(usize, Part, String)]| -> Vec<(usize, Part, String)> {
        range.iter().filter(|(_, part, _)| matches!(part, Part::Name | Part::Initial | Part::Particle)).cloned().collect()
    };
    let cut = comma.unwrap_or(0).min(parts.len());
    let (before, mut after) = (core(&parts[..cut]), core(&parts[cut..]));
    let full = |list: &[(usize, Part, String)]| list.iter().filter(|(_, part, _)| *part == Part::Name).count();
    // "Jill Marchetti, MO": two letters in capitals behind a whole name are a title that was misread, and no given name.
    let misread = full(&before) > 1 && after.len() == 1 && after.iter().all(|(_, _, text)| is_abbreviation(text));
    let spelled = before.iter().any(|(_, _, text)| text.contains(char::is_lowercase));
    if misread && spelled {
        after.clear();
    }
    let all = if after.is_empty() { before.clone() } else { core(parts) };
    let (family, given, mut trust) = if full(&before) > 0 && !after.is_empty() && after.len() <= 4 {
        (before, after, 1.0)
    } else {
        let at = family_from(&all)?;
        let (given, family) = all.split_at(at);
        // Three whole names without a comma: the middle one may belong to either side.
        let sure = if full(&all) > 2 { 0.9 } else { 1.0 };
        (family.to_vec(), given.to_vec(), sure)
    };
    if full(&family) == 0 || given.is_empty() || full(&family) > 3 {
        return None;
    }
    if given.first().is_some_and(|(_, part, _)| *part == Part::Initial) && full(&given) == 0 {
        trust *= 0.9;
    }
    let join = |list: &[(usize, Part, String)]| list.iter().map(|(_, _, text)| text.as_str()).collect::<Vec<_>>().join(" ");
    let (first, middle) = given.split_at(1);
    let name = PersonName {
        family: Some(join(&family)),
        given: Some(join(first)),
        middle: Some(join(middle)).filter(|text| !text.is_empty()),
        suffix,
        prefix,
    };
    let places = |list: &[(usize, Part, String)]| list.iter().map(|(at, _, _)| *at).collect();
    Some(ReadName { name, trust, words, family_at: places(&family), given_at: places(first), credentials })
}

fn is_abbreviation(text: &str) -> bool {
    text.chars().count() <= 4 && text.chars().all(|c| c.is_uppercase() || matches!(c, '.' | '-'))
}

/// Where the family name begins in `Given Middle von Family`.
fn family_from(parts: &[(usize, Part, String)]) -> Option<usize> {
    if parts.len() < 2 {
        return None;
    }
    let particle = parts.iter().enumerate().skip(1).find(|(_, (_, part, _))| *part == Part::Particle).map(|(at, _)| at);
    Some(particle.unwrap_or(parts.len() - 1))
}

/// One part of a name in a cell of its own: `Lee`, `De La Cruz`, `O'Neil`.
pub(super) fn single(words: &[&str]) -> Option<(String, usize)> {
    let taken: Vec<String> = words
        .iter()
        .take(3)
        .map(|word| capital_j(&lists::capital_i(word.trim_matches(|c: char| matches!(c, ',' | ';' | '.' | ':')))))
        .take_while(|word| part(word, false).is_some_and(|(part, _)| matches!(part, Part::Name | Part::Initial | Part::Particle)))
        .collect();
    let starts = taken.first()?.chars().next()?;
    (starts.is_alphabetic()).then(|| (taken.join(" "), taken.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<(String, String)> {
        let words: Vec<&str> = text.split(' ').collect();
        read(&words).map(|read| (read.name.family.unwrap_or_default(), read.name.given.unwrap_or_default()))
    }

    #[test]
    fn names_are_read_either_way_round() {
        for text in [
            "Lee, Leslie",
            "Leslie Lee",
            "LEE, LESLIE A",
            "Leslie A. Lee, MD",
            "Dr. Leslie Lee",
            "Leslie Lee MD",
            "Lee, Leslie (NPI 1783266160)",
        ] {
            let (family, given) = name(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((family.to_lowercase().as_str(), given.to_lowercase().as_str()), ("lee", "leslie"), "{text}");
        }
    }

    #[test]
    fn a_family_name_whose_capital_was_lost_is_read_and_doubted() {
        let found = read(&["lilingworth,", "Rufus"]).unwrap();
        assert_eq!((found.name.family.as_deref(), found.name.given.as_deref()), (Some("Iilingworth"), Some("Rufus")));
        assert!(found.trust < 0.9);
        assert!(read(&["see,", "attached"]).is_none());
    }

    #[test]
    fn a_numeral_behind_a_name_is_its_suffix_however_its_strokes_were_read() {
        for (text, suffix) in [
            ("Lee, Leslie J III", "III"),
            ("Lee, Leslie J Ill", "III"),
            ("Lee, Leslie J lll", "III"),
            ("Lee, Leslie J Il", "II"),
            ("Lee, Leslie J lV", "IV"),
            ("Leslie J Lee, Jr.", "Jr"),
            ("Lee, Leslie J (Sr.)", "Sr"),
        ] {
            let read = read(&text.split(' ').collect::<Vec<_>>()).unwrap();
            assert_eq!(read.name.suffix.as_deref(), Some(suffix), "{text}");
            assert_eq!((read.name.family.as_deref(), read.name.middle.as_deref()), (Some("Lee"), Some("J")), "{text}");
        }
        assert_eq!(name("Il, Leslie"), Some(("Il".to_owned(), "Leslie".to_owned())), "where a family name stands it is one");
        assert_eq!(single(&["Lee", "Ill"]), Some(("Lee".to_owned(), 1)));
    }

    #[test]
    fn particles_and_double_names_stay_with_the_family() {
        assert_eq!(name("Maria de la Cruz"), Some(("de la Cruz".to_owned(), "Maria".to_owned())));
        assert_eq!(name("Garcia Lopez, Maria"), Some(("Garcia Lopez".to_owned(), "Maria".to_owned())));
    }

    #[test]
    fn a_name_of_three_words_without_a_comma_is_doubted() {
        let read = read(&["Maria", "Garcia", "Lopez"]).unwrap();
        assert!(read.trust < 0.95);
    }

    #[test]
    fn sentences_and_numbers_are_no_names() {
        assert_eq!(name("presents with chest pain"), None);
        assert_eq!(name("5202708"), None);
        assert_eq!(name("Lee"), None);
    }
}
