//! The replier's words as sentences: signature off, lines joined where they were only wrapped, spelling evened out.

use std::sync::LazyLock;

use regex::Regex;

use crate::normalize::given_names::is_given_name;

/// One sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    /// As it was written.
    pub(super) original: String,
    /// Whether it ends with a question mark.
    pub(super) question: bool,
    /// Whether a mark of lists stands before it.
    pub(super) listed: bool,
}

fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is fixed and compiles")
}

static ABBREVIATION: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)\b(dr|mr|mrs|ms|st|appt|apt|pt|dept|approx|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|mon|tues?|wed|thurs?|fri)\.",
    )
});
static INITIAL: LazyLock<Regex> = LazyLock::new(|| fixed(r"\b([A-Z])\."));
static HALF: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?i)\b([ap])\.\s?m\b\.?"));
static END: LazyLock<Regex> = LazyLock::new(|| fixed(r"[.!?;]+(?:\s+|$)"));
static CLOSING: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)^(?:many thanks|thanks|thank you|thx|with thanks|(?:with )?(?:best|kind|kindest|warm) (?:regards|wishes)|regards|best|(?:yours )?sincerely|yours faithfully|respectfully|cheers|yours truly|have an? (?:good|great|nice|lovely|wonderful|blessed) (?:day|week|weekend|evening))(?: so much| very much| again| in advance)?\s*[,.!]*$",
    )
});

/// Closings that nobody writes but above a name.
static FORMAL: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?i)\b(?:regards|sincerely|respectfully|yours truly)\b"));

/// A line that can go on with what the one before is about.
static BEGINS_WITH_DATE: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)^(?:(?:on )?\d{1,4}[/.-]\d{1,2}\b|(?:mon|tues?|wed(?:nes)?|thurs?|fri|satur|sun)(?:day)?,? \S*\d|(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.? \d)",
    )
});
/// `Time: 10:30 am`, below a line with the day.
static BEGINS_WITH_TIME: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?i)^(?:appt |appointment )?time\s*:?\s*\d{1,2}(?::\d\d)?"));
/// A day or a time of day: no name and no address has one.
static NAMES_DATE: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)\b\d{1,4}[/.-]\d{1,2}(?:[/.-]\d{1,4})?\b|\b\d{1,2}:\d{2}\b|\b\d{1,4} ?(?:am|pm|a\.m|p\.m|o'clock)\b|\b(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.? \d|\b\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b",
    )
});
/// Numbers of telephones, which have the form of dates in places.
static TELEPHONE: LazyLock<Regex> =
    LazyLock::new(|| fixed(r"(?:\+?1[ .-]?)?\(?\b\d{3}\)?[ .-]{0,2}\d{3}[ .-]\d{4}\b|\b\d{3}-\d{4}\b|\b\d{5}-\d{4}\b"));

/// `N/S`, `R/S`: no show, rescheduled.
static ABBREVIATED: LazyLock<Regex> = LazyLock::new(|| fixed(r"^[A-Za-z]/[A-Za-z]\.?$"));
/// `appointment: yes` begins anew, in whatever case.
static LABELLED: LazyLock<Regex> = LazyLock::new(|| fixed(r"^[A-Za-z][A-Za-z ]{2,30}:"));
/// How a question begins, with or without its mark.
static ASKS: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)^(?:(?:is|was|are|were|did|does|do|will) (?:this|that|it|she|he|they|we|you|the|her|his|your|patient|pt|referral|dr)\b|(?:has|have) (?:this|she|he|they|we|you|anyone|somebody|someone|anybody|her|his|your|pt|patient)\b|(?:has|have) (?:the|it|that|this) (?:\S+ ){0,2}been\b|(?:can|could|would|should) (?:this|that|it|she|he|they|we|the|her|his|pt|patient)\b)",
    )
});

/// The most lines a signature has.
const SIGNATURE_LINES_MAX: usize = 15;

