//! What the index keeps of a record beside its position in the journal: enough to list by state and to find what is due, without
//! reading the record.
//!
//! # Design notes
//! The records themselves stood in the index once. sled rewrites a whole page for each change of it, so that their bytes were written
//! many times over; now a value has 14 bytes at best, and who wants the record reads it from the journal, where it is in the page cache if
//! it is recent.

use super::{
    StoreError,
    frame::Position,
    keys::{self, DueBytes},
};
use crate::{
    delivery::{Delivery, DeliveryState},
    message::{Message, State},
    referral::{Referral, Status},
};

/// Set beside a referral's status while a person must act on it.
const HELD: u8 = 0x80;

/// The mark of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Its state, as one of the numbers below.
    pub(super) state: u8,
    /// When it is due, as its due key has it, while it may fall due; of a referral its version.
    pub(super) number: DueBytes,
}

/// The number of a message's state. The numbers are on disk.
pub(super) fn message_state(state: State) -> u8 {
    match state {
        State::Received => 1,
        State::Processed => 2,
        State::Held => 3,
        State::Failed => 4,
    }
}

/// The number of a delivery's state.
pub(super) fn delivery_state(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Queued => 1,
        DeliveryState::InFlight => 2,
        DeliveryState::Sent => 3,
        DeliveryState::Dead => 4,
        DeliveryState::Withdrawn => 5,
    }
}

/// The number of a referral's status.
pub(super) fn referral_status(status: Status) -> u8 {
    match status {
        Status::New => 1,
        Status::Requested => 2,
        Status::Confirmed => 3,
        Status::Accepted => 4,
        Status::NeedsInformation => 5,
        Status::Declined => 6,
        Status::Redirected => 7,
        Status::Scheduled => 8,
        Status::NoShow => 9,
        Status::Completed => 10,
        Status::Closed => 11,
        Status::CancelRequested => 12,
        Status::Cancelled => 13,
        Status::Expired => 14,
    }
}

/// Whether the number of a referral's mark is that of a status.
pub(super) fn has_status(state: u8, status: Status) -> bool {
    state & !HELD == referral_status(status)
}

/// Whether the number of a referral's mark says that a person must act.
pub(super) fn is_held(state: u8) -> bool {
    state & HELD != 0
}

impl Mark {
    pub(super) fn of_message(message: &Message) -> Self {
        let number = match message.state {
            State::Received => keys::message_due_bytes(message.due_at),
            State::Processed | State::Held | State::Failed => DueBytes::default(),
        };
        Self { state: message_state(message.state), number }
    }

    pub(super) fn of_referral(referral: &Referral) -> Self {
        let held = if referral.record.held.is_empty() { 0 } else { HELD };
        Self { state: referral_status(referral.status) | held, number: referral.version.to_be_bytes() }
    }

    pub(super) fn of_delivery(delivery: &Delivery) -> Self {
        let number = match delivery.state {
            DeliveryState::Queued => keys::due_bytes(delivery.due_at),
            DeliveryState::InFlight | DeliveryState::Sent | DeliveryState::Dead | DeliveryState::Withdrawn => DueBytes::default(),
        };
        Self { state: delivery_state(delivery.state), number }
    }

    /// A referral's version.
    pub(super) fn version(self) -> u64 {
        u64::from_be_bytes(self.number)
    }

    /// The value that the index keeps: the number without the zeros before it.
    pub(super) fn value(self, position: Position) -> Vec<u8> {
        let zeros = self.number.iter().take_while(|byte| **byte == 0).count();
        let number = self.number.get(zeros..).unwrap_or_default();
        let mut value = Vec::with_capacity(Position::BYTES + 1 + number.len());
        value.extend_from_slice(&position.to_bytes());
        value.push(self.state);
        value.extend_from_slice(number);
        value
    }

    /// Position and mark out of the value that the index has.
    pub(super) fn split(value: &[u8]) -> Result<(Position, Self), StoreError> {
        let split = Position::split(value).and_then(|(position, rest)| {
            let (state, rest) = rest.split_first()?;
            let mut number = DueBytes::default();
            let zeros = number.len().checked_sub(rest.len())?;
            number.get_mut(zeros..)?.copy_from_slice(rest);
            Some((position, Self { state: *state, number }))
        });
        split.ok_or_else(|| StoreError::Unreadable("the index has a record without its position".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_with_its_position() {
        let mark = Mark { state: referral_status(Status::Scheduled) | HELD, number: 7_u64.to_be_bytes() };
        let position = Position { segment: 1, offset: 2, length: 3 };
        let value = mark.value(position);
        assert_eq!(Mark::split(&value).unwrap(), (position, mark));
        assert!(has_status(mark.state, Status::Scheduled) && is_held(mark.state) && mark.version() == 7);
        assert_eq!(value.len(), Position::BYTES + 2);
        assert!(Mark::split(&value[..Position::BYTES]).is_err() && Mark::split(&[&value[..], &[0; 8]].concat()).is_err());
        let due = Mark { state: message_state(State::Received), number: keys::message_due_bytes(None) };
        assert_eq!(Mark::split(&due.value(position)).unwrap(), (position, due));
    }
}
