//! The phrases and words that front desks' answers are made of: lists, and nothing that reads them.
//!
//! # Design notes
//! Each statement is a whole clause, from its first word to its last, with what can stand in its places: so each sentence that moves
//! a referral can be found here, and read. A word more, a word less, another subject, and a person reads the mail.
//!
//! Before a clause is compared, its dates and times are marks (`@d0`, `@t0`), and the prepositions before them, colons and a leading
//! `yes` are gone.

use regex::Regex;

use super::statements::Meaning;
use crate::referral::ReplyOutcome;

/// The patient, and nobody beside. A name may be another patient's.
const S: &str = "(?:(?:the |this |your |our |that |said )?patient|she|he)";
/// The patient, to whom something is done.
const O: &str = "(?:(?:the |this |your |that |said )?patient|her|him|them)";
/// The patient's people.
const F: &str = "(?:(?:the |her |his |patient's )?(?:family|parents?|caregiver|mom|mother|father))";
/// The patient, or who answers the telephone.
const P: &str = "(?:{S}|{O}|{F}|they)";
/// Who writes.
const W: &str = "(?:we|our (?:office|clinic|practice|team))";
/// Who writes, or the doctor.
const D: &str = "(?:{W}|dr [a-z'-]+)";
/// What we sent, however it is called.
const R: &str = "(?:(?:the |this |your |that |her |his |any |an? )?(?:new )?(?:patient )?(?:patient's )?(?:faxed )?\
                 (?:referral fax|referral packet|referral|fax|case)|(?:the |this |your |that |any |an? )?\
                 (?:request|packet|paperwork|email|mail|message)|it|this one|this|that)";
/// The same, without the papers that patients bring: "we have not received the packet yet".
const M: &str = "(?:(?:the |this |your |that |her |his |any |an? )?(?:new )?(?:patient )?(?:patient's )?(?:faxed )?\
                 (?:referral fax|referral packet|referral|fax)|(?:the |this |your |any |an? )?(?:email|mail|message)|it|this one|this)";
/// What we sent, as only who has it in hand calls it: robots have received an email, a message, a request.
/// "Her new patient packet" is what she filled in.
const C: &str = "(?:(?:the |this |your |that |her |his |an? )?(?:new )?(?:patient )?(?:patient's )?(?:faxed )?\
                 (?:referral fax|referral packet|referral|fax)|(?:the |this |your |that )(?:packet|paperwork)|it|this one|this|that)";
/// The same, as it is said to have come: "your fax has been received", "your referral was received" are robots' words as well.
const N: &str = "(?:(?:the |this |that |her |his |an? )?(?:new )?(?:patient )?(?:patient's )?(?:faxed )?\
                 (?:referral fax|referral packet|referral|fax)|(?:the |this |that )(?:packet|paperwork)|it|this one|this|that)";
/// What can be accepted: a fax that was accepted has only come.
const A: &str = "(?:(?:the |this |your |that |her |his )?(?:new )?(?:patient )?(?:patient's )?(?:faxed )?\
                 (?:referral|case)|it|this one|this|that)";
/// What is booked. "The first appointment" is one that is offered.
const V: &str = "(?:(?:(?:an? |the )?(?:new patient |new |initial |telehealth )?|(?:her |his )(?:new patient |new |first |initial |telehealth )?)(?:appointment|visit|consultation|consult))";
/// When, where and with whom.
const T: &str = "(?: @[dt]\\d+| here| now| with (?:dr [a-z'-]+(?: [a-z'-]+)?(?: (?:md|do|np|pa-c|pa))?|[a-z'-]+ [a-z'-]+ (?:md|do|np|pa-c|pa|aprn|dnp)|us|our (?:office|clinic|team|np|pa|provider|practice))| to see (?:dr [a-z'-]+|us|our (?:np|pa|provider))\
                 | (?:in|at) (?:our (?:[a-z]+ ){0,3}|the )(?:office|clinic|location))*";
/// How and when something came.
const H: &str = "(?: @[dt]\\d+| here| (?:by|via) (?:fax|email|us|our office)| (?:for|on) {O}| safely| in full| in good order| all (?:[1-9]\\d{0,2} )?pages)*";
/// What can be missing.
const I: &str = "(?:(?:diagnosis|dx) codes?|labs?|lab results?|bloodwork|records?|notes?|chart|imaging|images?|x-?rays?|mri|ct|echo|ekg|ecg|insurance card|insurance|\
                 demographics|authorization|auth|medication list|medications?|med list|history|results?|reports?|orders?|diagnosis|\
                 icd(?:-?10)?(?: code)?|ov notes?|pathology|phone number|(?:physician|provider|doctor|dr)(?:'s)? signature|face ?sheet|copy|information|info|documentation|clinicals?|\
                 cover ?sheet)";