/// Splits words into sentences, without the signature below them. `says` tells whether a text states something.
pub(super) fn sentences(words: &str, says: impl Fn(&str) -> bool) -> Vec<Sentence> {
    let words = words.replace('\u{a0}', " ");
    let lines: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let own = lines.len() - signature_lines(&lines, says);
    let mut text: Vec<String> = Vec::new();
    for line in lines.iter().take(own) {
        let begins =
            (line.chars().next().is_some_and(char::is_lowercase) && !LABELLED.is_match(line)) || BEGINS_WITH_DATE.is_match(line);
        let is_time = BEGINS_WITH_TIME.is_match(line) && text.last().is_some_and(|before| NAMES_DATE.is_match(before));
        let wrapped = is_time
            || begins
                && text.last().is_some_and(|before| !before.ends_with(['.', '!', '?', ':', ';']) && !NAMES_DATE.is_match(before));
        match text.last_mut().filter(|_| wrapped) {
            Some(before) if is_time => {
                let time = line.find(char::is_whitespace).filter(|_| !line.to_lowercase().starts_with("time"));
                *before = format!("{before} {}", time.and_then(|at| line.get(at..)).unwrap_or(line).trim());
            }
            Some(before) => *before = format!("{before} {line}"),
            None => text.push((*line).to_owned()),
        }
    }
    text.iter().flat_map(|line| split(line)).collect()
}

fn split(line: &str) -> Vec<Sentence> {
    let line = HALF.replace_all(line, "${1}m");
    let line = ABBREVIATION.replace_all(&line, "$1");
    let line = INITIAL.replace_all(&line, "$1");
    let mut sentences = Vec::new();
    let mut from = 0;
    for end in END.find_iter(&line) {
        push(&mut sentences, line.get(from..end.start()).unwrap_or_default(), end.as_str().contains('?'));
        from = end.end();
    }
    push(&mut sentences, line.get(from..).unwrap_or_default(), false);
    sentences
}

fn push(sentences: &mut Vec<Sentence>, text: &str, ends_as_question: bool) {
    let whole = text.trim();
    // `* received` is one of a list, `*received*` is bold.
    let bold = whole.strip_prefix('*').is_some_and(|rest| !rest.starts_with(char::is_whitespace));
    let text = if bold { whole } else { whole.trim_start_matches(['-', '*', '•', '–']).trim() };
    if !text.is_empty() {
        sentences.push(Sentence {
            original: text.to_owned(),
            listed: text.len() < whole.len(),
            question: ends_as_question || text.contains('?') || ASKS.is_match(text),
        });
    }
}

/// Whether a text holds a box that nobody ticked, a blank that nobody filled in, or something struck out. `[x]` is a tick.
pub(super) fn has_boxes(text: &str) -> bool {
    const BOXES: [char; 16] = [
        '\u{2610}', '\u{2611}', '\u{2612}', '\u{25a1}', '\u{25a2}', '\u{25cb}', '\u{25cf}', '\u{25ef}', '\u{2b1c}', '\u{2b1b}',
        '\u{2715}', '\u{2716}', '\u{2717}', '\u{2718}', '\u{274c}', '\u{274e}',
    ];
    const DRAWN: [&str; 7] = ["[ ]", "[]", "[_]", "( )", "()", "~~", "___"];
    static LEFT_OPEN: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?i)\b(?:tbd|tba|tbc|xx+)\b"));
    // One in front of a word and one behind it make it bold; one that stands alone is a blank, or points to a remark.
    static STARS: LazyLock<Regex> = LazyLock::new(|| fixed(r"\*+"));
    static STAR_ALONE: LazyLock<Regex> = LazyLock::new(|| fixed(r"\s\*+(?:\s|$)"));
    text.contains(BOXES)
        || LEFT_OPEN.is_match(text)
        || DRAWN.iter().any(|drawn| text.contains(drawn))
        || STAR_ALONE.is_match(text)
        || STARS.find_iter(text).count() % 2 == 1
}

/// Whether a line is a closing, as stands above a name.
pub(super) fn is_closing(line: &str) -> bool {
    CLOSING.is_match(line)
}

