//! What the statements of a reply come to together.

use super::Said;
use crate::referral::ReplyOutcome;

impl Said {
    /// The one outcome that all statements come to: the furthest along one path; two paths are a contradiction.
    pub(super) fn outcome(&mut self) -> Option<ReplyOutcome> {
        use ReplyOutcome::{Accepted, Completed, Declined, NeedsInformation, Received, Redirected, Scheduled, WrongRecipient};
        let mut said = self.outcomes.clone();
        if said.is_empty() {
            return self.yes.then_some(Received);
        }
        let has = |said: &[ReplyOutcome], outcome| said.contains(&outcome);
        if said.len() > 1 && !has(&said, ReplyOutcome::NotReceived) {
            said.retain(|outcome| *outcome != Received);
        }
        if has(&said, Scheduled) || has(&said, Completed) {
            said.retain(|outcome| *outcome != Accepted);
        }
        // Accepted, and before they go on they want something: that is what has to be done.
        if said == [Accepted, NeedsInformation] {
            said.retain(|outcome| *outcome != Accepted);
        }
        if has(&said, Redirected) {
            said.retain(|outcome| *outcome != Declined);
        }
        if has(&said, WrongRecipient) {
            said.retain(|outcome| *outcome != Redirected);
        }
        if said.len() > 1 {
            self.doubt("it says several things");
        }
        // The best reading of several is the one that was said last.
        said.last().copied()
    }

    pub(super) fn received(&self, outcome: Option<ReplyOutcome>) -> Option<bool> {
        let yes = self.yes || self.outcomes.contains(&ReplyOutcome::Received);
        let no = self.outcomes.contains(&ReplyOutcome::NotReceived);
        match (yes, no) {
            (true, false) if outcome != Some(ReplyOutcome::WrongRecipient) => Some(true),
            (false, true) => Some(false),
            (true | false, true | false) => None,
        }
    }

    /// Some things are said beside one outcome alone.
    pub(super) fn weigh_what_goes_along(&mut self, outcome: Option<ReplyOutcome>) {
        use ReplyOutcome::{
            Accepted, AppointmentCancelled, Cancelled, Completed, Declined, NeedsInformation, NotReceived, PatientDeclined,
            PatientUnreachable, Received, Redirected, Scheduled, WrongRecipient,
        };
        /// A form names every choice it has.
        const OUTCOMES_MAX: usize = 2;
        if self.because && outcome != Some(Declined) {
            self.doubt("it gives a reason, and it is not plain for what");
        }
        if self.again && !matches!(outcome, Some(NotReceived | NeedsInformation)) {
            self.doubt("it asks to send something again");
        }
        if self.report && !matches!(outcome, Some(Scheduled | Completed)) {
            self.doubt("it speaks of a visit, and does not say that there is one");
        }
        let of_the_desk = matches!(
            outcome,
            Some(Declined | Accepted | Cancelled | AppointmentCancelled | WrongRecipient | NotReceived | Redirected)
        );
        if self.pronoun && self.doctor {
            self.doubt("who said no may be the doctor");
        }
        if of_the_desk && (self.called || (self.left && outcome != Some(Accepted))) {
            // "Called patient. Declined.", "Called her, wrong number".
            self.doubt("it tells of a call to the patient, and it is not plain who says what");
        }
        if self.unreached && !self.pending && outcome != Some(PatientUnreachable) {
            self.doubt("they could not reach the patient");
        }
        let may_regret = matches!(
            outcome,
            Some(Declined | NotReceived | WrongRecipient | PatientDeclined | PatientUnreachable | NeedsInformation | Redirected)
        );
        if self.regret && !may_regret {
            self.doubt("it regrets something, and it is not plain what");
        }
        if outcome == Some(WrongRecipient) && self.outcomes.contains(&Received) {
            self.doubt("it says that it came, and that it is not theirs");
        }
        let over = matches!(outcome, Some(Declined | NotReceived | WrongRecipient | Cancelled | PatientDeclined | Redirected));
        if (over || outcome == Some(PatientUnreachable)) && (self.pending || self.review) {
            self.doubt("it goes on with what it says no to");
        }
        if self.outcomes.len() > OUTCOMES_MAX && self.days.is_empty()
            || self.ticks && self.days.is_empty() && self.outcomes.len() > 1
        {
            self.doubt("it names several outcomes, as a form does");
        }
    }
}