/// A pattern with the names filled in.
pub(super) fn fixed(pattern: &str) -> Regex {
    // Some names hold others.
    const NAMES: [(&str, &str); 17] = [
        ("{Y}", WHY),
        ("{Q}", Q),
        ("{M}", M),
        ("{P}", P),
        ("{D}", D),
        ("{H}", H),
        ("{S}", S),
        ("{O}", O),
        ("{F}", F),
        ("{W}", W),
        ("{R}", R),
        ("{C}", C),
        ("{N}", N),
        ("{A}", A),
        ("{V}", V),
        ("{T}", T),
        ("{I}", I),
    ];
    let pattern = NAMES.iter().fold(pattern.to_owned(), |pattern, (name, is)| pattern.replace(name, is));
    Regex::new(&pattern).expect("the pattern is fixed and compiles")
}

/// Why something was declined, at the end of a refusal. Other reasons ask for something, put it off, or are the patient's.
const WHY: &str = "(?: ?-? ?(?:(?:because|due to|since|as|reason)(?: of)? )?{Q})?";
/// The reasons for which a practice is not the right one, or can not.
const Q: &str = "(?:(?:the |this |her |his |their |patient's )*(?:insurance|plan|medicaid|medicare)(?: plan)?(?: is (?:out of network|out of our network|not in(?: our)? network|not accepted(?: here)?))?\
                 |(?:we are |being |she (?:is|lives) |he (?:is|lives) |(?:the |this )?patient (?:is|lives) )?(?:out of|not in|outside(?: of)?) (?:our |the )?(?:network|service area|scope(?: of practice)?|area|catchment(?: area)?)(?: with (?:(?:her|his|their|the|this|patient's) )+(?:insurance|plan))?\
                 |we (?:do not|can not|no longer) (?:take|accept|participate with) (?:this |the |her |his |their |patient's )*(?:insurance|plan|medicaid|medicare)(?: plan)?\
                 |(?:we are |dr [a-z'-]+ is |(?:the|our) (?:doctor|provider|physician) is )?(?:not|no longer) (?:currently )?(?:accepting|taking)(?: any)? new (?:patients|referrals)(?: at this time)?\
                 |(?:we are |our (?:office|clinic|practice) is )?(?:full|at capacity|fully booked)|(?:we have )?(?:no|lack of|limited) (?:availability|capacity|openings)|availability|capacity|staffing\
                 |we (?:do not|only) (?:see|treat) (?:children|kids|adults|minors|pediatrics?(?: patients)?|adult patients|pediatric patients|this condition)(?: here)?\
                 |(?:her |his |patient's |the )?age|(?:{S} is )?(?:too young|too old|a minor|under (?:18|eighteen)|under age)\
                 |(?:it is |{S} is |this is )?not (?:a good fit|appropriate)(?: for (?:our|this) (?:clinic|practice|office))?|(?:{S} )?does not meet (?:our )?criteria)";

/// Courtesies: whole clauses, because they hold words that are risky elsewhere.
pub(super) const COURTESIES: &[&str] = &[
    r"^(?:(?:many|great|ok|okay|perfect) )?(?:thanks|thank you)(?: (?:you|so much|again|very much|kindly|all|team))*(?: and have a (?:great|good|nice) (?:day|week|weekend))?$",
    r"^(?:many )?(?:thanks|thank you)(?: so much| very much)? for (?:{R}|your (?:trust|kind referral|note|follow up)|sending (?:it|this|{P}|{R})(?: over| our way)?|following up|checking(?: in)?|thinking of us|referring (?:{P}|your patient)(?: to us| to our (?:office|clinic|practice))?|sending|the opportunity to (?:see|care for|participate in the care of) (?:{P}|your patient)|allowing us to (?:see|care for|participate in the care of) (?:{P}|your patient)|trusting us(?: with (?:{P}|{P} care))?)$",
    r"^(?:and )?have a (?:great|good|nice|wonderful|lovely) (?:day|week|weekend|one|evening)(?: too)?$",
    r"^(?:please )?(?:let us know|call(?: us| the office)?|contact us|reach out|feel free to (?:call|contact us|reach out))(?: at| on)? ?(?:if you have|with|should you have|if there are) (?:any )?(?:further |other |more )?questions?(?: or concerns)?$",
    r"^(?:if you have|for|with) any (?:further |other )?questions?(?: or concerns)?$",
    r"^(?:(?:kind|best|warm) )?regards$|^sincerely(?: yours)?$|^best(?: wishes)?$|^cheers$|^respectfully$",
    r"^{P} (?:is |are |has been |have been )?(?:aware|notified|informed)$",
    r"^{S} will be (?:notified|informed)(?: by (?:mail|phone|us|our office))?$",
    r"^(?:re|ref|reference)(?: number| no)?$",
    r"^(?:you are welcome|ok|okay|great|perfect)$",
    r"^all (?:[1-9]\d{0,2} )?pages$",
];

