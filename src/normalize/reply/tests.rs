//! Front desks' own words, and what they come to.

use super::*;

const SENT_ON: Date = Date::constant(2026, 11, 21);

fn read(words: &str) -> Reply {
    read_reply(words, SENT_ON, DateOrder::MonthFirst)
}

/// Words, the outcome, whether they say that they have it, and the appointment.
type Case = (&'static str, ReplyOutcome, Option<bool>, Option<&'static str>);

const PLAIN: &[Case] = {
    use ReplyOutcome as O;
    const AT: Option<&str> = Some("2026-12-14T10:30");
    &[
        ("yes, received, booked for 12/14/2026 10:30", O::Scheduled, Some(true), AT),
        ("Received. Scheduled 12/14 at 10:30 AM with Dr. Ames.", O::Scheduled, Some(true), AT),
        ("Pt is scheduled for Dec 14 at 10:30am, thanks!", O::Scheduled, None, AT),
        ("We got it. Appt: Monday, December 14, 2026 at 10:30 a.m.", O::Scheduled, Some(true), AT),
        (
            "Hi,\n\nReferral received. The patient has been scheduled for 14 December 2026 at 10:30.\n\nBest regards,\nMaria Gomez\nFront Desk, Eastside Cardiology\n(555) 201-3344",
            O::Scheduled,
            Some(true),
            AT,
        ),
        ("Appointment made for 12/14/26 @ 10:30", O::Scheduled, None, AT),
        ("She has an appointment on 12/14/2026 at 10:30.", O::Scheduled, None, AT),
        ("booked 12-14-2026 10:30", O::Scheduled, None, AT),
        ("Received: yes\nAppointment: 12/14/2026 10:30", O::Scheduled, Some(true), AT),
        ("Booked for 12/15/2026, time to follow.", O::Unclear, None, Some("2026-12-15")),
        ("Scheduled for 12/15/2026. Thank you for the referral!", O::Scheduled, None, Some("2026-12-15")),
        ("Yes we received it and booked her for 1/5 at 2pm", O::Scheduled, Some(true), Some("2027-01-05T14:00")),
        ("scheduled tomorrow at 9:15 am", O::Scheduled, None, Some("2026-11-22T09:15")),
        ("Rescheduled to 12/16/2026 at 11:00 am.", O::Scheduled, None, Some("2026-12-16T11:00")),
        ("We have received the referral and the patient has been scheduled.", O::Scheduled, Some(true), None),
        ("We received it on 11/20/2026 and we will schedule her soon", O::Unclear, Some(true), None),
        ("received, thanks", O::Received, Some(true), None),
        ("Received", O::Received, Some(true), None),
        ("RECEIVED, THANK YOU", O::Received, Some(true), None),
        ("Yes", O::Received, Some(true), None),
        ("Yes, we have it.", O::Received, Some(true), None),
        ("Got it, thank you!", O::Received, Some(true), None),
        ("Confirmed", O::Received, Some(true), None),
        ("Confirming receipt of this referral.\nThanks,\nDana", O::Received, Some(true), None),
        ("We rec'd the fax. Thx", O::Received, Some(true), None),
        ("Referral was received on 11/20. Have a great day!", O::Received, Some(true), None),
        ("Good morning, we have received your referral. We will call the patient to schedule.", O::Received, Some(true), None),
        ("Received, not yet scheduled.", O::Received, Some(true), None),
        ("Received: yes\nAppointment: not yet", O::Received, Some(true), None),
        ("Thank you for the referral. It has been received. Please call us with any questions.", O::Received, Some(true), None),
        ("Thanks, Maria\nReceipt confirmed", O::Received, Some(true), None),
        ("we accept, will call the patient", O::Accepted, None, None),
        ("Referral accepted.", O::Accepted, None, None),
        ("Yes, we can see her.", O::Accepted, Some(true), None),
        ("We are happy to see this patient. Thanks for the referral.", O::Accepted, None, None),
        ("Received and accepted. Our scheduler will contact the patient.", O::Accepted, Some(true), None),
        ("Dr. Ames will take the patient.", O::Accepted, None, None),
        ("not received", O::NotReceived, Some(false), None),
        ("we did not get it", O::NotReceived, Some(false), None),
        ("No, we have not received this referral yet.", O::NotReceived, Some(false), None),
        ("We never received anything.", O::NotReceived, Some(false), None),
        ("We don't have this referral.", O::NotReceived, Some(false), None),
        ("We have no record of this referral in our system", O::NotReceived, Some(false), None),
        ("Can't find the referral on our end", O::NotReceived, Some(false), None),
        ("The fax didn’t come through.", O::NotReceived, Some(false), None),
        ("wrong fax", O::WrongRecipient, None, None),
        ("You have the wrong clinic.", O::WrongRecipient, None, None),
        ("We received this in error.", O::WrongRecipient, None, None),
        ("This is not a cardiology office.", O::WrongRecipient, None, None),
        ("Dr. Ames no longer works here", O::WrongRecipient, None, None),
        ("We decline this referral because we are out of network with her plan.", O::Declined, None, None),
        ("Referral declined.", O::Declined, None, None),
        ("We are not accepting new patients at this time.", O::Declined, None, None),
        ("We are unable to accept this patient due to staffing.", O::Declined, None, None),
        ("Received, but we can't see this patient.", O::Unclear, Some(true), None),
        ("We do not take her insurance.", O::Declined, None, None),
        ("Received. We do not treat movement disorders.", O::Declined, Some(true), None),
        ("please send the labs", O::NeedsInformation, None, None),
        ("Received. Please fax the most recent office notes and imaging.", O::NeedsInformation, Some(true), None),
        ("We need the insurance card and demographics.", O::NeedsInformation, None, None),
        ("Can you please send the MRI report?", O::NeedsInformation, None, None),
        ("Got the referral, still waiting on authorization.", O::Unclear, Some(true), None),
        ("Scheduled for\n12/14/2026 at 10:30 AM", O::Scheduled, None, AT),
        ("Received, the patient has been scheduled\nfor 12/14/2026 at 10:30", O::Scheduled, Some(true), AT),
        ("Booked\nDec 14 2026 10:30\nMaria", O::Scheduled, None, AT),
        ("referral received: yes\nappointment: yes, on 12/14/2026 at 10:30", O::Scheduled, Some(true), AT),
        ("referral received: yes\nappointment: not yet", O::Received, Some(true), None),
        ("[x] referral received: yes", O::Received, Some(true), None),
        ("Got it thanks!", O::Received, Some(true), None),
        ("rcvd ty", O::Received, Some(true), None),
        ("yes we did receive it", O::Received, Some(true), None),
        ("Received, to be scheduled", O::Received, Some(true), None),
        ("Received. Appt to be scheduled.", O::Received, Some(true), None),
        (
            "Confirmed.\nThanks,\nDenise R.\nPatient Access Specialist II\nSuite 300 | Portland, OR 97209",
            O::Received,
            Some(true),
            None,
        ),
        ("Please send this to Northside Cardiology.", O::Redirected, None, None),
        ("This referral should go to Westfield Neurology", O::Redirected, None, None),
        ("We are not accepting new patients. Please refer her to Dr. Okafor.", O::Redirected, None, None),
        ("Patient was seen on 11/19/2026.", O::Completed, None, None),
        ("Visit completed.", O::Completed, None, None),
        ("She was seen today by Dr. Ames.", O::Completed, None, None),
        ("Patient no-showed.", O::NoShow, None, None),
        ("no show for her appointment on 11/18/2026", O::NoShow, None, None),
        ("The patient did not show up.", O::NoShow, None, None),
        ("She missed her appointment.", O::NoShow, None, None),
        ("Patient declined the appointment.", O::PatientDeclined, None, None),
        ("The patient does not want to be seen.", O::PatientDeclined, None, None),
        ("Received. Patient is not interested.", O::PatientDeclined, Some(true), None),
        ("We have been unable to reach the patient.", O::PatientUnreachable, None, None),
        ("Received, left 3 voicemails with no response", O::PatientUnreachable, Some(true), None),
        ("Patient has not returned our calls.", O::PatientUnreachable, None, None),
        ("Cancelled.", O::Cancelled, None, None),
        ("Ok, we have cancelled the referral. Thanks!", O::Cancelled, None, None),
        ("Cancellation confirmed", O::Cancelled, None, None),
        ("We have canceled it on our end, thank you", O::Cancelled, None, None),
        ("This referral has been cancelled as requested.", O::Cancelled, None, None),
        ("This was faxed to the wrong office.", O::WrongRecipient, None, None),
        ("You have reached the wrong number", O::WrongRecipient, None, None),
        ("Got it, thanks! Will call the pt shortly.", O::Received, Some(true), None),
        ("Appt made: Dec 14, 2026 10:30am. Patient aware.", O::Scheduled, None, AT),
        ("Patient was seen by Dr. Ames on 11/19/2026, report to follow.", O::Completed, None, None),
        ("Received: yes\nAppointment: declined because no capacity", O::Declined, Some(true), None),
        ("Dr. Ames is not taking new patients.", O::Declined, None, None),
    ]
};

