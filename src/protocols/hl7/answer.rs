//! An answer to a message of ours: MSA and ERR, in the shapes of all versions, and whether it says more than these.

use super::{Message, ReadLimits, Text, Unreadable};

/// The longest text that is kept of what an answer says, in characters.
const WORDS_CHARS_MAX: usize = 500;

/// MSA-1 (HL7 table 0008).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerCode {
    /// Application accept.
    AA,
    /// Application error.
    AE,
    /// Application reject.
    AR,
    /// Commit accept.
    CA,
    /// Commit error.
    CE,
    /// Commit reject.
    CR,
}

impl AnswerCode {
    fn read(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "AA" => Some(Self::AA),
            "AE" => Some(Self::AE),
            "AR" => Some(Self::AR),
            "CA" => Some(Self::CA),
            "CE" => Some(Self::CE),
            "CR" => Some(Self::CR),
            _ => None,
        }
    }

    /// As it stands in MSA-1.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AA => "AA",
            Self::AE => "AE",
            Self::AR => "AR",
            Self::CA => "CA",
            Self::CE => "CE",
            Self::CR => "CR",
        }
    }
}

/// What an answer says. Its words may name a patient, so it does not print them.
#[derive(Clone)]
pub struct Answer {
    /// MSA-1; none: it is missing, or no code of the table.
    pub code: Option<AnswerCode>,
    /// MSA-2: the MSH-10 it answers; empty: it answers none.
    pub control_id: String,
    /// MSH-9.1 in upper case.
    pub message_type: String,
    /// The codes of HL7 table 0357 in ERR and MSA-6, without those that say that all is well.
    pub error_codes: Vec<u16>,
    /// MSA-3, what ERR says in words and the notes, as one line; empty: nothing.
    pub words: String,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// It is no HL7 message.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let text = Text::read(bytes, ReadLimits::default())?;
        let message = Message::parse(&text)?;
        let mut answer = Self {
            code: AnswerCode::read(&message.value("MSA", 1)),
            control_id: message.value("MSA", 2).into_owned(),
            message_type: message.value("MSH", 9).to_ascii_uppercase(),
            error_codes: Vec::new(),
            words: String::new(),
        };
        let mut said: Vec<String> = Vec::new();
        if let Some(msa) = message.first("MSA") {
            said.push(msa.field(3).text());
            said.push(msa.value(6, 2).into_owned());
            answer.error_codes.extend(code(&msa.value(6, 1)));
        }
        for err in message.all("ERR") {
            // From 2.5 on the code has a field of its own; before, it is a component of the location; some write it where they like.
            let old = err.field(1).repetitions().map(|location| location.component(4));
            let old: Vec<_> = old.map(|coded| (coded.part(1).into_owned(), coded.part(2).into_owned())).collect();
            let elsewhere = [1, 2, 4].map(|field| (err.value(field, 1).into_owned(), err.value(field, 2).into_owned()));
            let stated = (err.value(3, 1).into_owned(), err.value(3, 2).into_owned());
            let found = std::iter::once(stated).chain(old).chain(elsewhere).find(|(text, _)| code(text).is_some());
            if let Some((number, words)) = found {
                answer.error_codes.extend(code(&number));
                said.push(words);
            }
            said.extend([8, 7].map(|field| err.field(field).text()));
        }
        said.extend(message.all("NTE").map(|note| note.field(3).text()));
        said.retain(|text| !text.is_empty());
        said.dedup();
        let line = said.join("; ").split_whitespace().collect::<Vec<_>>().join(" ");
        answer.words = line.chars().filter(|symbol| !symbol.is_control()).take(WORDS_CHARS_MAX).collect();
        Ok(answer)
    }

    /// Whether it is an acknowledgement alone, and refuses what it names.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let refuses = matches!(self.code, Some(AnswerCode::AE | AnswerCode::AR | AnswerCode::CE | AnswerCode::CR));
        refuses && !self.control_id.is_empty() && matches!(self.message_type.as_str(), "ACK" | "MCF")
    }

    /// The refusal in short: its code, and those of the errors.
    #[must_use]
    pub fn in_short(&self) -> String {
        let codes: Vec<String> = self.error_codes.iter().map(u16::to_string).collect();
        let codes = if codes.is_empty() { String::new() } else { format!(" (error {})", codes.join(", ")) };
        format!("{}{codes}", self.code.map_or("", AnswerCode::as_str))
    }

    /// Whether it is an acknowledgement and nothing more. Others are messages of their own: an RRI says what becomes of a referral.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        matches!(self.message_type.as_str(), "" | "ACK" | "MCF" | "NAK")
    }
}

/// A code of table 0357 that names an error: 100 to 299.
fn code(text: &str) -> Option<u16> {
    text.parse().ok().filter(|code| (100..300).contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Answer {
        Answer::read(format!("MSH|^~\\&|EHR|H|LOOPLINE||20261121||ACK^I12^ACK|9|P|2.5.1\r{lines}").as_bytes()).unwrap()
    }

    #[test]
    fn each_versions_way_to_say_what_is_wrong_is_read() {
        for (lines, codes, words) in [
            ("MSA|AR|C1\rERR||MSH^1^9|200^Unsupported message type^HL70357|E\r", vec![200], "Unsupported message type"),
            ("MSA|AR|C1|no\rERR|MSH^1^12^203&Unsupported version id&HL70357\r", vec![203], "no; Unsupported version id"),
            ("MSA|AE|C1|bad||| 101^Required field missing^HL70357\r", vec![101], "bad; Required field missing"),
            ("MSA|AR|C1\rERR|207\r", vec![207], ""),
            ("MSA|AE|C1\rERR||PID^1^5|101|E||||no\\.br\\name\r", vec![101], "no name"),
            ("MSA|AE|C1|try 200 times\r", vec![], "try 200 times"),
            ("MSA|AA|C1\rERR||PID|0^Message accepted^HL70357|I\r", vec![], ""),
            ("MSA|AE|C1|no\rNTE|1||call us\r", vec![], "no; call us"),
        ] {
            let answer = read(lines);
            assert_eq!((answer.error_codes, answer.words.as_str(), answer.control_id.as_str()), (codes, words, "C1"), "{lines}");
        }
    }

    #[test]
    fn a_message_that_answers_nothing_has_no_code() {
        assert_eq!(read("PID|1\r").code, None);
        assert_eq!(read("MSA|OK|C1\r").code, None);
        assert_eq!(read("MSA|aa|C1\r").code, Some(AnswerCode::AA));
        assert!(Answer::read(b"hello").is_err());
    }

    #[test]
    fn only_an_acknowledgement_says_no_more_than_its_codes() {
        for (kind, is_bare) in
            [("ACK", true), ("ACK^I12", true), ("ack^I12^ACK", true), ("", true), ("RRI^I12", false), ("OSU^O51^OSU_O51", false)]
        {
            let answer = Answer::read(format!("MSH|^~\\&|EHR|H|L||20261121||{kind}|9|P|2.5.1\rMSA|AA|C1\r").as_bytes()).unwrap();
            assert_eq!(answer.is_bare(), is_bare, "{kind}");
        }
    }

    #[test]
    fn what_it_says_is_kept_to_a_line_of_bounded_length() {
        let long = "x y\\.br\\".repeat(1_000);
        assert_eq!(read(&format!("MSA|AE|C1|{long}\r")).words.chars().count(), WORDS_CHARS_MAX);
    }
}
