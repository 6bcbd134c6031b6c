//! The sender's own words: quoted text, signatures and disclaimers off, HTML made text.
//!
//! # Design notes
//! Quoting has no standard, so marks of several mail programs in four languages are known here. A mark that is not known leaves
//! quoted text among the own words, which makes the reply unclear: safe, and a person sees it. Cutting too much would be the
//! dangerous side, so what stands below quoted lines that are marked with `>` (bottom and inline posting) is kept.

use std::sync::LazyLock;

use regex::Regex;

use super::banner::is_banner_on_top;

/// The own words of a text, and what was left out of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Own {
    /// The words.
    pub(super) words: String,
    /// What it quotes, without the marks.
    pub(super) quoted: String,
    /// What stands below the line of the signature, or where lawyers speak.
    pub(super) below: String,
    /// Whether the mail passes on somebody else's.
    pub(super) forwarded: bool,
    /// Whether any of the words stand below quoted text: then they may answer a line of it.
    pub(super) below_quotes: bool,
}

pub(super) fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is fixed and compiles")
}

/// The line above quoted text: `On … wrote:`.
static ATTRIBUTION: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)^(?:on\b.{4,200}\bwrote|am\b.{4,200}\bschrieb\b.{0,120}|le\b.{4,200}\ba écrit|el\b.{4,200}\bescribió|em\b.{4,200}\bescreveu|\w{3} \d{1,2}, \d{4}.{4,120}<[^<>\s]+@[^<>\s]+>|.{2,80}<[^<>\s]+@[^<>\s]+>\s*(?:wrote|schrieb|a écrit|escribió)|\d{4}-\d\d-\d\d\b.{4,120}<[^<>\s]+@[^<>\s]+>)\s*:$",
    )
});
/// How an attribution that was wrapped begins.
static ATTRIBUTION_START: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?i)^(?:on|am|le|el|em)\b.*(?:\d|,|<)"));
/// `>>> Desk <desk@clinic.example> 11/26/2026 7:26 AM >>>`: how GroupWise quotes, without marks below.
static GROUPWISE: LazyLock<Regex> = LazyLock::new(|| fixed(r"^>>> .{2,160} >>>$"));
static SENDER_LINE: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?i)^\*?(?:from|von|de|desde)\s?:\*?\s*\S"));
static SENT_LINE: LazyLock<Regex> =
    LazyLock::new(|| fixed(r"(?i)^\*?(?:sent|date|gesendet|datum|envoyé|enviado(?: el)?|fecha)\s?:\*?\s*\S"));
pub(super) static ORIGINAL: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)^-{2,}\s*(?:original message|ursprüngliche nachricht|original-?nachricht|message d['’]origine|mensaje original)\s*-*$",
    )
});
pub(super) static FORWARDED: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)^(?:-{2,}\s*)?(?:forwarded message|begin forwarded message|weitergeleitete nachricht|anfang der weitergeleiteten nachricht|message transféré|début du message transféré|mensaje reenviado)\b.{0,40}$",
    )
});
pub(super) static SENT_FROM: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)^(?:sent from my (?:[\w,-]+ ){0,5}(?:iphone|ipad|phone|smartphone|cell|mobile|android|galaxy|device|tablet|blackberry|pixel|watch|mac|macbook|\w{0,4}os)(?: \d+)?(?: with [\w-]+ mail)?\W*(?:(?:please )?(?:excuse|forgive|pardon) (?:(?:any|my|the|and|typos?|brevity|errors?|mistakes?|spelling|autocorrect|or) ?)+\W*)?|(?:please )?(?:excuse|pardon) (?:my|any) (?:brevity|typos)\W*|sent (?:from|via|with) (?:the )?(?:all new )?(?:outlook|mail|yahoo|gmail|proton|aol)(?: ?mail)?(?: secure email)?(?: app)?(?: for \w+(?: \d+)?| on \w+)?\W*|get outlook for \w+\s*(?:[<\[(]?https?\S*)?|von meinem \w+ gesendet|envoyé de mon \w+|enviado desde mi \w+)$",
    )
});
pub(super) static DISCLAIMER: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)^\W*(?:confidentiality (?:notice|note|statement)|(?:privileged and )?confidential(?: communication)?:|this (?:e-?mail|message|communication|transmission)(?: message)?,? (?:and any|including any|\(including|may contain|contains|is intended|is confidential)|the information (?:contained|transmitted) in this|if you (?:have )?received this .{2,30} in error|if you are not the (?:intended|named)|hipaa (?:notice|disclaimer)|the (?:documents? accompanying|contents? of this)|this electronic (?:message|mail|transmission)|important (?:warning|notice): this|note: the information|notice to recipient|disclaimer$|notice:|disclaimer:|caution: this (?:e-?mail|message) originated|external(?: e-?mail)?:)",
    )
});

