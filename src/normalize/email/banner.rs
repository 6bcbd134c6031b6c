//! What gateways, scanners and list servers write around a mail.
//!
//! # Design notes
//! There are too many to list. A line is one of theirs if it says something that only they say, and has no words but theirs, beside the name of
//! a firm: "Please use caution, she is known to be violent" has other words, and is the desk's.

use std::sync::LazyLock;

use regex::Regex;

use super::words::fixed;

/// An address of mail or of the web, with what stands around it.
pub(super) static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"[<\[(]?(?:mailto:|https?://|www\.)?[^\s<>\[\]()]+@[^\s<>\[\]()]*[^\s<>\[\]().,;:][>\])]?|[<\[(]?https?://[^\s<>]+[>\])]?",
    )
});

/// What only they say.
static SAYS_SO: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)\b(?:external (?:e-?mail|sender|message)|(?:this|the) (?:e-?mail|message|sender)\b[^.]{0,40}\b(?:originated|sent|came|come|comes|coming|is) (?:from )?(?:an? |the )?(?:outside|external|untrusted)|exercise caution|use caution (?:with|when)|be careful with this (?:e-?mail|message)|please be (?:careful|cautious)|don't often get|first time this sender|not previously corresponded|why this is important|report (?:this (?:e-?mail|message)|suspicious|phish)|think before you click|(?:do not|don't) (?:click|open) (?:on )?(?:any )?(?:links?|attachments?)|(?:been|was) (?:anti-?\s?virus )?(?:scanned|checked) (?:by|for)|anti-?\s?virus checked|secured by (?:zix|virtru)|powered by inky|google groups|to unsubscribe from|never give your password|verify (?:the )?sender before|zjqcmqryfpfptbanner|to view this discussion|for more information please visit)",
    )
});
/// A mark of theirs that stands alone.
static MARK: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)^\W*(?:ext|external|caution|warning|report suspicious|be careful|disclaimer|(?:caution|warning|attention)\W+external|external(?: e-?mail| sender| message)?)\W*$",
    )
});
/// The only words that stand in their lines.
const WORDS: &str = "\
    a action advanced alert an and anti any anyone are as at attachment attachments attention banner be because been before button but by can careful \
    came caution cautious check checked click clicking cloud come comes coming company contain contains content contents corresponded discussion do does \
    doubt download e email emailed emails enter essentials exercise expected expecting ext external extra faq feel file files first for forward from \
    get give google group groups has have health here hospital if important in information internal is it know known learn link links login mail may \
    mails me message messages microsoft more network never not notice of often on open opening or organisation organization original originated originates our \
    outside password passwords people permission phish phishing please powered previously protect received receiving recognise recognize report \
    requests safe scanned secure secured security send sender senders sending sensitive sent service should some source spam stop subscribed suspicious \
    sure system that the them then think this time to trust trusted unexpected unknown unless unsubscribe unsure untrusted use verified verify view virus \
    viruses visit warning was were when who why with without you your don't symantec mcafee mimecast barracuda inky zix proofpoint godaddy r malware automatically archived ltd innovator leader software saas business \
    zjqcmqryfpfptbannerstart zjqcmqryfpfptbannerend";

/// Whether a line above all words is a gateway's: nobody begins an answer so.
pub(super) fn is_banner_on_top(line: &str) -> bool {
    static BEGINS: LazyLock<Regex> = LazyLock::new(|| {
        fixed(
            r"(?i)^\W*(?:caution|warning|attention|alert|important|notice|ext\b|external|this (?:message|e-?mail|sender)|you don.t often|some people|be careful|learn why|zjq|report suspicious)",
        )
    });
    is_banner(line) && BEGINS.is_match(line)
}

/// Whether a line is a gateway's, and no more.
pub(super) fn is_banner(line: &str) -> bool {
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| fixed(r#""[^"]{1,60}""#));
    /// Behind these stands the name of a firm.
    const BEFORE_A_FIRM: [&str; 3] = ["outside", "by", "the"];
    let line = ADDRESS.replace_all(line, " ").replace('\u{2019}', "'");
    let line = QUOTED.replace_all(&line, " ");
    if MARK.is_match(&line) {
        return true;
    }
    let mut firm = false;
    let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '\'')).filter(|word| !word.is_empty());
    let theirs = words.all(|word| {
        let lower = word.to_lowercase();
        let known = WORDS.split_ascii_whitespace().any(|known| known == lower);
        let capital = word.chars().next().is_some_and(char::is_uppercase) && word.chars().skip(1).any(char::is_lowercase);
        let is_firms = firm && capital && !["dr", "mr", "mrs", "ms", "pt", "patient"].contains(&lower.as_str());
        firm = BEFORE_A_FIRM.contains(&lower.as_str()) || (firm && (lower == "of" || is_firms));
        known || is_firms
    });
    theirs && SAYS_SO.is_match(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gateways_write_is_known_and_what_desks_write_is_not() {
        for theirs in [
            "[EXTERNAL EMAIL]",
            "CAUTION: EXTERNAL EMAIL. This email originated from outside of Alder Heart Center. Do not click on links or open attachments unless \
             you are sure you recognize the sender and you know the contents are safe.",
            "Be careful with this message. The sender is outside of your organization.",
            "[ External sender. Exercise caution. ]",
            "*** EXTERNAL EMAIL: Use caution with links and attachments. If suspicious, forward to phishing@alder-heart.example or click the Report Phish button. ***",
            "This email has come from an external source - please be careful.",
            "NOTICE: This email originated outside the Alder Heart network. Use caution when opening attachments or clicking links.",
            "Caution: This email came from outside Kaiser Permanente. Do not open attachments or click on links if you do not recognize the sender.",
            "EXTERNAL SENDER: This email came from outside Alder Heart Center. Think before you click!",
            "WARNING: This email is from outside our organization. Never give your password to anyone.",
            "This Message Is From an Untrusted Sender",
            "You have not previously corresponded with this sender.",
            "ZjQcmQRYFpfptBannerStart",
            "Report Suspicious",
            "This email has been scanned by the Symantec Email Security.cloud service.",
            "This email was Anti Virus checked by Barracuda Essentials. Click here to report this message as spam.",
            "This message was secured by Zix<https://www.zixcorp.com>(R).",
            "This email has been scanned for viruses and malware, and may have been automatically archived by Mimecast Ltd, an innovator in Software as a Service (SaaS) for business.",
            "To unsubscribe from this group and stop receiving emails from it, send an email to cardiology+unsubscribe@alder-heart.example.",
            "You received this message because you are subscribed to the Google Groups \"Cardiology Desk\" group.",
        ] {
            assert!(is_banner(theirs), "{theirs}");
        }
        for own in [
            "Please use caution, she is known to be violent",
            "Attention: do not open a chart, she is established at Kaiser",
            "External: patient from outside our network",
            "Caution: This email originated from outside. We decline.",
            "Unless you object, she goes to Kaiser",
            "Please do not reply to this email.",
            "Received.",
            "We use caution with Dr. Wong",
            "Do not open before 12/14/2026",
            "The attachments do not open.",
            "This is outside our network.",
            "Please unsubscribe me from this email.",
            "The attachment is secured by password, please send the password.",
        ] {
            assert!(!is_banner(own), "{own}");
        }
    }
}