/// What must go to a person, each with the trap in it.
const UNCLEAR: &[&str] = &[
    "",
    "ok",
    "Thank you!",
    "No",
    "Who is this?",
    "Did you send this already? We received something last week.",
    "Received?",
    "Is she scheduled for 12/14/2026 10:30?",
    "If the insurance approves, we will see her.",
    "We will see the patient once the authorization is in.",
    "We can see her if she brings her records",
    "She may be scheduled for 12/14/2026.",
    "Tentatively booked for 12/14/2026 10:30",
    "Booked for 12/14/2026 10:30 pending authorization",
    "Scheduled for 12/14/2026 or 12/15/2026",
    "Booked for 12/14/2026 at 10:30 or 11:00",
    "Scheduled 12/14/2026, then moved to 12/16/2026",
    "Booked for 02/30/2027 at 10:30",
    "Scheduled for 10/14/2026 at 10:30",
    "Booked for Tuesday 12/14/2026 10:30",
    "Scheduled next Tuesday at 10",
    "Booked for 12/14/2026 at 2:30",
    "booked at 10:30",
    "12/14/2026 10:30",
    "Not scheduled",
    "The patient was not seen.",
    "We did not receive the labs.",
    "We received the referral but not the imaging",
    "Received. Declined.\nAccepted.",
    "We received it and we did not receive it",
    "Accepted but we need the labs first",
    "No show, rescheduled to 12/16/2026 at 10:00 am",
    "We received the fax for a different patient.",
    "Received. The patient passed away last week.",
    "Received, patient deceased",
    "Patient cancelled her appointment on 12/14/2026",
    "Received. She is in the hospital right now.",
    "We are fully booked.",
    "We are booked out until March",
    "Appointment was not scheduled for 12/14/2026",
    "Scheduled a phone call with the patient for 12/14/2026",
    "We accept Medicare",
    "We forwarded this to our scheduling team",
    "Please send her to our Eastside office",
    "Pages 2 and 3 are unreadable",
    "please resend",
    "Received LL-7K3M-Q9XD and the one for her brother",
    "Unfortunately, received.",
    "I think we received it",
    "Received\n\n---------- Forwarded message ---------\nFrom: someone",
    "We have an appointment",
    "patient last seen in 2019",
    "We should be able to schedule her for 12/14/2026",
    "I doubt that we received it.",
    "Wir haben die Überweisung nicht erhalten.",
    "yes, wrong number",
    "received in error? call us at 555-201-3344",
    "This mailbox is not monitored.",
    "A ticket has been created for your request.",
    "We will be seeing her on 12/14 at 10:30 unless she cancels",
    "Scheduled for 12/14/2036 at 10:30 am",
    "Booked at 12 Elm Street on 12/14/2026 at 14",
    "not booked for 12/14/2026 10:30",
    "I can not confirm receipt",
    "Nobody here received it",
    "You said you received it",
    "We received payment for this patient",
    "Patient has an appointment with her PCP on 12/14/2026 at 10:30",
    "She was seen at Northside",
    "The patient is not interested in surgery",
    "The patient accepted the appointment for 12/14/2026",
    "Patient accepted",
    "We need to cancel the order",
    "Do not cancel",
    "Cancelled?",
    "Not cancelled",
    "The patient cancelled",
    "She cancelled the referral",
    "We have cancelled our 3 pm and can see her",
    "Cancelled by the patient",
    "Why was it cancelled?",
    "Need labs?",
    "Please send the report to her family doctor",
    "please send this to fax 555-201-3344",
    "Will confirm receipt",
    "Received your voicemail",
    "She booked with Northside for 12/14/2026 at 10:30",
    "Waiting for the insurance to approve",
    "Received.\nToo far away for her.",
    "As discussed, we will see how it goes.",
    "Received, will be scheduled for 12/14/2026 at 10:30",
    "Please confirm that you received it",
    "The referral has been received by the wrong office",
    "Booked another patient on 12/14/2026 at 10:30",
    "She was booked for 12/14/2026 10:30 at a different clinic",
    "Accepted?",
    "Scheduled 12/14/2026 10:30\nN/S",
    "Scheduled 1.2.2027 9:00",
    "We have an appointment on 12/14/2026 at 10:30",
    "They will see her",
    "Patient to be scheduled.",
    "Received, yet to be scheduled on 12/14/2026",
    "Pt has yet to be scheduled",
    "She is to be scheduled on 12/14/2026",
    "She was to be scheduled 12/14/2026",
    "The referral has yet to be received.",
    "Scheduled\nDate: 12/14/2026\nTime: 10:30 AM\nProvider: Dr. Ames\nLocation: Eastside",
    "Scheduled.\n12/14/2026\n10:30 AM",
    "Booked 12/14/2026.\nTime: 10:30",
    "Booked 12/14/2026 10:30\nCorrection: 12/15/2026 10:30",
    "Booked 12/14/2026 10:30\nActually 12/15/2026",
    "Booked 12/14/2026 10:30\nNew Date 1/5/2027 9:00",
    "Booked 12/14/2026 10:30\nNow Jan 5 2027 9:00",
    "Booked 12/14/2026 10:30\nTypo - 12/15/2026",
    "Booked 12/14/2026 10:30\nThanks\nMaria\nPS: Actually 12/15/2026 10:30",
    "Scheduled 12/14/2026 10:30\nCx",
    "Scheduled 12/14/2026 10:30\nDNKA",
    "Received\nReject",
    "Received\nOON",
    "The referral did not show up",
    "It didn't show up",
    "Missed this, will schedule",
    "We won't be able to see her at that time",
    "We cannot see her on that date",
    "We can't see her yet",
    "We can't accept it yet",
    "Cannot accommodate her at that time",
    "We do not treat anyone without a signed order",
    "Please refer to attached form",
    "Please refer to attached",
    "Please send referral to portal",
    "Please forward it to Denise",
    "She has been seen here",
    "Patient has been seen in our clinic",
    "His father was seen 11/20/2026",
    "Mom was seen 11/20/2026",
    "Appt done",
    "We have appointments on 12/14/2026 at 10:30",
    "Scheduled for now 12/14/2026",
    "Was this received",
    "Has she been scheduled",
    "Is this scheduled",
    "Are we on the schedule",
    "Is she scheduled for 12/14/2026",
    "Awaiting insurance",
    "Waiting on insurance authorization",
    "Could not reach patient yet",
    "Have not been able to reach her yet",
    "Patient has been rescheduled.",
    "We do not see this",
    "We don't see this case",
    "Accepted the fax.",
    "The fax was accepted.",
    "Cannot see this.",
    "We are unable to see the referral",
    "Not accepted",
    "We can not accept",
    "received; not accepted",
    "scheduled 12/14/2026 10:30 - no, make that 12/15/2026",
    "Yes no",
    "Booked. 12/14/2026. 10:30. Or so.",
    "We would accept the referral if it had an authorization",
    "It is not true that the patient declined",
    "Nobody has seen the patient",
    "Patient has not been scheduled for 12/14/2026",
    "We are completely booked.",
    "We are booked.",
    "All slots are booked.",
    "We are booked through 12/14/2026.",
    "Her appointment on 12/14/2026 fell through.",
    "Her appointment on 12/14/2026 was removed.",
    "We gave away her appointment on 12/14/2026.",
    "Patient skipped her appointment on 12/14/2026.",
    "Her MRI is scheduled for 12/14/2026 at 10:30.",
    "Patient is scheduled at Northside Cardiology on 12/14/2026.",
    "Referral scheduled for triage on 12/14/2026.",
    "Her mother is booked for 12/14/2026 at 10:30.",
    "Patient was seen here on 05/01/2019.",
    "Patient no-showed 03/02/2025.",
    "We do not offer transport.",
    "Dr. Ames is not taking new patients at the downtown location.",
    "Please send the insurance card with the patient.",
    "Please send her to the lab for a blood draw.",
    "Please forward to Dr. Ames directly.",
    "Please refer the patient to the portal.",
    "She needs to go to the ER",
    "Received and returned to sender.",
    "Received and discarded.",
    "Received, booked for 12/14/2026 10:30\nScrapped",
    "Received.\n\nRevoked",
    "Booked for 12/14 10:30 pm",
    "Received, wrong phone number for patient.",
    "We have the wrong phone number for the patient",
    "Patient's wrong address on file",
    "The form has the wrong provider name",
    "Yeah right",
    "Received, had been booked for 12/14/2026 10:30.",
    "Please send the referral to Maria in scheduling.",
    "We do not treat patients like this.",
];

