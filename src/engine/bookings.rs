//! Which of several visits a booking is about: a calendar tells each by its own numbers (SCH-2, SCH-1).
//!
//! # Design notes
//! A patient may have two visits under one referral, the consultation and an examination, and each has its cancel and its no-show. The visit
//! that was booked last stands in the record as its appointment; those beside it follow, so that the end of one does not take the other
//! away. What was missed, or is past, is no visit to come, and never stands again for one that was taken back.

use jiff::civil::Date;

use super::{decide::Desk, finding::is_overtaken_by, interpret::today};
use crate::{
    ids::MessageId,
    message::Protocol,
    referral::{Appointment, Booking, HistoryEvent, Record, Referral, Reply, ReplyOutcome, Status},
    store::StoreError,
};

/// What a booking means where its calendar tells the visits apart. A visit that ends where another one stands leaves the referral booked:
/// then it gives what stands.
pub(super) fn told_apart(record: &mut Record, status: Status, reply: &Reply, today: Date) -> Option<Reply> {
    let Booking { numbers, moves } = reply.booking.as_ref()?;
    let is_it = |one: &Appointment| one.booking.iter().any(|number| numbers.contains(number));
    let is_to_come = |one: &Appointment| one.at.date().is_none_or(|day| day >= today);
    // After a no-show the appointment that was missed is still in the record.
    let is_booked = matches!(status, Status::Scheduled | Status::NeedsInformation);
    let stands = record.appointment.clone().filter(|one| is_booked && !one.booking.is_empty());
    let further = &mut record.further_appointments;
    let is_known = stands.as_ref().is_some_and(is_it) || further.iter().any(is_it);
    match reply.outcome {
        ReplyOutcome::Scheduled => {
            reply.appointment.as_ref()?;
            further.retain(|one| !is_it(one));
            // A system that gives a new number when it moves the only visit.
            let moves_it = *moves && !is_known;
            further.extend(stands.filter(|one| !is_it(one) && !moves_it && is_to_come(one)));
            None
        }
        ReplyOutcome::AppointmentCancelled | ReplyOutcome::NoShow => {
            further.retain(|one| !is_it(one) && is_to_come(one));
            let next = match stands? {
                ended if is_it(&ended) => further.pop()?,
                stands if is_to_come(&stands) => stands,
                _ => return None,
            };
            let booking = Some(Booking { numbers: next.booking.clone(), moves: false });
            Some(Reply { outcome: ReplyOutcome::Scheduled, appointment: Some(next), booking, reason: None, ..reply.clone() })
        }
        _ => None,
    }
}

