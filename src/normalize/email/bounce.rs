//! Mails that say a delivery failed: RFC 3464 reports, and the plain texts of older mail servers.

use std::sync::LazyLock;

use regex::Regex;

/// What a report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whom the mail did not reach.
    pub recipient: String,
    /// The enhanced status code, where there is one.
    pub status: Option<String>,
    /// Whether trying again is of no use.
    pub permanent: bool,
}

fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is fixed and compiles")
}

static STATUS: LazyLock<Regex> = LazyLock::new(|| fixed(r"\b([245])\.\d{1,3}\.\d{1,3}\b"));
static REPLY_CODE: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?m)(?:^|[\s:])([45])\d\d[ -]"));
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| fixed(r"<?([A-Za-z0-9._%+=-]{1,64}@[A-Za-z0-9.-]{1,255})>?"));
static SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)^(?:mail delivery (?:failed|failure|system)|undeliver(?:able|ed)|delivery status notification|failure notice|returned mail|delivery (?:has )?failed|warning: could not send|mail system error|message delivery failure|unzustellbar|nicht zustellbar|non remis|no se puede entregar)",
    )
});
static ROBOT: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?i)^(?:mailer-daemon|postmaster|mail-daemon|mailerdaemon)@"));
static WILL_TRY: LazyLock<Regex> = LazyLock::new(|| {
    fixed(r"(?i)will (?:be retried|continue to be|keep trying|try again)|has not yet been delivered|delayed|only a warning")
});

/// Reads the `message/delivery-status` part (RFC 3464 section 2). None where no recipient failed or is late.
pub(super) fn delivery_status(part: &str) -> Option<Report> {
    let mut report: Option<Report> = None;
    for block in part.replace("\r\n", "\n").split("\n\n") {
        let field = |name: &str| {
            unfold(block).iter().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let Some(recipient) = field("Final-Recipient").or_else(|| field("Original-Recipient")) else { continue };
        let action = field("Action").unwrap_or_default().to_ascii_lowercase();
        if ["delivered", "relayed", "expanded"].contains(&action.as_str()) {
            continue;
        }
        let status = field("Status").and_then(|status| STATUS.find(&status).map(|found| found.as_str().to_owned()));
        let permanent = match &status {
            Some(status) => status.starts_with('5'),
            None => action == "failed",
        } && action != "delayed";
        let recipient = recipient.split_once(';').map_or(recipient.as_str(), |(_, address)| address).trim().to_owned();
        // The first failure counts; a report of ours has one recipient.
        if report.as_ref().is_none_or(|known| permanent && !known.permanent) {
            report = Some(Report { recipient, status, permanent });
        }
    }
    report
}

fn unfold(block: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in block.lines() {
        match lines.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            Some(last) => *last = format!("{last} {}", line.trim()),
            None => lines.push(line.to_owned()),
        }
    }
    lines
}

/// Reads a bounce in plain text (exim's and qmail's older ones): from a mail robot, or with a subject that says so and no sender.
pub(super) fn plain(
    from: Option<&str>,
    null_sender: bool,
    subject: &str,
    failed_recipients: Option<&str>,
    text: &str,
) -> Option<Report> {
    let robot = from.is_some_and(|from| ROBOT.is_match(from));
    let by_header = failed_recipients.and_then(|list| ADDRESS.captures(list)).map(|found| found[1].to_owned());
    let qmail = text.contains("This is the qmail-send program");
    let says_so = SUBJECT.is_match(subject.trim()) && (robot || null_sender);
    if by_header.is_none() && !says_so && !(qmail && (robot || null_sender)) {
        return None;
    }
    // The report stands above the copy of what came back.
    let above = ["--- Below this line", "------ This is a copy", "--- The header of the original", "----- Original message"]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min()
        .and_then(|at| text.get(..at))
        .unwrap_or(text);
    let recipient = by_header.or_else(|| {
        ADDRESS.captures_iter(above).map(|found| found[1].trim_end_matches('.').to_owned()).find(|found| !ROBOT.is_match(found))
    })?;
    let status = STATUS.find(above).map(|found| found.as_str().to_owned());
    let code = REPLY_CODE.captures(above).map(|found| found[1].to_owned());
    let permanent = match (&status, &code) {
        (Some(status), _) => status.starts_with('5'),
        (None, Some(code)) => code == "5",
        (None, None) => true,
    } && !WILL_TRY.is_match(above);
    Some(Report { recipient, status, permanent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_recipient_status_and_whether_it_is_final() {
        let part = "Reporting-MTA: dns; mail.test.example\r\n\r\nAction: failed\r\nFinal-Recipient: rfc822;desk@cardio.example\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550\r\n 5.1.1 no such user\r\n";
        let report = Report { recipient: "desk@cardio.example".into(), status: Some("5.1.1".into()), permanent: true };
        assert_eq!(delivery_status(part), Some(report));
        let late = part.replace("failed", "delayed").replace("Status: 5.1.1", "Status: 4.4.1");
        assert!(!delivery_status(&late).unwrap().permanent);
        assert_eq!(delivery_status(&part.replace("failed", "delivered")), None);
    }

    #[test]
    fn the_plain_texts_of_older_servers_are_read() {
        let qmail = "Hi. This is the qmail-send program at mail.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<desk@cardio.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n";
        let report = plain(Some("MAILER-DAEMON@mail.example"), true, "failure notice", None, qmail).unwrap();
        assert_eq!(report, Report { recipient: "desk@cardio.example".into(), status: Some("5.1.1".into()), permanent: true });
        let exim = "This message was created automatically by mail delivery software.\n\n  desk@cardio.example\n    host mx.cardio.example: 450 mailbox busy\n    this is only a warning, delivery will continue to be attempted\n";
        let report =
            plain(Some("Mailer-Daemon@x.example"), true, "Warning: could not send message for past 4 hours", None, exim).unwrap();
        assert!(!report.permanent);
        assert_eq!(report.recipient, "desk@cardio.example");
    }

    #[test]
    fn a_person_who_writes_about_a_bounce_is_no_bounce() {
        assert_eq!(plain(Some("desk@cardio.example"), false, "Undeliverable?", None, "we got a bounce from <x@y.example>"), None);
    }
}
