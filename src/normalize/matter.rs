//! Whether a fax or mail that reads like a new referral asks for something else: to cancel one, to tell how one stands, for records, or to
//! take it for a correction or a copy of one that was sent before.
//!
//! # Design notes
//! On HL7 the event says it. On paper it is a heading or a sentence, and the rest of the page is the referral once more; taken for a new
//! one, it would send a patient's data to a specialist for nothing. Which referral is meant is not plain either, so a person decides. The
//! phrases are whole ones: "cancellation policy" stands on many forms, and "cancelled" in many notes.

use std::sync::LazyLock;

use regex::Regex;

/// What is asked instead, in words for a person.
type Matter = (&'static str, LazyLock<Regex>);

fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is fixed and compiles")
}

static MATTERS: [Matter; 4] = [
    (
        "it speaks of a cancellation",
        LazyLock::new(|| {
            fixed(
                r"(?x)\b(?:please|kindly)\ cancel\b
                | \bcancel(?:l?ed|l?ing)?\ (?:the|this|our|my|that|her|his)\ (?:above\ )?(?:referral|request|order|consult(?:ation)?)\b
                | \b(?:referral|order|consult(?:ation)?|request|appointment)\ cancell?ation\W*(?:notice|request|form)?\W*$
                | ^\W*(?:notice\ of\ )?cancell?ation\ (?:of|notice|request)\b
                | ^\W*cancel(?:l?ed)?\W*$ | ^\W*cancel\W+do\ not\b
                | \b(?:please\ )?do\ not\ schedule\W*$ | \bdo\ not\ schedule\ (?:the|this|her|him|them)\b
                | \b(?:no\ longer|does\ not|doesn'?t)\ needs?\ to\ be\ seen\b | \bdisregard\ (?:the|this|our)\ (?:\w+\ )?referral\b",
            )
        }),
    ),
    (
        "it asks about a referral",
        LazyLock::new(|| {
            fixed(
                r"(?x)\b(?:did|have)\ you\ (?:get|got|receive|received)\ (?:our|the|my|this|that)\ (?:\w+\ )?(?:referral|fax)\b
                | \b(?:status|update)\ (?:of|on)\ (?:our|the|my|this|that)\ (?:\w+\ )?referral\b
                | \breferral\ status\ (?:request|inquiry|check)\b
                | ^\W*(?:appointment\ |fax\ )?status\ (?:request|inquiry|enquiry|check)\b
                | \b(?:has|was|is)\ (?:the|this|our|my|that)\ (?:\w+\ )?referral\ (?:been\ )?(?:yet\ )?
                    (?:scheduled|received|processed|triaged)\b",
            )
        }),
    ),
    (
        "it corrects, replaces or repeats an earlier one",
        LazyLock::new(|| {
            // The revision of a form is printed on it: "Updated referral form 3/2024" says nothing of the referral.
            fixed(
                r"(?x)^\W*(?:corrected|amended|duplicate|resubmitted)\ (?:\w+\ )?(?:referral|consult(?:ation)?|order|fax|copy|request)\b
                | ^\W*(?:revised|updated)\ (?:\w+\ )?(?:referral|consult(?:ation)?|order|fax)(?:\ request)?
                    (?:\W*$|\W+(?:replac|supersed|please|disregard|see\b|to\ |with\ |patient|correct|attached))
                | ^\W*(?:corrected|revised|updated|amended|correction)\b.*\b(?:replaces|replacing|supersedes)\b
                | ^\W*duplicate\W*$ | ^\W*correction\ (?:of|to)\ (?:the\ |our\ |my\ )?(?:\w+\ )?(?:referral|fax|order)\b
                | \breferral\ (?:was\ )?already\ (?:sent|faxed|submitted)\b
                | \b(?:replaces|supersedes)\ (?:the|our|my|any|all)?\ ?(?:\w+\ ){0,2}(?:fax|referral|order)\b
                | \bdisregard\ (?:the\ |our\ |my\ |any\ |all\ )?(?:previous|prior|earlier|first|last|former|original|old|other)\ (?:\w+\ )?
                    (?:fax(?:es)?|referrals?|request|order|copy|version)\b
                | \bdisregard\ (?:the|our|my)\ (?:fax|referral|request|order)\ (?:of|from|sent|dated|that|we|which)\b",
            )
        }),
    ),
    (
        "it asks for records",
        LazyLock::new(|| {
            fixed(
                r"(?x)\brequest\ for\ (?:\w+\ )?records\b | \b(?:medical\ )?records\ request\b | \bplease\ send\ (?:us\ )?(?:\w+\ )?records\b",
            )
        }),
    ),
];

/// What these lines ask for, where that is no new referral.
pub(super) fn another<'l>(lines: impl Iterator<Item = &'l str>) -> Option<&'static str> {
    lines.map(|line| line.to_lowercase().replace(['\u{2019}', '\u{2018}'], "'")).find_map(|line| {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        MATTERS.iter().find(|(_, phrases)| phrases.is_match(&line)).map(|(matter, _)| *matter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancellation_a_question_a_correction_and_a_request_for_records_are_told_from_a_referral() {
        for line in [
            "REFERRAL CANCELLATION",
            "REFERRAL CANCELLATION - Please CANCEL the referral",
            "CANCEL - DO NOT SCHEDULE",
            "Please cancel the referral for this patient.",
            "** CANCELLED **",
            "Notice of cancellation of referral",
            "The patient does NOT need to be seen any more. Please do not schedule",
            "We are cancelling this referral.",
            "Please disregard our previous referral.",
            "Did you get our referral for this patient?",
            "What is the status of our referral?",
            "REQUEST FOR MEDICAL RECORDS",
            "Medical Records Request",
            "STATUS REQUEST: has this referral been scheduled?",
            "Has our referral been received yet?",
            "CORRECTED REFERRAL - please disregard the fax of 11/01/2026",
            "Please disregard our previous fax.",
            "UPDATED REFERRAL - replaces fax of 11/01/2026",
            "UPDATED - this replaces the request of Monday",
            "REVISED REFERRAL",
            "** DUPLICATE **",
            "DUPLICATE COPY - referral already sent 11/01/2026",
        ] {
            assert!(another([line].into_iter()).is_some(), "{line}");
        }
    }

    #[test]
    fn what_referrals_say_is_not_taken_for_it() {
        for line in [
            "REFERRAL REQUEST",
            "Cancellation policy: call 24 hours before",
            "She cancelled her last two visits with us.",
            "Please schedule and fax the report. Records attached.",
            "History of cancelled surgery in 2019",
            "Please do not schedule before 12/14",
            "Medical records enclosed",
            "Reason for referral: evaluate and treat",
            "Status: routine",
            "Updated medication list attached",
            "Urgent - please schedule",
            "Updated referral form 3/2024",
            "Revised 03/2024",
            "If you received this fax in error, please notify the sender and disregard this fax.",
            "Has the patient been seen by a specialist before?",
            "Was this referral authorized? [ ] Yes [ ] No",
            "Corrected vision 20/20",
        ] {
            assert_eq!(another([line].into_iter()), None, "{line}");
        }
    }
}