/// Why a booking by HL7 is not taken at its word: its day was past when it was written, or what its sender said last overtook it.
///
/// # Errors
/// The store cannot be read.
pub(super) fn doubt(desk: &Desk<'_>, known: &Referral, reply: &Reply) -> Result<Option<&'static str>, StoreError> {
    if desk.message().protocol != Protocol::Hl7 || desk.message().assigned.is_some() {
        return Ok(None);
    }
    let booked = reply.appointment.as_ref().filter(|_| reply.outcome == ReplyOutcome::Scheduled);
    let written = desk.source().written_at.unwrap_or(desk.message().received_at);
    // The calendars of two places can be a day apart.
    let day = today(&desk.config.settings, written).yesterday().ok();
    if booked.and_then(|it| it.at.date()).zip(day).is_some_and(|(at, day)| at < day) {
        return Ok(Some("it books a day that was past when it was written: ask the desk"));
    }
    let is_it = |one: &Appointment| {
        reply.booking.as_ref().is_none_or(|said| one.booking.is_empty() || one.booking.iter().any(|it| said.numbers.contains(it)))
    };
    let missed = known.record.appointment.as_ref().filter(|one| reply.outcome == ReplyOutcome::NoShow && is_it(one));
    let next_day = today(&desk.config.settings, written).tomorrow().ok();
    if missed.and_then(|it| it.at.date()).zip(next_day).is_some_and(|(at, day)| at > day) {
        return Ok(Some("it says that the patient did not come to a visit whose day is yet to come: ask the desk"));
    }
    let is_booking = booked.is_some() || reply.booking.is_some();
    let books = |message: MessageId| {
        let of_it = known.history.iter().filter(|entry| entry.message == Some(message));
        let outcomes = of_it.filter_map(|entry| match entry.event {
            HistoryEvent::Replied { outcome, .. } => Some(outcome),
            _ => None,
        });
        outcomes.into_iter().any(is_of_a_visit)
    };
    Ok((is_booking && is_overtaken_by(desk, known, books)?)
        .then_some("by MSH-7 it was written before what its sender said last of a visit, and came later: compare the two"))
}

fn is_of_a_visit(outcome: ReplyOutcome) -> bool {
    matches!(outcome, ReplyOutcome::Scheduled | ReplyOutcome::AppointmentCancelled | ReplyOutcome::NoShow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::IsoDate;

    fn booking(number: &str) -> Vec<String> {
        number.split(' ').map(str::to_owned).collect()
    }

    fn booked(number: &str, day: &str) -> Reply {
        let appointment = Appointment { at: IsoDate::parse(day).unwrap(), with: None, booking: booking(number) };
        let booking = Some(Booking { numbers: booking(number), moves: false });
        Reply { outcome: ReplyOutcome::Scheduled, appointment: Some(appointment), booking, ..Reply::unread() }
    }

    fn moved(number: &str, day: &str) -> Reply {
        Reply { booking: Some(Booking { numbers: booking(number), moves: true }), ..booked(number, day) }
    }

    fn ended(number: &str, outcome: ReplyOutcome) -> Reply {
        Reply { outcome, booking: Some(Booking { numbers: booking(number), moves: false }), ..Reply::unread() }
    }

    /// What a record has booked after these, how many beside it, and the status.
    fn after(replies: Vec<Reply>) -> (Option<String>, usize, Status) {
        let mut record = Record::default();
        let mut status = Status::Accepted;
        for reply in replies {
            let said = told_apart(&mut record, status, &reply, "2026-12-01".parse().unwrap()).unwrap_or(reply);
            (status, record.appointment) = match said.outcome {
                ReplyOutcome::Scheduled => (Status::Scheduled, said.appointment.or(record.appointment)),
                ReplyOutcome::AppointmentCancelled => (Status::Accepted, None),
                ReplyOutcome::NoShow => (Status::NoShow, record.appointment),
                _ => (status, record.appointment),
            };
        }
        (record.appointment.map(|it| it.at.as_str().to_owned()), record.further_appointments.len(), status)
    }

    #[test]
    fn the_end_of_one_visit_leaves_the_other() {
        use ReplyOutcome::{AppointmentCancelled, NoShow};
        let (first, second) = (Some("2026-12-14".to_owned()), Some("2026-12-10".to_owned()));
        let with = |more: Vec<Reply>| {
            after([booked("AP1", "2026-12-14"), booked("AP2", "2026-12-10")].into_iter().chain(more).collect())
        };
        assert_eq!(with(vec![]), (second.clone(), 1, Status::Scheduled));
        assert_eq!(with(vec![ended("AP2", AppointmentCancelled)]), (first.clone(), 0, Status::Scheduled));
        assert_eq!(with(vec![ended("AP1", AppointmentCancelled)]), (second.clone(), 0, Status::Scheduled));
        assert_eq!(with(vec![ended("AP2", NoShow)]), (first, 0, Status::Scheduled));
        let off = vec![ended("AP1", AppointmentCancelled), ended("AP2", AppointmentCancelled)];
        assert_eq!(with(off), (None, 0, Status::Accepted));
        assert_eq!(with(vec![booked("AP2", "2026-12-11")]), (Some("2026-12-11".to_owned()), 1, Status::Scheduled));
        assert_eq!(with(vec![moved("AP1", "2026-12-15")]).1, 1, "the other one is moved");
        let timeless = Reply { appointment: None, ..booked("AP1", "2026-12-14") };
        assert_eq!(with(vec![timeless]), (second, 1, Status::Scheduled));
    }

    #[test]
    fn what_was_missed_or_is_past_stands_for_no_visit_to_come() {
        use ReplyOutcome::{AppointmentCancelled, NoShow};
        let again = [booked("AP1", "2026-12-14"), ended("AP1", NoShow), booked("AP3", "2026-12-20")];
        let off = again.into_iter().chain([ended("AP3", AppointmentCancelled)]).collect();
        assert_eq!(after(off), (None, 0, Status::Accepted));
        let past = vec![booked("AP1", "2026-11-20"), booked("AP2", "2026-12-10"), ended("AP2", AppointmentCancelled)];
        assert_eq!(after(past), (None, 0, Status::Accepted));
    }

    #[test]
    fn one_visit_is_known_by_either_of_its_numbers_and_a_move_makes_no_second_one() {
        let off = |number: &str| ended(number, ReplyOutcome::AppointmentCancelled);
        assert_eq!(after(vec![booked("P1", "2026-12-14"), moved("F9 P1", "2026-12-15"), off("F9")]), (None, 0, Status::Accepted));
        assert_eq!(after(vec![booked("F1", "2026-12-14"), moved("F2", "2026-12-15"), off("F2")]), (None, 0, Status::Accepted));
    }

    #[test]
    fn without_numbers_a_booking_is_about_the_only_visit() {
        let day = |day: &str| Reply { booking: None, ..booked("", day) };
        assert_eq!(after(vec![day("2026-12-14"), day("2026-12-10")]), (Some("2026-12-10".to_owned()), 0, Status::Scheduled));
        let off = Reply { outcome: ReplyOutcome::AppointmentCancelled, ..Reply::unread() };
        assert_eq!(after(vec![day("2026-12-14"), off]).0, None);
    }
}