/// How many lines at the end are a signature.
fn signature_lines(lines: &[&str], says: impl Fn(&str) -> bool) -> usize {
    let like = |line: &&str| looks_like_signature(line) && !says(line);
    for (closed_at, line) in lines.iter().enumerate() {
        let below = lines.get(closed_at + 1..).unwrap_or_default();
        // A name that no list has stands between the closing and what is plainly a signature.
        let named = |line: &str| {
            let formal = FORMAL.is_match(lines.get(closed_at).copied().unwrap_or_default());
            is_titled(line) && !says(line) && (below.get(1).is_some_and(like) || (formal && below.len() == 1))
        };
        if CLOSING.is_match(line)
            && below.len() <= SIGNATURE_LINES_MAX
            && below.first().is_none_or(|first| like(first) || named(first) || is_desk(first))
            && below
                .iter()
                .enumerate()
                .skip(1)
                .all(|(at, line)| like(line) || is_around_a_name(line, has_contact(below.get(at + 1..).unwrap_or_default())))
            && !names_a_second_person(below)
        {
            return below.len();
        }
    }
    // Without a closing word: a name and a desk, no more, and never the whole mail. It begins with a person, or is a desk and its numbers
    // alone: "Kaiser Cardiology" by itself may be where the patient goes, and a name with a number alone may be the patient's.
    let found = lines.iter().skip(1).rev().take(SIGNATURE_LINES_MAX).take_while(|line| like(line) && !may_be_done(line)).count();
    let block = lines.get(lines.len() - found..).unwrap_or_default();
    let Some(at) = block.iter().position(|line| begins_with_person(line)) else {
        return if block.iter().all(|line| is_desk(line)) { block.len() } else { 0 };
    };
    let own = block.get(at..).unwrap_or_default();
    let numbered = own.iter().any(|line| line.chars().filter(char::is_ascii_digit).count() >= 5);
    if (numbered && !own.iter().any(|line| has_sure_desk_word(line))) || names_a_second_person(own) { 0 } else { own.len() }
}

/// Whether a name stands below another's, with nothing beside it that says what they do: it may be the patient's.
pub(super) fn names_a_second_person(lines: &[&str]) -> bool {
    let is_named = |line: &&&str| is_titled(line) && begins_with_person(line) && !has_sure_desk_word(line);
    let signed = lines.first().map_or("", |line| line.trim()).to_lowercase();
    let of_signed = |word: &str| super::statements::words(&signed).any(|own| own == word);
    begins_with_person(&signed)
        && lines.iter().skip(1).filter(is_named).any(|line| !super::statements::words(&line.to_lowercase()).any(of_signed))
}

/// Whether one of these lines has a number or an address: then what stands above is of a signature that somebody drew up once, motto and all.
/// What stands below the last may be an afterthought.
pub(super) fn has_contact<T: AsRef<str>>(lines: &[T]) -> bool {
    lines.iter().any(|line| TELEPHONE.is_match(line.as_ref()) || ADDRESS.is_match(line.as_ref()))
}

/// Whether a line below a name says nothing: an address of mail or the web, hours, a practice's name; with `drawn_up`, a motto. It begins like
/// a name, and is no sentence.
pub(super) fn is_around_a_name(line: &str, drawn_up: bool) -> bool {
    static HOURS: LazyLock<Regex> = LazyLock::new(|| {
        fixed(
            r"(?i)^(?:(?:our|office|clinic|business|hours|open|mon(?:day)?|tues?(?:day)?|wed(?:nesday)?|thu(?:rs)?(?:day)?|fri(?:day)?|m|t|w|th|f|through|thru|to|and|am|pm|a\.m|p\.m|noon|\d{1,2}(?::\d\d)?(?:am|pm)?)[\s:.,&/–-]*)+$",
        )
    });
    const SENTENCE_WORDS_MIN: usize = 4;
    if HOURS.is_match(line) || (PRONOUNS.is_match(line) && PRONOUNS.replace(line, "").trim().is_empty()) {
        return true;
    }
    let first = line.chars().find(|symbol| symbol.is_alphabetic());
    let begins = first.is_none_or(char::is_uppercase) || line.contains('@') || line.contains("www.") || line.contains("://");
    let is_sentence = line.ends_with(['.', '!']) && line.split_whitespace().count() >= SENTENCE_WORDS_MIN;
    let besides = ADDRESS.replace_all(line, " ");
    begins && !is_sentence && super::says_nothing(&besides) && (drawn_up || is_all_titled(&besides))
}

/// Whether each word begins like a name's, and one at least is what practices and their people are called, or there is no word.
fn is_all_titled(line: &str) -> bool {
    const SMALL: [&str; 6] = ["of", "and", "the", "for", "&", "at"];
    // `Re: Jane Doe`, `Doe, Jane`: of whom it is.
    static OF_WHOM: LazyLock<Regex> =
        LazyLock::new(|| fixed(r"(?i)^\W*(?:re|for|at|of|and|to|cc)\b|^\w+, \w+$|\b(?:mr|mrs|ms|miss)\b"));
    if OF_WHOM.is_match(line.trim()) {
        return false;
    }
    let words: Vec<&str> = line.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).collect();
    let titled = |word: &&str| {
        let begins = word.chars().find(|symbol| symbol.is_alphabetic()).is_some_and(char::is_uppercase);
        (begins && !may_be_done(word)) || SMALL.contains(word)
    };
    let called =
        words.is_empty() || line.contains('[') || is_desk(line) || has_sure_desk_word(line) || is_called_like_practices(line);
    words.iter().all(titled) && called
}

