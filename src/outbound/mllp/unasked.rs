//! What comes on a connection of ours and answers nothing that is waited for.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    delivery::DeliveryState,
    engine::intake::{Intake, IntakeError},
    ids::ChannelName,
    message::{Arrival, Protocol},
    protocols::hl7::Answer,
    store::Store,
};

/// How often, and with what pauses, it is looked whether an acceptance is written that a refusal followed.
const SETTLING_LOOKS_MAX: u32 = 250;
const SETTLING_PAUSE: Duration = Duration::from_millis(20);

/// Takes what comes by itself: messages of the other side's own, and refusals of what it had accepted.
pub(super) struct Unasked {
    pub(super) channel: ChannelName,
    pub(super) store: Store,
    pub(super) intake: Intake,
}

impl Unasked {
    /// Waits until it is written that the message was accepted which this refuses: the two may come at once.
    async fn settled(&self, body: &[u8]) {
        let Ok(answer) = Answer::read(body) else { return };
        for _ in 0..SETTLING_LOOKS_MAX {
            match self.store.delivery_of_control_id(&answer.control_id) {
                Ok(Some(delivery)) if answer.is_refusal() && delivery.state == DeliveryState::InFlight => {
                    tokio::time::sleep(SETTLING_PAUSE).await;
                }
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Stores it, and gives what it is answered with; none: nothing.
    pub(super) async fn take(&self, body: Bytes) -> Option<Bytes> {
        self.settled(&body).await;
        let (channel, received_at) = (self.channel.clone(), Timestamp::now());
        let arrival = Arrival { channel, protocol: Protocol::Hl7, body, received_at, peer: None, file: None };
        match self.intake.accept(arrival).await {
            Ok(accepted) => accepted.answer,
            Err(error) => {
                tracing::warn!(channel = %self.channel, %error, "a message that came unasked on our connection was not taken");
                match error {
                    IntakeError::Unavailable { answer, .. } => answer,
                    IntakeError::NotAMessage(_) | IntakeError::Stopping => None,
                }
            }
        }
    }
}