/// Where a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// Among the own words.
    Own,
    /// Below the line of the signature, or a disclaimer.
    Below,
    /// Below a head that begins a quoted mail whose lines have no marks.
    Quoted,
}

/// Takes the own words out of a plain text.
pub(super) fn own_words(text: &str) -> Own {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}'], "\n").replace('\u{a0}', " ");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut own = Own::default();
    let (mut kept, mut quoted, mut below): (Vec<&str>, Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new(), Vec::new());
    let (mut at, mut zone) = (0, Zone::Own);
    while let Some(line) = lines.get(at).map(|line| line.trim()) {
        if zone == Zone::Quoted {
            quoted.push(unmarked(line));
            at += 1;
            continue;
        }
        if GROUPWISE.is_match(line) {
            zone = Zone::Quoted;
            at += 1;
            continue;
        }
        if FORWARDED.is_match(line) {
            own.forwarded = true;
            zone = Zone::Quoted;
            continue;
        }
        if ORIGINAL.is_match(line) || header_block(&lines, at) {
            zone = Zone::Quoted;
            continue;
        }
        if let Some(after) = attribution(&lines, at) {
            if !quotes_by_mark(&lines, after) {
                zone = Zone::Quoted;
            }
            at = after;
            continue;
        }
        if zone == Zone::Own && kept.iter().all(|line| line.is_empty()) && is_banner_on_top(line) {
            at += 1;
            continue;
        }
        // `-- ` (RFC 3676 section 4.3) begins the signature.
        let ends = line == "--" || (DISCLAIMER.is_match(line) && is_of_lawyers(&paragraph(&lines, at)));
        if is_quoted(line) {
            quoted.push(unmarked(line));
        } else if ends || zone == Zone::Below {
            zone = Zone::Below;
            below.push(line);
        } else if is_rule(line) {
            // Some draw a line above their signature, and programs above what they quote; forms, between their choices.
            zone = if kept.iter().all(|line| line.is_empty()) { zone } else { Zone::Below };
        } else if !SENT_FROM.is_match(line) {
            own.below_quotes |= !quoted.is_empty() && !line.is_empty();
            kept.push(line);
        }
        at += 1;
    }
    own.words = kept.join("\n").trim().to_owned();
    own.quoted = quoted.join("\n");
    own.below = below.join("\n");
    own
}

/// A quoted line without its marks.
fn unmarked(line: &str) -> &str {
    line.trim_start_matches(['>', '|', ' ']).trim_end()
}