/// Whether a line has a word that practices are called by: `Alder Heart`, `Cedar Family Health`, but not `Sent Back`.
fn is_called_like_practices(line: &str) -> bool {
    const PRACTICES: &str = "\
        heart health healthcare healthworks wellness hospital hospitals spine spinal pain skin eye eyes vision lung kidney liver bone joint joints \
        brain women's womens children's childrens kids pediatrics paediatrics orthopedics orthopaedics ortho family internal medicine surgery \
        surgical imaging radiology institute partners physicians specialists specialty consultants university college cancer cardiac vascular \
        sleep allergy asthma ent obgyn digestive diabetes rehab rehabilitation therapy behavioral mental neuro foot ankle hand arthritis \
        llc pllc pc inc ltd lp permanente providence memorial mercy saint regional community county valley navigator liaison lead supervisor \
        administrator director triage intake billing new-patient";
    let lower = line.to_lowercase();
    super::statements::words(&lower).any(|word| PRACTICES.split_ascii_whitespace().any(|known| known == word))
}

/// `(she/her)`, `Pronouns: she/her/hers`.
static PRONOUNS: LazyLock<Regex> =
    LazyLock::new(|| fixed(r"(?i)(?:pronouns: ?)?\(?\b(?:she|he|they) ?/ ?(?:her|him|them)s?(?: ?/ ?(?:hers|his|theirs))?\b\)?"));

/// An address of mail or of the web.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| fixed(r"\S+@\S+|https?://\S+|www\.\S+"));

/// The telephone numbers and addresses of mail that stand in a text.
pub(super) fn contacts(text: &str) -> Vec<&str> {
    let all = [&TELEPHONE, &ADDRESS].into_iter().flat_map(|kind| kind.find_iter(text)).map(|found| found.as_str());
    all.filter(|found| !found.contains("://") && !found.starts_with("www.")).collect()
}

/// Whether a line has a word that only a desk's line has.
fn has_sure_desk_word(line: &str) -> bool {
    let lower = line.to_lowercase();
    super::statements::words(&lower)
        .any(|word| SURE_DESK_WORDS.split_ascii_whitespace().any(|known| known == word) || word.ends_with("ology"))
}

/// `Dr. Wong`, but not `Dr. Wong's clinic`.
fn is_doctor(first: &str, line: &str) -> bool {
    first == "dr" && !line.contains(['\'', '\u{2019}'])
}

/// Whether a line is a person's: a name that people are given, or a doctor's.
fn begins_with_person(line: &str) -> bool {
    let lower = line.to_lowercase();
    let words: Vec<&str> = super::statements::words(&lower).collect();
    match words.as_slice() {
        // "Dr. Ames objects" is no name.
        ["dr", _, rest @ ..] if !rest.is_empty() && !is_given_name(words.get(1).copied().unwrap_or_default()) => {
            is_doctor("dr", &lower) && rest.iter().all(|word| DESK_WORDS.split_ascii_whitespace().any(|known| known == *word))
        }
        [first, ..] => is_given_name(first) || is_doctor(first, &lower),
        [] => false,
    }
}

/// Whether a line has only a desk, numbers and addresses.
fn is_desk(line: &str) -> bool {
    let lower = line.to_lowercase();
    let bare = TELEPHONE.replace_all(&lower, " ");
    bare.split(|c: char| c.is_whitespace() || "|,/:;()-–—~.+".contains(c)).filter(|word| !word.is_empty()).all(|word| {
        word.contains('@') || word.starts_with("www") || DESK_WORDS.split_ascii_whitespace().any(|known| known == word)
    })
}

/// `Scrapped`, `Pending`: one word that tells of something done, rather than a name. Who is called Fred is looked at by a person.
fn may_be_done(line: &str) -> bool {
    let line = line.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    !line.contains(char::is_whitespace) && (line.ends_with("ed") || line.ends_with("ing"))
}