/// Tried in this order, each against a whole clause.
pub(super) const STATEMENTS: &[(Meaning, &str)] = {
    use Meaning::{Again, Appointment, Because, Called, Left, Looked, NotYet, Pending, Report, Review, Says, Unreached};
    use ReplyOutcome as O;
    &[
        // The wrong number, provider or address of the patient is something else: only what is said of ourselves counts.
        (
            Says(O::WrongRecipient),
            r"^(?:sorry )?(?:(?:this|it|that) is |you (?:have |got |have got |reached |have reached |(?:have )?(?:sent|faxed|emailed) (?:{R}|this) to ))?(?:the |a )?wrong (?:clinic|office|practice|department|recipient|email address)$|^(?:this is|you have|you have got|you have reached) (?:the|a) wrong number$",
        ),
        (
            Says(O::WrongRecipient),
            r"^{R} (?:was |has been |were |is )?(?:sent|faxed|emailed|addressed|came|went) to (?:the|a) wrong (?:fax number|number|fax|clinic|office|practice|department|recipient|email address)$",
        ),
        (
            Says(O::WrongRecipient),
            r"^(?:sorry )?(?:{C} (?:was |is |has been )*(?:(?:sent|faxed|came|emailed)(?: (?:to us|here))+|received(?: here)?)|you (?:have )?(?:sent|faxed|emailed) (?:us )?{R}(?: (?:to us|here))*|(?:{W} )?(?:have |has )?(?:received|got)(?: {R})?(?: here)*) (?:in error|by mistake|by accident)$",
        ),
        (
            Says(O::WrongRecipient),
            r"^(?:we are|this is) not an? (?:[a-z]*(?:ology|iatry|iatrics|iatric)|orthopa?edics?|surgery|surgical|dental|ent|ob ?gyn|eye|pain|vascular|cardiac|primary care|family medicine)(?: (?:clinic|office|practice|department))?$",
        ),
        (
            Says(O::NotReceived),
            r"^(?:we |our office )?(?:have |has |did |do )not (?:yet |ever |actually )?(?:(?:received?|got(?:ten)?|get)(?: {M}| anything)?(?: yet| on our end| from you| for {P}| in our system)*|(?:have|find)(?: {M})(?: yet| on our end| from you| for {P}| in our system)*|see (?:{R}|anything)(?: for {P})?(?: on our end| from you| in our system)+|see (?:the |your |a |any )(?:referral|fax|referral fax|email|paperwork)(?: yet| for {P})*)$",
        ),
        (
            Says(O::NotReceived),
            r"^(?:{M} )?(?:was |has |have )?(?:not|never)(?: yet)?(?: been)? received(?: here| yet| by us| by our office| on our end| anything)*$",
        ),
        (
            Says(O::NotReceived),
            r"^(?:{R} )?(?:was |has )?never (?:came|arrived|come|arrive)(?: through| in)?$|^{R} did not (?:arrive|come(?: (?:through|in|here))?)$",
        ),
        (
            Says(O::NotReceived),
            r"^(?:we )?never (?:received|got|saw)(?: {M}| anything)?(?: from you| for {P})*$|^(?:{R} )?received no$|^nothing (?:was )?received(?: yet| here)*$",
        ),
        (
            Says(O::NotReceived),
            r"^(?:we )?(?:have )?no (?:record|sign|trace) of (?:{R}|receiving {R}|having received {R})(?: in our system)?$|^no referral (?:was )?(?:received|found|on file)(?: for {P})?$",
        ),
        // Who cannot see `this` may mean the patient.
        (
            Says(O::NotReceived),
            r"^(?:we )?(?:can not|are unable to) (?:(?:find|locate) {R}(?: in our system| on our end)*|see {R}(?: in our system| on our end)+|see (?:the |your |a |any )?(?:fax|referral fax|email|mail|paperwork))$",
        ),
        (
            Says(O::Cancelled),
            r"^(?:yes |ok |okay )?(?:and )?(?:we |our office )?(?:have |has )?cancel(?:l)?ed(?: (?:it|this|{R}|(?:the |her |his )?appointment|the order|everything))?(?: (?:for {P}|on our (?:end|side)|as requested|in our system))*$",
        ),
        (
            Says(O::Cancelled),
            r"^(?:yes |ok |okay )?(?:{R}|it|this|the order)(?: (?:for {P}))? (?:is |was |has been |have been )(?:now )?cancel(?:l)?ed(?: (?:on our (?:end|side)|as requested|in our system))*$",
        ),
        (
            Says(O::Cancelled),
            r"^(?:we )?(?:confirm(?:ed|ing)?|acknowledged?|noted|received) (?:the |this |your )?cancell?ation(?: (?:of {R}|for {P}|request))*$|^(?:the |this |your )?cancell?ation(?: request)? (?:is |was |has been )?(?:confirmed|noted|received|acknowledged|processed)$",
        ),
        (
            Says(O::AppointmentCancelled),
            r"^(?:the )?patient (?:has )?cancel(?:l)?ed (?:the|her|his|their) (?:appointment|visit){T}$|^{V} (?:was |has been |is )?cancel(?:l)?ed by (?:the )?patient$",
        ),
        (Says(O::NoShow), r"^(?:{S} )?(?:has |was |is |an? )*no[- ]?show(?:ed)?(?: (?:for |to )?{V})?{T}$"),
        (
            Says(O::NoShow),
            r"^(?:{S}|(?:the |her |his )?family) did not (?:show up|show|come in|come|attend|keep)(?: (?:for |to )?{V})?{T}$",
        ),
        (Says(O::NoShow), r"^{S} (?:has )?(?:missed|failed to (?:show|attend|appear))(?: up)? (?:for |to )?{V}{T}$"),
        (Says(O::NoShow), r"^missed {V}{T}$"),
        (
            Says(O::PatientUnreachable),
            r"^(?:{W} )?(?:are |were |have been |been )?(?:unable to|not able to|can not|could not|have not been able to) (?:reach|contact|get (?:a )?hold of|get in touch with) (?:{O}|{F})(?: by phone| to schedule| at the number (?:provided|given|on file))*(?: x ?[2-9]| [2-9] times| after (?:[2-9]|two|three|several|multiple) attempts| despite (?:several|multiple|repeated) attempts)(?: by phone| to schedule)*$|^(?:{W} )?(?:have )?(?:made )?(?:multiple|several|[2-9]|two|three|four) (?:unsuccessful )?attempts (?:made )?to (?:reach|contact) (?:{O}|{F})(?: by phone)?,?(?: and| with)? no (?:response|answer|call ?back|return call)$|^(?:{W} )?(?:have )?(?:called (?:{O}|{F})?(?: and)? ?)?(?:lvm|left (?:an? |the )?(?:vm|voice ?mail|messages?)) ?x ?[2-9],?(?: and| with)? no (?:response|answer|call ?back|return call)$|^(?:{W} )?(?:have )?(?:called|contacted) (?:{O}|{F}) (?:[2-9]|two|three|four|several|multiple) times(?: and left (?:messages|voice ?mails|vms))?,?(?: and| with)? no (?:response|answer|call ?back|return call)$",
        ),
        (
            Says(O::PatientUnreachable),
            r"^(?:{W} )?(?:have )?left (?:several|multiple|two|three|four|[2-9]) (?:voice ?mails?|vms?|messages)(?: for (?:{O}|{F}))?(?:,? (?:and |with )?(?:no (?:response|answer|call ?back|return call)|{P} (?:has|have) not (?:called|returned)(?: our calls| us)?(?: back)?))$",
        ),
        (
            Says(O::PatientUnreachable),
            r"^(?:{S}|{F}) (?:is unreachable|are unreachable|(?:has|have|did) not (?:returned?|answered|responded to) our (?:calls|messages)|(?:is|are) not returning our calls)$",
        ),
        (
            Says(O::PatientDeclined),
            r"^(?:{S}|{F}) (?:has |have )?(?:declined|refused|does not want|do not want|did not want|is not interested|are not interested|no longer wants?|does not wish|chose not|opted not)(?: (?:the |an? |any |to |in |being |be |her |his |our )*(?:appointment|referral|visit|consult(?:ation)?|scheduled?|seen|see us|services?|come(?: in)?|this|it|scheduling))?(?: at this time)?$",
        ),
        (
            Says(O::Redirected),
            r"^(?:please |kindly )(?:(?:re-?direct|re-?route|refer)(?: (?:{A}|{O}))?|(?:forward|send) {A}) to (?P<whom>[a-z].*)$",
        ),
        (
            Says(O::Redirected),
            r"^{A} (?:should|needs to|has to|must) (?:go|be sent|be referred|be re-?directed|be faxed) to (?P<whom>[a-z].*)$",
        ),
        (
            Says(O::NeedsInformation),
            r"^(?:and |but )?(?:please|kindly|can you|could you|would you)(?: please| also| kindly)* (?:re)?(?:send|fax|provide|forward|email|upload|attach)(?: us| over| me)* (?P<what>.*\b{I}\b.*)",
        ),
        (
            Says(O::NeedsInformation),
            r"^(?:and |but )?(?:we |our office )?(?:still |also |just |only )*(?:need|require|are missing|missing) (?P<what>.*\b{I}\b.*)|^(?:prior )?(?:auth|authorization) (?:is )?(?:required|needed)(?: before (?:we can (?:schedule|book)|scheduling))?$",
        ),
        (
            Says(O::Declined),
            r"^(?:{D} )?(?:are |is |am )?(?:currently )?(?:unable to|not able to|can not|will not be able to|will not) (?:(?:accept|take(?: on)?|accommodate|treat) (?:{O}|new patients|any new patients)|see (?:(?:the |this |your |that |said )?patient|her|him|new patients|any new patients)|(?:accept|take(?: on)?|accommodate) (?:{A}|new referrals))(?: at this time)?{Y}$",
        ),
        (
            Says(O::Declined),
            r"^(?:{W} )?(?:are |is )?(?:currently )?(?:unable to|not able to) (?:accommodate|accept)(?: at this time)?$|^(?:{W} )?can not accommodate$|^(?:{W}|our panel) (?:is|are) (?:currently )?closed to new (?:patients|referrals)(?: at this time)?$",
        ),
        (
            Says(O::Declined),
            r"^(?:{D} )?(?:are |is )?(?:not|no longer)(?: currently)? (?:accepting|taking)(?: any)?(?: new)?(?: patient)? (?:patients?|referrals)(?: at this time)?$",
        ),
        (
            Says(O::Declined),
            r"^(?:{W} )?do not (?:accept|take|participate with) (?P<why>(?:this |the |her |his |their |patient's )*(?:patient's )?(?:insurance|plan|medicaid|medicare)(?: plan)?)$",
        ),
        (
            Says(O::Declined),
            r"^{W} do not (?P<why>treat [a-z ,'/-]{3,60}|see (?:children|kids|adults|minors|pediatrics?(?: patients)?|adult patients))$",
        ),
        (
            Says(O::Declined),
            r"^(?:{D} )?(?:are |is |have |has |must |will |have to |need to |regret(?:fully)? )*(?:to )?declin(?:e|ed|ing)(?: {A}| to (?:see|accept|take) (?:{O}|{A}))?{Y}$",
        ),
        (
            Says(O::Declined),
            r"^{A} (?:is |was |has been |have been )?(?:being )?(?:declined|rejected)(?: by (?:our (?:office|clinic)|dr [a-z'-]+|us))?{Y}$",
        ),
        (Says(O::Declined), r"^appointment declined{Y}$"),
        (
            Pending,
            r"^(?:and |but )?(?:{W} |{S} |it |appointment )?(?:have |has |is |are )?not (?:yet )?(?:been )?(?:scheduled|booked|made)(?: yet)?(?: an appointment)?(?: (?:for )?{O})?(?: yet)?$|^(?:but )?not yet (?:scheduled|booked)$",
        ),
        (
            Pending,
            r"^(?:but )?(?:there is )?no appointment (?:yet|has been made yet|made yet|so far|date yet)$|^appointment (?:not yet|none yet|pending)$|^(?:appointment )?(?:pending scheduling|scheduling (?:is )?pending)$|^(?:and |but )?(?:{S} |(?:the |her |his )?appointment )?(?:(?:is|are|has|have) )?(?:still |yet )?to be (?:scheduled|booked|made)$",
        ),
        (
            Pending,
            r"^(?:and |but )?(?:we |our (?:office|team|staff|schedulers?|scheduling team|front desk|clinic) |someone |scheduling )?(?:will|are going to|shall) (?:be )?(?:calling|contacting|reaching out to|call|contact|reach out to|reach out|get in touch with|in touch with|schedule|book)(?: (?:with )?(?:{O}|{F}))?(?: (?:and|to) (?:schedule|book|set up|make|arrange)(?: (?:{O}|an? |the |appointment|visit|consult))*)?(?: (?:an? |the )?appointment)?(?: (?:soon|shortly|asap|directly|within the week|within (?:the next )?(?:\d+|two|three)(?: ?- ?\d+)? (?:business )?(?:days|hours)|in the next (?:\d+|two|three)(?: ?- ?\d+)? (?:business )?(?:days|hours)))*$|^(?:and )?(?:{S}|{F}) will be (?:contacted|called)(?: to schedule(?: (?:an? |the )?(?:appointment|visit|consult))?)?(?: (?:soon|shortly|within (?:the next )?(?:\d+|two|three)(?: ?- ?\d+)? (?:business )?(?:days|hours)))?$",
        ),
        (
            Pending,
            r"^(?:and |but )?(?:we )?(?:are |is )?(?:working on|in the process of) scheduling(?: {O})?$|^(?:we )?will (?:keep you (?:posted|updated)|update you|let you know|follow up|be in touch|get back to you)(?: (?:soon|shortly))?$",
        ),
        (
            Report,
            r"^(?:the |our |her |his )?(?:consult(?:ation)? |visit )?(?:reports?|notes?|results?) (?:to follow|will follow|will be (?:sent|faxed)(?: over)?|(?:was |were |has been |have been )?(?:sent|faxed)(?: to (?:you|your office))?)(?: (?:soon|shortly))?$|^{P} (?:is |are |has been |have been )?(?:aware|notified|informed) of (?:the |her |his )?(?:appointment|date|time)(?: and (?:date|time))?$|^{S} (?:has )?confirmed$|^(?:we )?(?:spoke|talked) (?:with|to) (?:{O}|{F})$",
        ),
        (Because, r"^{Q}$|^please refer (?:{O} )?(?:elsewhere|to another (?:office|clinic|provider|practice|specialist))$"),
        (
            Again,
            r"^(?:please |kindly )(?:re-?send|re-?fax|send|fax|send again|fax again|(?:send|fax) (?:it|this|{R}) again)(?: (?:it|this|{R}))?(?: to us)?$",
        ),
        (Looked, r"^approved$|^(?:{C} )?(?:was |has been )?reviewed(?: by dr [a-z'-]+)?$"),
        (
            Unreached,
            r"^(?:{W} )?(?:are |were |have been |been )?(?:unable to|not able to|can not|could not|have not been able to) (?:reach|contact|get (?:a )?hold of|get in touch with) (?:{O}|{F})(?: by phone| to schedule)*(?: x ?1)?(?: yet)?$",
        ),
        (Left, r"^(?:we )?(?:lvm|lm|left (?:a |an )?(?:voice ?mail|vm|message))(?: (?:for|with) (?:{O}|{F}))?$"),
        (
            Called,
            r"^(?:we )?(?:have )?(?:called|contacted|phoned|reached|notified|informed) (?:{O}|{F})$|^{S} (?:was|has been) (?:called|contacted)$",
        ),
        (
            Pending,
            r"^(?:{S} has been |{S} was |we have |we )?(?:contacted|called)(?: {O})?(?: and left (?:a )?(?:voice ?mail|message|vm))?(?: to (?:schedule|call(?: us)? back))?$|^(?:we )?will (?:let you know|update you|notify you) (?:once|when) (?:{S} is |it is |appointment is )?(?:scheduled|booked)$",
        ),
        (
            Pending,
            r"^(?:and )?(?:{C} is )?(?:in process|being processed|in progress)$|^(?:and )?(?:{C} (?:is |was |has been )?)?(?:now )?(?:(?:placed|put|added) )?(?:in|into|in to) (?:our |the )?(?:work ?|scheduling |referral |triage )?queue(?: (?:to be scheduled|for review))?$|^(?:we )?will (?:be processing|process)(?: {R})?$|^(?:we are )?working on (?:it|this|{R})$|^(?:we )?will get {O} scheduled(?: (?:soon|shortly|asap|as soon as possible))?$|^(?:and )?(?:{C} (?:is |was |has been )?)?entered (?:in|into|in to) our system$",
        ),
        (
            Pending,
            r"^(?:and )?(?:{C} (?:was |has been )|we (?:have )?)?(?:sent|forwarded|passed|given|routed)(?: {C})?(?: on| over)? to (?:our |the )?(?:scheduling|schedulers?|scheduling (?:team|department|desk)|intake(?: team)?|referral (?:team|department|coordinator)|triage(?: nurse)?)$",
        ),
        (
            Pending,
            r"^(?:we )?(?:lvm|lm|left (?:a |an )?(?:voice ?mail|vm|message))(?: x ?1)?(?: (?:for|with) (?:{O}|{F}))?(?: to (?:schedule|call(?: us)?(?: back)?))?$|^(?:we |our (?:office|team|staff|schedulers?) )?(?:will|are going to) (?:be )?(?:call|contact|reach out to|calling|contacting|reaching out to) (?:{O}|{F})(?: to schedule(?: an appointment)?)? @d\d+$",
        ),
        (
            Report,
            r"^(?:provider|physician|specialist) dr [a-z'-]+$|^(?:please )?(?:(?:have|ask|remind|tell) {O} (?:to )?|{S} (?:should|needs to) )?(?:arrive|arriving|check[ -]?in|arrival)(?: time)?(?: early)?(?: @t\d+|(?: \d+ (?:min|mins|minutes))? (?:early|prior|before(?: (?:the |her |his )?(?:appointment|visit))?))$|^(?:please )?(?:have|ask|remind|tell) {O} (?:to )?bring (?:(?:the|her|his|their|a|an|any|all|current|photo|id|and|or|list|of|prior|recent|{I}) ?)+$|^location (?:our )?(?:[a-z]+ ){0,2}(?:office|clinic|location)$|^location \d{1,5} (?:[nsew] )?(?:[a-z]+ ){1,3}(?:st|street|ave|avenue|rd|road|blvd|dr|drive|way|lane|ln|hwy|pkwy)(?: (?:suite|ste|unit|#) ?[0-9a-z]{1,5})?$",
        ),
        (NotYet, r"^(?:not yet|none yet|pending)$"),
        (
            Review,
            r"^(?:{C} )?is (?:now )?with (?:our |the )(?:triage (?:nurse|team)|clinical team|referral (?:team|coordinator|nurse)|intake(?: team)?|schedulers?|scheduling(?: team)?)(?: (?:now|for review))?$|^(?:we |{D} )?(?:(?:will (?:review|triage)|(?:are |is )?(?:currently )?(?:reviewing|triaging))(?: {R})?(?: (?:now|soon|shortly))?(?: and (?:call|contact|schedule)(?: {O})?)?)$",
        ),
        (
            Review,
            r"^(?:{C} )?(?:is |are )?(?:now |currently )?(?:under|in|being|pending) (?:review|triage|reviewed|triaged)(?: by (?:our |the )?(?:triage (?:nurse|team)|clinical team|providers?|doctors?|physicians?|team|nurses?|dr [a-z'-]+))?$|^(?:{C} )?will be (?:reviewed|triaged)(?: (?:soon|shortly))?(?: by (?:our |the )?(?:triage (?:nurse|team)|clinical team|providers?|doctors?|physicians?|team|nurses?|dr [a-z'-]+))?$",
        ),
        (
            Says(O::Completed),
            r"^(?:(?:{S} )?(?:was|has been)|{S}) seen(?: (?:@d\d+|by dr [a-z'-]+|for (?:the |her |his )?(?:visit|consult(?:ation)?)|here|in (?:our )?(?:clinic|office)))*$",
        ),
        (
            Says(O::Completed),
            r"^(?:the |her |his )?(?:new patient )?(?:visit|consultation|consult|appointment)(?: (?:is|was|has been))? completed?(?: @d\d+)?$|^completed (?:the |her |his )?(?:visit|consultation|consult|appointment)(?: @d\d+)?$",
        ),
        (
            Says(O::Scheduled),
            r"^(?:{S} )?(?:is |has been |has now been |is now )?(?:now )?(?:re-?)?(?:scheduled|booked)(?: in)?(?: (?:for )?{V})?{T}$",
        ),
        (
            Says(O::Scheduled),
            r"^{W} (?:were|was) able to (?:get {O} (?:scheduled|booked|in)|(?:schedule|book) (?:{O}|{V}))(?: (?:for )?{V})?{T} @d\d+{T}$",
        ),
        (Says(O::Scheduled), r"^(?:{S}|{V}) was (?:re-?)?(?:scheduled|booked)(?: in)?(?: for {V})?{T} @d\d+{T}$"),
        (
            Says(O::Scheduled),
            r"^(?:{W} )?(?:have |has |just |now )*(?:re-?)?(?:scheduled|booked)(?: {O}| it| this| this one)?(?: in)?(?: (?:for )?{V})?(?: for {O})?{T}$",
        ),
        (
            Says(O::Scheduled),
            r"^dr [a-z'-]+ (?:has )?(?:scheduled|booked) {O}{T}$|^we have {O} (?:scheduled|booked|on (?:the|our) schedule){T}$",
        ),
        (Says(O::Scheduled), r"^{V}(?: (?:is|has been))?(?: now)? (?:re-?)?(?:scheduled|booked)(?: for {O})?{T}$"),
        (Says(O::Scheduled), r"^(?:{S} is )?on (?:the|our) schedule{T}$"),
        // With a day only: an appointment that is offered, or was, is said otherwise.
        (
            Appointment,
            r"^(?:the |her |his |(?:the )?patient's |patient )?(?:new patient |new )?(?:appointment|visit|consultation|consult)(?: date)?(?: (?:is|will be))?(?: now)?{T}$|^{V}(?: (?:is|has been|was))?(?: now)? (?:made|set|set up|confirmed)(?: (?:for|with) {O})?{T}$",
        ),
        // "Confirmed", with a day to come and a time: no receipt has one.
        (Appointment, r"^(?:{S} is )?confirmed{T} @d\d+ @t\d+{T}$"),
        (Appointment, r"^yes @d\d+ @t\d+{T}$"),
        (Appointment, r"^appointment yes{T}$|^(?:all )?set(?: up)?{T}$|^{S} is (?:all )?set(?: up)?{T}$"),
        (
            Appointment,
            r"^{S} (?:now )?(?:has|got) {V}(?: (?:set|made|set up))?{T}$|^(?:we )?(?:have |got )?made {V}(?: for {O})?{T}$|^(?:we )?(?:have )?set (?:up )?{V}(?: for {O})?{T}$|^(?:we )?(?:have )?set {O} up{T}$",
        ),
        (
            Appointment,
            r"^{S} (?:will|is going to) be seen{T}$|^{S} is coming in{T}$|^we will see {O}{T} @d\d+{T}$|^we (?:got {O} in|have {O} (?:in|down)){T}$",
        ),
        (
            Says(O::Accepted),
            r"^(?:and )?(?:{D} )?(?:will |can |do |does |has |have |are |is |would be |happy to |glad to |able to |pleased to )+accept(?:s|ed|ing)? (?:{O}(?: for (?:a )?(?:consult(?:ation)?|evaluation|care|treatment))?|{A})$",
        ),
        (
            Says(O::Accepted),
            r"^approved for scheduling$|^(?:(?:reviewed )?and )?(?:{A} (?:is |was |has been )?)?approved by dr [a-z'-]+(?: for scheduling)?$|^(?:{D} )?(?:have |has )?accepted$|^we (?:will )?accept$|^accepted (?:{O}|{A})$|^{D} accept(?:s|ed)? (?:{O}|{A})$|^(?:{A} (?:is |was |has been |have been )?)?accepted by (?:dr [a-z'-]+|us|our (?:office|clinic|practice))$|^(?:the |this |your |that |her |his )?(?:new )?(?:patient's )?(?:referral|case) (?:is |was |has been )?accepted$|^{S} (?:is|was|has been) accepted$",
        ),
        (
            Says(O::Accepted),
            // "We can see them" may be said of pages.
            r"^(?:{D} )?(?:will |can |are |is |would be |happy to |glad to |able to |pleased to )+(?:see|take(?: on)?) (?:(?:the |this |your |that |said )?patient|her|him)$",
        ),
        (
            Says(O::Received),
            r"^(?:(?:{W} |this is to |just to )(?:confirm|acknowledge)|(?:{W} )?(?:just )?(?:confirming|confirmed|acknowledging|acknowledged)) (?:the |our )?(?:receipt|receiving)(?: of)?(?: {C})?{H}$|^{W} (?:are|is) in receipt of {C}$|^receipt (?:is |has been )?(?:confirmed|acknowledged)$|^acknowledged$|^(?:just )?confirmed$|^confirming$|^(?:(?:{W} |this is to |just to )?confirm|confirming|(?:this is |just )?to (?:confirm|acknowledge|let you know)) (?:that )?we (?:have |did )?(?:received|receive|got) {C}{H}$",
        ),
        (
            Says(O::Received),
            r"^all (?:[1-9]\d{0,2} )?pages (?:were |have been )?received$|^(?:\[x\] *)?(?:{R} )?received *-? *yes$|^\[x\] *(?:{R} )?received$",
        ),
        (
            Says(O::Received),
            r"^(?:{W} )?(?:have |has |just |now |also |safely )*received(?: {C})?{H}$|^(?:{W} )?(?:have |just |now )*got {C}{H}$|^(?:{W} )?did (?:get|receive) {C}{H}$",
        ),
        (
            Says(O::Received),
            r"^{N} (?:has been |was |is )?(?:now |safely |just )?received{H}$|^{C} came (?:through|in)(?: fine)?{H}$",
        ),
        (
            Says(O::Received),
            r"^(?:{W} )?(?:do )?(?:now )?have (?:(?:the |this |your |her |his )(?:new )?(?:patient )?(?:referral|fax|packet|paperwork)|it|this one|this)(?: on file| in hand| in our system)?{H}$|^(?:(?:the |this |your |her |his )?(?:referral|fax|packet|paperwork)|it|this one|this) is (?:now )?(?:in our (?:system|queue)|on file|in hand)$",
        ),
    ]
};