/// The lines from here to the next that is empty, as one; a heading alone, with what stands below it.
fn paragraph(lines: &[&str], at: usize) -> String {
    const HEADING_WORDS_MAX: usize = 3;
    /// So that a mail of nothing but beginnings costs no more than its length.
    const LINES_MAX: usize = 40;
    let rest = lines.get(at..).unwrap_or_default();
    let alone = rest.get(1).is_some_and(|next| next.trim().is_empty())
        && rest.first().is_some_and(|line| line.split_whitespace().count() <= HEADING_WORDS_MAX);
    let heading = rest.iter().take(if alone { 1 } else { 0 });
    let body = rest.iter().skip(if alone { 1 } else { 0 }).skip_while(|line| alone && line.trim().is_empty());
    let whole = heading.chain(body.take_while(|line| !line.trim().is_empty()).take(LINES_MAX));
    whole.map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// A `format=flowed` text with the lines whole that the mail program broke (RFC 3676): a blank before a line's end says that it goes on.
/// `delsp`: that blank is no part of the text.
pub(super) fn unflowed(text: &str, delsp: bool) -> String {
    const SIGNATURE: &str = "-- ";
    let mut lines: Vec<String> = Vec::new();
    let mut goes_on = None;
    for line in text.lines() {
        let content = line.trim_start_matches('>');
        let depth = line.len() - content.len();
        // A blank in front keeps a line from being taken for something else.
        let content = content.strip_prefix(' ').unwrap_or(content);
        let before = if goes_on == Some(depth) && content != SIGNATURE { lines.last_mut() } else { None };
        match before {
            Some(before) => before.push_str(content),
            None => lines.push(format!("{}{}{content}", ">".repeat(depth), if depth > 0 { " " } else { "" })),
        }
        goes_on = (content.ends_with(' ') && content != SIGNATURE).then_some(depth);
        if goes_on.is_some()
            && delsp
            && let Some(line) = lines.last_mut()
        {
            line.pop();
        }
    }
    lines.join("\n")
}

/// What is answered: marked with `>`, or with `|` as some programs do.
fn is_quoted(line: &str) -> bool {
    line.starts_with(['>', '|'])
}

/// Whether a paragraph is a lawyer's, by several of their words, and says nothing of a referral: `Notice: we are closed until January` is none.
pub(super) fn is_of_lawyers(paragraph: &str) -> bool {
    /// One of them anybody says: "this was intended for Dr. Wong".
    const TERMS_MIN: usize = 2;
    static TERM: LazyLock<Regex> = LazyLock::new(|| {
        fixed(
            r"(?i)intended|recipient|disclos|unauthori[sz]ed|privileged|delete|destroy|disseminat|originated|protected health|prohibited|viruses|views expressed|notify the sender|in error|confidential|copies|addressee|hipaa",
        )
    });
    static OF_A_REFERRAL: LazyLock<Regex> = LazyLock::new(|| {
        fixed(
            r"(?i)\b(?:declin\w*|cancel\w*|schedul\w*|book(?:ed|ing)|appointment|accept(?:ed|ing)|we accept|referrals?|seeing|seen|labs|we|wrong (?:recipient|office|fax|number)|to us in error|privacy officer|patient (?:has|is|was|will|needs?|died|passed)|th(?:e|is) patient|dr|she|he|family|dob|birth ?da(?:y|te)|pages? \d+|moved|off by|patient moved)\b",
        )
    });
    let terms: std::collections::BTreeSet<String> = TERM.find_iter(paragraph).map(|term| term.as_str().to_lowercase()).collect();
    terms.len() >= TERMS_MIN && !OF_A_REFERRAL.is_match(paragraph)
}

/// A line of dashes or underscores.
pub(super) fn is_rule(line: &str) -> bool {
    line.len() >= 5 && line.chars().all(|c| "_-=*".contains(c))
}

/// `From: …` with `Sent: …` close below: how Outlook quotes.
fn header_block(lines: &[&str], at: usize) -> bool {
    lines.get(at).is_some_and(|line| SENDER_LINE.is_match(line.trim()))
        && lines.iter().skip(at + 1).take(5).any(|line| SENT_LINE.is_match(line.trim()))
}

/// Where the text after an attribution begins, if one begins here; it may be wrapped over three lines.
pub(super) fn attribution(lines: &[&str], at: usize) -> Option<usize> {
    let mut whole = lines.get(at)?.trim().trim_start_matches(['>', ' ']).to_owned();
    if ATTRIBUTION.is_match(&whole) {
        return Some(at + 1);
    }
    if !ATTRIBUTION_START.is_match(&whole) {
        return None;
    }
    for further in 1..=2 {
        let next = lines.get(at + further)?.trim().trim_start_matches(['>', ' ']);
        // A sentence that ends, a gap, or another beginning: what was before is no attribution.
        if whole.ends_with(['.', '!', '?']) || next.is_empty() || ATTRIBUTION_START.is_match(next) {
            return None;
        }
        whole = format!("{whole} {next}");
        if ATTRIBUTION.is_match(&whole) {
            return Some(at + further + 1);
        }
    }
    None
}

/// Whether the quoted text below is marked line by line.
fn quotes_by_mark(lines: &[&str], at: usize) -> bool {
    lines.iter().skip(at).map(|line| line.trim()).find(|line| !line.is_empty()).is_some_and(is_quoted)
}

/// Makes text of HTML, without what mail programs mark as quoted, and text of that.
pub(super) fn html_to_text(html: &str) -> (String, String) {
    /// From here on, everything is the mail that is answered.
    const QUOTED_FROM: [&str; 6] =
        ["gmail_quote", "divrplyfwdmsg", "appendonsend", "moz-cite-prefix", "olk_src_body_section", "yahoo_quoted"];
    let lower = html.to_ascii_lowercase();
    let cut = QUOTED_FROM.iter().filter_map(|mark| lower.find(mark)).min().and_then(|at| lower.get(..at)?.rfind('<'));
    let (own, rest) = cut.and_then(|at| html.split_at_checked(at)).unwrap_or((html, ""));
    let (own, within) = without_blockquotes(own);
    let seen = UNSEEN.replace_all(&STRUCK.replace_all(&own, STRUCK_OUT), " ").into_owned();
    let text = whole_html_to_text(&EMPTY_CELL.replace_all(&seen, "$label</td><td> ___ </td>"));
    let quoted = format!("{}\n{}", whole_html_to_text(&within), whole_html_to_text(rest));
    // By a class, or on an element that is not looked for: which words it strikes out is not looked up.
    let strikes = STRIKING_STYLE.is_match(html) || own.to_ascii_lowercase().contains("line-through");
    (if strikes { format!("{text}{STRUCK_OUT}") } else { text }, quoted)
}

/// Whether own words stand below what an HTML mail quotes.
pub(super) fn stands_below_quotes(html: &str) -> bool {
    let below = html.to_ascii_lowercase().rfind("</blockquote>").and_then(|at| html.get(at..));
    below.is_some_and(|below| !whole_html_to_text(below).trim().is_empty())
}

/// Whether words were struck out in an HTML mail that a text was made of.
pub(super) fn is_struck_out(text: &str) -> bool {
    text.contains(STRUCK_OUT.trim())
}

/// What stands for words that were struck out. They are not said any more; that they were, is for a person to see.
const STRUCK_OUT: &str = " [struck out] ";
static STRUCK: LazyLock<Regex> = LazyLock::new(|| {
    let styled = ["div", "span", "p", "td", "font", "b", "i", "u", "em", "strong", "li", "tr", "a", "label"]
        .map(|name| format!(r"<{name}\b[^>]*line-through[^>]*>.*?</{name}>"));
    fixed(&format!(r"(?is)<s\b[^>]*>.*?</s>|<strike\b[^>]*>.*?</strike>|<del\b[^>]*>.*?</del>|{}", styled.join("|")))
});
static STRIKING_STYLE: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?is)<style\b[^>]*>[^<]*line-through"));
/// Words that nobody sees who reads the mail.
static UNSEEN: LazyLock<Regex> = LazyLock::new(|| {
    let hidden = ["div", "span", "p", "td", "font", "center"]
        .map(|name| format!(r"<{name}\b[^>]*(?:display\s*:\s*none|visibility\s*:\s*hidden)[^>]*>.*?</{name}>"));
    fixed(&format!("(?is){}", hidden.join("|")))
});