/// Words that stand in the lines below a name.
const DESK_WORDS: &str = "\
    of and the at desk front office scheduling scheduler coordinator referral referrals department dept tel phone fax \
    ext cell mobile direct main p f t o md rn ma np pa for clinic group center medical assistant manager reception \
    receptionist nurse suite street floor ste st ave avenue road rd blvd drive building bldg box specialist representative \
    services access care team secretary psr cma lpn lvn aprn dnp ii iii intake clinic practice associates";

/// Those of them that stand in no other line: behind `Fax` and `Referral` there may be anything.
const SURE_DESK_WORDS: &str = "\
    desk scheduler coordinator reception receptionist manager assistant nurse specialist representative rn md np lpn cma aprn \
    dnp department dept center clinic group suite street ste avenue ave road rd blvd medical practice associates office";

/// Two or three words that begin like names.
fn is_titled(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    (2..=3).contains(&words.len())
        && words.iter().all(|word| {
            word.chars().next().is_some_and(char::is_uppercase)
                && word.chars().all(|c| c.is_alphabetic() || "'-.,".contains(c))
                && !super::statements::is_common(&word.to_lowercase())
                && !may_be_done(word)
        })
}

/// Whether a line of names and desk words is one that only a signature has: a name that people are given, a title, a desk, a number, an address.
fn is_surely_signature(line: &str) -> bool {
    let lower = line.to_lowercase();
    let mut words = super::statements::words(&lower);
    let first = words.next().unwrap_or_default();
    let desk = |word: &str| {
        SURE_DESK_WORDS.split_ascii_whitespace().any(|known| known == word)
            || ["ology", "iatrics", "opedics", "opaedics", "iatry"].iter().any(|end| word.ends_with(end))
    };
    let named = is_given_name(first) || is_doctor(first, &lower);
    named
        || desk(first)
        || words.any(desk)
        || TELEPHONE.is_match(line)
        || lower.contains('@')
        || lower.contains("www.")
        || line.chars().filter(char::is_ascii_digit).count() >= 5
}

/// Whether a text names a day or a time of day.
pub(super) fn names_date(text: &str) -> bool {
    NAMES_DATE.is_match(&TELEPHONE.replace_all(text, " "))
}

/// Whether a line has only what lines of signatures have.
pub(super) fn looks_like_signature(line: &str) -> bool {
    // `Patient Access Specialist`, `Portland, OR 97209`.
    static OF_A_DESK: LazyLock<Regex> = LazyLock::new(|| {
        fixed(
            r"\bPatient (?:Access|Services?|Care|Relations|Scheduling)\b|\bMedical Records\b|\bNew Patient Coordinator\b|\b[A-Z]{2} \d{5}\b",
        )
    });
    let begins_with_place = ["for ", "at ", "to "].iter().any(|begin| line.to_lowercase().starts_with(begin));
    if begins_with_place || names_date(line) || ABBREVIATED.is_match(line) {
        return false;
    }
    let line = &*PRONOUNS.replace_all(line, "");
    let sure = OF_A_DESK.is_match(line) || is_surely_signature(line);
    let line = &*OF_A_DESK.replace_all(line, " ");
    sure && line.chars().count() <= 70
        && line.split(|c: char| c.is_whitespace() || "|,/:;()-–—~.+".contains(c)).filter(|word| !word.is_empty()).all(|word| {
            let lower = word.to_lowercase();
            if lower.contains('@') || lower.starts_with("www") {
                return true;
            }
            let titled = word.chars().next().is_some_and(char::is_uppercase);
            let number = word.chars().all(|c| c.is_ascii_digit());
            number
                || DESK_WORDS.split_ascii_whitespace().any(|known| known == lower)
                || (titled && !super::statements::is_common(&lower) && !may_be_done(word))
        })
}

/// A birth date, in small letters.
const BIRTH_DATE: &str = r"\b(?:dob|d ?o ?b|d\.o\.b\.?|date of birth|birth ?date|birthday|born)(?:\b|\s)\s*(?:on|is|:|-)?\s*(?P<born>[0-9a-z]+[/.\- ][0-9a-z]+[/.\-, ]+\d{2,4})";

/// The birth date that a sentence gives, as it was written.
pub(super) fn birth_date(sentence: &str) -> Option<String> {
    birth_dates(sentence).into_iter().next()
}