#[test]
fn plain_words_come_to_their_outcome() {
    let mut wrong = Vec::new();
    for (words, outcome, received, at) in PLAIN {
        let reply = read(words);
        let appointment = reply.appointment.as_ref().map(|appointment| appointment.at.as_str().to_owned());
        if reply.outcome != *outcome || reply.received != *received || appointment.as_deref() != *at {
            wrong.push(format!("{words:?}: {:?} {:?} {appointment:?} ({:?})", reply.outcome, reply.received, reply.reason));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_plain_goes_to_a_person() {
    let wrong: Vec<_> = UNCLEAR
        .iter()
        .filter_map(|words| {
            let outcome = read(words).outcome;
            (outcome != ReplyOutcome::Unclear).then(|| format!("{words:?}: {outcome:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_unclear_reply_keeps_the_best_reading_and_the_words() {
    let reply = read("She may be scheduled for 12/14/2026 at 10:30.");
    assert_eq!(reply.outcome, ReplyOutcome::Unclear);
    assert!(reply.reason.unwrap().starts_with("best reading: scheduled"));
    assert_eq!(reply.appointment.unwrap().at.as_str(), "2026-12-14T10:30");
    assert_eq!(reply.quote.unwrap(), "She may be scheduled for 12/14/2026 at 10:30");
}

#[test]
fn a_day_first_region_reads_day_first() {
    let reply = read_reply("Received, booked for 14/12/2026 at 10:30", SENT_ON, DateOrder::DayFirst);
    assert_eq!(reply.appointment.unwrap().at.as_str(), "2026-12-14T10:30");
    assert_eq!(DateOrder::of_region("US"), DateOrder::MonthFirst);
    assert_eq!(DateOrder::of_region("GB"), DateOrder::DayFirst);
}

#[test]
fn a_refusal_keeps_its_reason_and_a_visit_its_doctor() {
    let declined = read("We decline this referral because we are out of network with her plan.");
    assert!(declined.reason.unwrap().contains("out of network"));
    let booked = read("Booked with Dr. Ames on 12/14/2026 at 10:30");
    assert_eq!(booked.appointment.unwrap().with.as_deref(), Some("Dr. Ames"));
}

#[test]
fn a_letter_is_not_an_answer() {
    assert_eq!(read(&"Received. ".repeat(1_000)).outcome, ReplyOutcome::Unclear);
    assert_eq!(read(&"Received. ".repeat(13)).outcome, ReplyOutcome::Unclear);
}