/// What ends a line on the screen, and what stands apart on it. The library breaks at `<p>` and `<br>` alone, and most mail programs write
/// each line as a `<div>`.
static BLOCKS: LazyLock<Regex> = LazyLock::new(|| {
    fixed(r"(?i)(?:\s*</?(?:div|tr|table|tbody|li|ul|ol|dl|dt|dd|h[1-6]|section|article|center|pre|hr|blockquote)\b[^>]*>\s*)+")
});
static TICK_BOXES: LazyLock<Regex> = LazyLock::new(|| fixed(r#"(?i)<input\b[^>]*\btype\s*=\s*["']?(?:checkbox|radio)\b[^>]*>"#));
/// An empty cell behind one with words: a blank of a form that nobody filled in.
static EMPTY_CELL: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?is)(?P<label>\w[^<>]*(?:</[a-z0-9:]+>\s*)*)</td>\s*<td\b[^>]*>(?:\s|&nbsp;|&#160;|<br\s*/?>|</?(?:p|span|div|o:p|font|b)\b[^>]*>)*</td>",
    )
});
static CELLS: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?i)</?t[dh]\b[^>]*>"));

/// Makes text of HTML.
pub(super) fn whole_html_to_text(html: &str) -> String {
    // Ticked or not: what a person ticked in a mail, a person reads.
    let boxes = TICK_BOXES.replace_all(html, "\u{2610} ");
    let lines = BLOCKS.replace_all(&boxes, "<br>");
    mail_parser::decoders::html::html_to_text(&CELLS.replace_all(&lines, " "))
}