/// Words that can turn round what stands beside them: negation, condition, doubt, contrast, another time, another thing.
pub(super) const RISKY: &str = "\
    not no none never nor neither without unable hardly nothing nobody cannot unless if once until till when whenever \
    provided depending depends assuming subject contingent conditional pending may might maybe perhaps probably \
    possibly possible likely tentative tentatively hopefully hope think believe guess should would could unsure sure \
    whether or either try trying tried attempt attempting but however although though except instead otherwise \
    unfortunately sorry regret apologies wait waiting waitlist waitlisted hold cancel canceled cancelled cancels \
    cancellation moved changed change postponed wrong error mistake different other another second duplicate already \
    previously previous prior last before former old ago died dead deceased passed expired hospice hospital \
    hospitalized admitted inpatient outside undecided preferred emergency er urgent asap soonest earlier earliest later available availability \
    opening openings offer offered fully solid out full overbooked double call called calling callback phone voicemail \
    message missing illegible unreadable blank partial partially part page pages cut incomplete only half need needs \
    require requires required incorrect inactive denied declined declines refused rejected expedite question why who \
    what where which how says said told wants want wanted asked asks ask will to-be can must please resend refax \
    reschedule rescheduling between from around about approximately week weeks month months year years doubt confused \
    unclear unknown test ignore disregard void withdrawn retired left closed closing leave vacation transferred \
    transfer records labs insurance authorization auth sister brother son daughter wife husband twin both two three \
    patients referrals fwd forwarded nicht kein pas ne noch sin aucun ninguna by with elsewhere pcp primary themselves \
    correction correct corrected typo actually instead revised updated cx cxl cxd canx cancelled dna dnka ns rs oon rts \
    reject rejection deny denial refuse refusal dup self pay overseas gone fell through blurry kidding capacity pto sabbatical maternity offline flooded bankrupt strike review reviewing \
    reviewed tbd tba tbc ooo sick intended pass pend refer recommend recommended rec suggest suggested consider prefer prefers \
    verify invalid ineligible belongs goes chose chooses sees established object \
    give gives giving use uses moving moves lives living unpaid balance medicaid hmo cash \
    recommends suggests objects defers passes refuses retires advises mismatch bad mrn acct account member id far ps under over route";

/// Words that change nothing of what is said beside them, whatever it is. No word that can stand for somebody or something else is one.
pub(super) const NEUTRAL: &str = "\
    and so the a an for on at in we this that it its visit consult consultation appointment referral time date also \
    now just has have is was are been here patient patient's she he they her his him them our your us yes \
    today yesterday tomorrow successfully safely new currently as of";

/// What is missing stands among such words.
pub(super) const ASKED_FOR: &str = "\
    most recent latest last office clinic progress consult visit or any all copy copies complete completed full updated \
    recent relevant pertinent clinical prior supporting additional more medical imaging insurance lab \
    us over me referring sheet";

/// Common words that are no part of a name or a desk.
pub(super) const COMMON: &str = "\
    patient patients she he we they it is was has have been be are with see seen got get received accepted scheduled \
    booked appointment visit show confirmed completed done today yes new please send her him them in on to you your us our \
    this that there here referral";
