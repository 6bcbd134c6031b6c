//! The sequence-number protocol (chapter 2.10.1): a sender counts its messages in MSH-13, and is told in MSA-4 where we are.
//!
//! Where a channel has it on, a message that is not the next one is refused, so that none is lost and none taken twice.
//!
//! # Design notes
//! The last number is not kept beside the messages: it is read in MSH-13 of the last message that was in order, which the store finds
//! by a control key of its sender. So it is durable in the same transaction as that message, and a crash cannot part the two. In
//! exchange, such a channel does not notice that an MSH-10 is used again; counting makes that unnecessary.

use crate::{
    ids::ChannelName,
    message::{Message, State},
    normalize::hl7::Refusal,
    protocols::hl7::RawHeader,
};

/// MSH-13 of a sender that does not know where we are: tell it.
const WHERE_ARE_WE: i64 = 0;
/// MSH-13 of a sender that begins anew, and MSA-4 where no number is known: the next one is taken, whatever it is.
const ANEW: i64 = -1;

/// The last message of a sender that was in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    number: i64,
    /// It was refused: its sender may mend it and send it again under its number.
    refused: bool,
}

impl Last {
    pub(super) fn of(message: &Message, body: &[u8]) -> Option<Self> {
        let number = number(&RawHeader::read(body).ok()?)?;
        Some(Self { number, refused: message.state == State::Failed })
    }
}

/// What a message's number means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// MSA-4: the number itself, or the one expected.
    pub(super) answer: i64,
    /// Why it is refused.
    pub(super) refusal: Option<Refusal>,
    /// Whether it is now the last one of its sender.
    pub(super) advances: bool,
}

/// MSH-13, if it is a number.
pub(super) fn number(header: &RawHeader) -> Option<i64> {
    header.text(13).trim().parse().ok().filter(|number| *number >= ANEW)
}

/// Whether a number asks about the count, and counts nothing: such a message may be a header alone.
pub(super) fn asks(number: Option<i64>) -> bool {
    matches!(number, Some(WHERE_ARE_WE | ANEW))
}

/// The key by which the store finds the last message of a sender on a channel.
pub(super) fn last_key(channel: &ChannelName, sender: &str) -> String {
    format!("sequence|{channel}|{sender}")
}

/// Compares a message's number with the last one.
pub(super) fn count_of(header: &RawHeader, last: Option<Last>, came_before: bool) -> Counted {
    let mut counted = count(number(header), last, came_before);
    // Table 0357: something is there, and it is no number.
    if let Some(refusal) = counted.refusal.as_mut().filter(|refusal| refusal.code == 101 && !header.text(13).trim().is_empty()) {
        refusal.code = 102;
    }
    counted
}

/// Compares a number with the last one. `came_before`: this very message, under this number, was taken already.
fn count(number: Option<i64>, last: Option<Last>, came_before: bool) -> Counted {
    let expected = last.filter(|last| last.number > ANEW).map(|last| last.number.saturating_add(1));
    let accepted = |answer, advances| Counted { answer, refusal: None, advances };
    match number {
        None => {
            let text = "this channel counts messages: MSH-13 must be a whole number";
            let refusal = Some(Refusal::error(101, "MSH^1^13", text));
            Counted { answer: expected.unwrap_or(ANEW), refusal, advances: false }
        }
        Some(WHERE_ARE_WE) => accepted(expected.unwrap_or(ANEW), false),
        Some(ANEW) => accepted(ANEW, true),
        Some(number) => match expected {
            None => accepted(number, true),
            Some(expected) if number == expected => accepted(number, true),
            Some(_) if came_before => accepted(number, false),
            Some(_) if last.is_some_and(|last| last.refused && last.number == number) => accepted(number, true),
            Some(expected) => {
                let text = format!("the sequence number is out of order: {expected} is expected, MSH-13 is {number}");
                Counted { answer: expected, refusal: Some(Refusal::error(207, "MSH^1^13", text)), advances: false }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(number: i64) -> Option<Last> {
        Some(Last { number, refused: false })
    }

    #[test]
    fn quirk_2_a_sequence_number_out_of_order_is_refused_with_the_one_expected() {
        for (number, last, answer) in [(7, last(5), 6), (5, last(5), 6), (1, last(5), 6)] {
            let counted = count(Some(number), last, false);
            assert_eq!((counted.answer, counted.advances), (answer, false));
            assert_eq!(counted.refusal.map(|refusal| (refusal.code, refusal.location)), Some((207, "MSH^1^13".to_owned())));
        }
        let missing = count(None, last(5), false);
        assert_eq!((missing.answer, missing.refusal.map(|refusal| refusal.code)), (6, Some(101)));
        for (filled, code) in [("abc", 102), ("52.0", 102), (" ", 101), ("", 101)] {
            let header = RawHeader::read(format!("MSH|^~\\&|E|H|L||20261121||REF^I12|1|P|2.5.1|{filled}\r").as_bytes()).unwrap();
            assert_eq!(count_of(&header, last(5), false).refusal.map(|refusal| refusal.code), Some(code), "{filled}");
        }
    }

    #[test]
    fn the_next_number_is_taken_and_echoed_and_the_first_may_be_any() {
        for (number, last) in [(6, last(5)), (1, None), (4711, None), (9, last(-1))] {
            assert_eq!(count(Some(number), last, false), Counted { answer: number, refusal: None, advances: true });
        }
    }

    #[test]
    fn zero_asks_where_we_are_and_minus_one_begins_anew() {
        assert_eq!(count(Some(0), last(5), false), Counted { answer: 6, refusal: None, advances: false });
        assert_eq!(count(Some(0), None, false), Counted { answer: -1, refusal: None, advances: false });
        assert_eq!(count(Some(-1), last(5), false), Counted { answer: -1, refusal: None, advances: true });
    }

    #[test]
    fn a_message_whose_answer_was_lost_comes_again_and_a_refused_one_may_be_mended() {
        assert_eq!(count(Some(5), last(5), true), Counted { answer: 5, refusal: None, advances: false });
        let refused = Some(Last { number: 5, refused: true });
        assert_eq!(count(Some(5), refused, false), Counted { answer: 5, refusal: None, advances: true });
    }

    #[test]
    fn what_is_no_number_is_none() {
        let read =
            |field: &str| number(&RawHeader::read(format!("MSH|^~\\&|A|B|C|D|1||REF^I12|1|P|2.4|{field}\r").as_bytes()).unwrap());
        assert_eq!((read("7"), read(" 0 "), read("-1")), (Some(7), Some(0), Some(-1)));
        assert_eq!((read(""), read("-2"), read("x"), read("1.5")), (None, None, None, None));
    }
}