/// HTML without its block quotes, and these.
fn without_blockquotes(html: &str) -> (String, String) {
    let lower = html.to_ascii_lowercase();
    let (mut own, mut quoted) = (String::with_capacity(html.len()), String::new());
    let (mut depth, mut from) = (0_usize, 0_usize);
    let mut marks: Vec<(usize, bool)> = lower.match_indices("<blockquote").map(|(at, _)| (at, true)).collect();
    marks.extend(lower.match_indices("</blockquote>").map(|(at, mark)| (at + mark.len(), false)));
    marks.sort_unstable();
    for (at, opens) in marks {
        let side = if depth == 0 { &mut own } else { &mut quoted };
        side.push_str(html.get(from..at).unwrap_or_default());
        depth = if opens { depth + 1 } else { depth.saturating_sub(1) };
        from = at;
    }
    let side = if depth == 0 { &mut own } else { &mut quoted };
    side.push_str(html.get(from..).unwrap_or_default());
    (own, quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_words_are_left_however_the_mail_program_quotes() {
        for mail in [
            "Received, thanks.\n\nOn Fri, Nov 20, 2026 at 9:12 AM Loopline <r@clinic.example> wrote:\n> yes, received, booked for 1/1/2027\n> x",
            "Received, thanks.\n\nOn Fri, Nov 20, 2026 at 9:12 AM Loopline\n<referrals+ll-7k3m@clinic.example> wrote:\n\n> booked",
            "Received, thanks.\n\nAm Fr., 20. Nov. 2026 um 09:12 Uhr schrieb Loopline <r@clinic.example>:\n> booked",
            "Received, thanks.\n\nLe ven. 20 nov. 2026 à 09:12, Loopline <r@clinic.example> a écrit :\n> booked",
            "Received, thanks.\n\nEl vie, 20 nov 2026 a las 9:12, Loopline (<r@clinic.example>) escribió:\n> booked",
            "Received, thanks.\n\nFrom: Loopline <r@clinic.example>\nSent: Friday, November 20, 2026 9:12 AM\nTo: Desk\nSubject: x\n\nbooked",
            "Received, thanks.\n\n________________________________\nVon: Loopline\nGesendet: Freitag\nAn: Desk\n\nbooked",
            "Received, thanks.\n\n-----Original Message-----\nbooked",
            "> did you receive it?\n\nReceived, thanks.",
            "| did you receive it?\n| booked\n\nReceived, thanks.",
            "On Fri, Nov 20, 2026 Loopline <r@clinic.example> wrote:\n> did you receive it?\nReceived, thanks.\n> booked?",
            "Received, thanks.\n-- \nMaria Gomez\nbooked solid",
            "Received, thanks.\n\nSent from my iPhone",
            "Received, thanks.\n\nCONFIDENTIALITY NOTICE: if you are not the intended recipient, delete it.",
            "Received, thanks.\r\n\r\nOn Nov 20, 2026, at 9:12, Loopline <r@clinic.example> wrote:\r\n\r\nThe request without marks: booked\r\n",
        ] {
            let own = own_words(mail);
            assert_eq!((own.words.as_str(), own.forwarded), ("Received, thanks.", false), "{mail}");
        }
    }

    #[test]
    fn lines_that_a_mail_program_broke_are_whole_again() {
        let flowed =
            "Received, booked for 12/14/2026 at \n10:30 am.\nThank you\n\n> did you \n> get it?\n>> no \n> yes\n-- \nMaria";
        let whole = "Received, booked for 12/14/2026 at 10:30 am.\nThank you\n\n> did you get it?\n>> no \n> yes\n-- \nMaria";
        assert_eq!(unflowed(flowed, false), whole);
        assert_eq!(unflowed("10:3 \n0 am\n From us", true), "10:30 am\nFrom us");
    }

    #[test]
    fn a_forwarded_mail_is_said_to_be_one() {
        let own = own_words("FYI\n\n---------- Forwarded message ---------\nFrom: Desk\nDate: today\n\nbooked for 12/14/2026");
        assert_eq!((own.words.as_str(), own.forwarded, own.below_quotes), ("FYI", true, false));
        assert!(own.quoted.contains("booked for 12/14/2026"));
    }

    #[test]
    fn what_a_gateway_or_a_lawyer_adds_is_no_word_of_the_desk() {
        for mail in [
            "[EXTERNAL EMAIL]\n\nReceived, thanks.",
            "CAUTION: This email originated from outside of the organization. Do not click links.\n\nReceived, thanks.",
            "External Sender - do not click links\nReceived, thanks.",
            "You don't often get email from r@clinic.example. Learn why this is important\n\nReceived, thanks.",
            "[EXT] This message was sent from outside of Cardio Health. Please use caution when opening attachments.\nReceived, thanks.",
            "Received, thanks.\n\nIf you received this email in error, delete it.",
            "Received, thanks.\n\nIf you are not the intended recipient, tell us.",
        ] {
            assert_eq!(own_words(mail).words, "Received, thanks.", "{mail}");
        }
    }

    #[test]
    fn what_only_begins_like_a_disclaimer_is_the_desks_own() {
        for mail in [
            "Received.\n\nNotice: all referrals are on hold until January.",
            "Received.\nConfidential: patient has passed away.",
            "Received.\nSent from my iPad. Not scheduled, labs needed",
            "Accepted.\nSent from my phone - will not schedule until insurance clears",
            "Received.\nThis message is intended for the referral team: the patient died on Tuesday.",
            "Caution: This email originated from outside. We decline.\nReceived.",
            "External: patient from outside our network\nReceived.",
            "Do not enter this one yet, she may be going elsewhere\nReceived.",
            "Attention: do not open a chart, she is established at Kaiser\nReceived.",
            "Please use caution, she is known to be violent\nReceived.",
            "Please do not reply directly to this message, this mailbox is not monitored\nReceived.",
            "Received.\n\nOn second thought, we can't take this one.\n\nOn 11/26/26 7:26 AM, Riverside Referrals wrote:\n> Hello,",
            "Received.\nOn 12/1 Dr. Ames leaves the practice.\nOn 11/26/26 7:26 AM, Riverside Referrals wrote:\n> Hello,",
            "Received.\n\nNotice: this was intended for Dr. Wong.",
            "Received.\n\nNotice: we are not the intended recipient. All copies were deleted.",
            "Received.\nThe attachments do not open.",
            "The attachments do not open.\nReceived.",
            "Received.\nThis is outside our network.",
        ] {
            assert_ne!(own_words(mail).words, "Received.", "{mail}");
        }
    }

    #[test]
    fn words_below_quoted_ones_are_told() {
        assert!(own_words("> We decline.\nYes").below_quotes);
        assert!(!own_words("Yes\n> We decline.").below_quotes);
        assert!(stands_below_quotes("<blockquote>We decline.</blockquote><p>Yes</p>"));
        assert!(!stands_below_quotes("<p>Yes</p><blockquote>We decline.</blockquote><p> </p>"));
    }

    #[test]
    fn what_is_struck_out_is_seen_as_that_and_what_nobody_sees_is_not() {
        let html = "<p><s>Booked for 12/14/2026.</s> Received.</p><div style=\"display: none\">We decline.</div>";
        assert_eq!(html_to_text(html).0.split_whitespace().collect::<Vec<_>>().join(" "), "[struck out] Received.");
        for html in [
            "<div style=\"text-decoration:line-through\">Booked for 12/14/2026.</div><div>Received.</div>",
            "<ul><li style=\"text-decoration: line-through\">Booked</li><li>Received.</li></ul>",
            "<html><head><style>.x { text-decoration: line-through }</style></head><p>Received.</p></html>",
        ] {
            let (text, _) = html_to_text(html);
            assert!(text.contains("[struck out]") && text.contains("Received") && !text.contains("Booked"), "{text}");
        }
    }

    #[test]
    fn an_empty_cell_is_a_blank() {
        let (text, _) = html_to_text(
            "<table><tr><td>Received</td><td>yes</td></tr><tr><td><b>Scheduled</b></td><td>&nbsp;</td></tr></table>",
        );
        assert!(text.contains("Scheduled___") && !text.contains("yes ___"), "{text}");
    }

    #[test]
    fn a_line_of_html_is_a_line_whatever_it_is_written_as() {
        for html in [
            "<div>Received.</div><div>Booked for M&uuml;ller</div>",
            "<div dir=ltr><div>Received.<div>Booked for M&uuml;ller</div></div></div>",
            "<ul><li>Received.</li>\n<li>Booked for M&uuml;ller</li></ul>",
            "<table><tbody><tr><td>Received.</td></tr><tr><td>Booked </td><td>for</td><td> M&uuml;ller</td></tr></tbody></table>",
            "<h2>Received.</h2>Booked for M&uuml;ller",
            "<p>Received.</p><p>Booked for M&uuml;ller</p>",
            "Received.<br>Booked for M&uuml;ller",
        ] {
            let (text, _) = html_to_text(html);
            let lines: Vec<String> = text
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                .filter(|line| !line.is_empty())
                .collect();
            assert_eq!(lines, ["Received.", "Booked for Müller"], "{html}");
        }
    }

    #[test]
    fn html_quotes_are_taken_out_wherever_they_stand() {
        for html in [
            "<div>Received, thanks.</div><div class=\"gmail_quote\">On Fri wrote: <blockquote>booked</blockquote></div>",
            "<p>Received, thanks.</p><blockquote type=cite>booked <blockquote>deep</blockquote> more</blockquote>",
            "<blockquote>booked?</blockquote><p>Received, thanks.</p>",
            "<html><head><style>p{}</style></head><body><p>Received, thanks.</p><div id=\"divRplyFwdMsg\">From: x</div>booked</body></html>",
            "<p>Received, thanks.</p><blockquote>never closed, booked",
        ] {
            assert_eq!(html_to_text(html).0.trim(), "Received, thanks.", "{html}");
        }
    }
}