/// All birth dates that a line gives.
pub(super) fn birth_dates(line: &str) -> Vec<String> {
    static BORN: LazyLock<Regex> = LazyLock::new(|| fixed(BIRTH_DATE));
    BORN.captures_iter(&line.to_lowercase()).map(|found| found["born"].to_owned()).collect()
}

/// Whether a sentence holds a link: what a portal asks for stands behind it.
pub(super) fn has_link(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    ["http://", "https://", "www."].iter().any(|begin| lower.contains(begin))
}

static MASKED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"https?://\S+|\S+@\S+\.\S+", " "),
        // At the end it only says of which referral.
        (r"[\s:,(\[-]*\bll-?[0-9a-z]{4}-?[0-9a-z]{4}(?:-[a-z2-7]{16})?[\])]*\s*$", " "),
        (r"\bll-?[0-9a-z]{4}-?[0-9a-z]{4}(?:-[a-z2-7]{16})?\b", "it"),
        (r"(?:\+?1[ .-]?)?\(?\b\d{3}\)?[ .-]\d{3}[ .-]\d{4}\b(?: ?(?:x|ext)\.? ?\d+)?|\b\d{3}-\d{4}\b", " "),
        (BIRTH_DATE, " "),
    ]
    .map(|(pattern, with)| (fixed(pattern), with))
    .into()
});

static SPELLING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\bcan'?t\b|\bcannot\b", "can not"),
        (r"\bwon'?t\b", "will not"),
        (r"\b(do|did|does|have|has|had|is|are|was|were|could|would|should)n'?t\b", "$1 not"),
        (r"\b(?:i|we)'?ve\b", "we have"),
        (r"\b(?:i|we)'ll\b", "we will"),
        (r"\b(we|i|they|she|he)'d be\b", "$1 would be"),
        (r"\bi'm\b|\bwe're\b", "we are"),
        (r"\b(she|he|it)'s\b", "$1 is"),
        (r"\bthey're\b", "they are"),
        (r"\bi am\b", "we are"),
        (r"\bi\b", "we"),
        (r"\bmy\b", "our"),
        (r"\b(am|pm|:\d\d) (?:pst|pdt|pt|est|edt|et|cst|cdt|ct|mst|mdt|mt)\b", "$1"),
        (r"\bpts?\b", "patient"),
        (r"\bappointments\b|\bapp?ts\b", "openings"),
        (r"\bapp?t\b", "appointment"),
        (r"\breferal\b", "referral"),
        (r"\brec'?d\b|\brcv'?d\b|\brecv'?d\b|\brecieved\b|\breceieved\b", "received"),
        (r"\bsched'?d\b|\bscheduld\b|\bschedualed\b|\bsceduled\b", "scheduled"),
        (r"\bpl[sz]\b", "please"),
        (r"\bthx\b|\btks\b|\btnx\b|\bthankyou\b|\bty\b|\bthank u\b", "thanks"),
        (r"\bwith (?:many )?(?:thanks|thank you)$", " "),
        (r"\b(she|he|it|patient)'?s? is been\b|\b(she|he|it|patient)'s been\b", "$1$2 has been"),
        (r"(\S) (?:many )?(?:thanks|thank you)(?: so much| very much| again)?$", "$1"),
        (r"^((?:we )?needs? .*) please$", "$1"),
        // The number behind it was taken out.
        (r"^(.*\b(?:send|fax|email)\b.*) (?:to|at)\s*$", "$1"),
        // Another day than the one that was asked for, or none that lasts.
        (r"\b(?:at|on|for|by) (?:that|those|these|the) (?:times?|dates?|days?|slots?)\b|\bfor now\b", " tentatively "),
        (r"\bw/", "with "),
        (r"\(?\bfront (?:and|&) back\b\)?(?: of)?", " "),
        (r"&", " and "),
        (r"\b(referr?al)s? (?:request|form)\b", "referral"),
        (r"\bdoctor\b", "dr"),
        (r"\s+", " "),
    ]
    .map(|(pattern, with)| (fixed(pattern), with))
    .into()
});

/// A sentence in lower case with numbers that name no day taken out and spelling evened out.
pub(super) fn plain(sentence: &str) -> String {
    let mut text = sentence.to_lowercase().replace(['\u{2019}', '\u{2018}', '`'], "'").replace(['\u{2013}', '\u{2014}'], "-");
    for (pattern, with) in MASKED.iter().chain(SPELLING.iter()) {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    text.trim().to_owned()
}
