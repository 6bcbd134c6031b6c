//! The phrases and words that front desks' answers are made of: lists, and nothing that reads them.

use regex::Regex;

use super::statements::Meaning;
use crate::referral::ReplyOutcome;

/// How the patient is called.
const P: &str = "(?:(?:the |this |your |our |that |said )?(?:patient|family|parents?|caregiver|mom|mother|father)|her|him|them|she|he|they|\
                 (?:mr|mrs|ms) [a-z'-]+)";
/// The patient, and nobody beside.
const S: &str = "(?:(?:the |this |your |our |that |said )?patient|her|him|she|he|(?:mr|mrs|ms) [a-z'-]+)";
/// How what we sent is called.
const R: &str = "(?:(?:the |this |your |that |her |his |any |an? )?(?:new )?(?:patient )?(?:patient's )?(?:faxed )?\
                 (?:referral fax|referral|fax|request|packet|paperwork|email|mail|message|case)|it|this one|this|that)";
/// What can be accepted: a fax that was accepted has only come.
const A: &str = "(?:(?:the |this |your |that |her |his |any |an? )?(?:new )?(?:patient )?(?:patient's )?(?:faxed )?\
                 (?:referral|request|case)|it|this one|this|that)";
/// What can be missing.
const I: &str = "(?:labs?|lab results?|bloodwork|records?|notes?|chart|imaging|images?|x-?rays?|mri|ct|echo|ekg|ecg|insurance card|insurance|\
                 demographics|authorization|auth|medication list|medications?|med list|history|results?|reports?|orders?|diagnosis|\
                 icd(?:-?10)?(?: code)?|pathology|phone number|signature|face ?sheet|copy|information|info|documentation|clinicals?|\
                 cover ?sheet)";

/// A pattern with the names filled in.
pub(super) fn fixed(pattern: &str) -> Regex {
    let pattern = pattern.replace("{P}", P).replace("{S}", S).replace("{R}", R).replace("{A}", A).replace("{I}", I);
    Regex::new(&pattern).expect("the pattern is fixed and compiles")
}

/// Courtesies: whole clauses, because they hold words that are risky elsewhere.
pub(super) const COURTESIES: &[&str] = &[
    r"^(?:hi|hello|dear|good (?:morning|afternoon|evening|day)|greetings)\b[a-z '-]{0,40}$",
    r"^(?:(?:many|great|ok|okay|perfect) )?(?:thanks|thank you)(?: (?:you|so much|again|very much|kindly|all|team))*(?: and have a (?:great|good|nice) (?:day|week|weekend))?$",
    r"^(?:many )?(?:thanks|thank you)(?: so much| very much)? for (?:{R}|your (?:trust|kind referral|note|follow up)|sending (?:it|this|{P}|{R})(?: over| our way)?|reaching out|following up|checking(?: in)?|thinking of us|trusting us(?: with (?:{P}|{P} care))?)$",
    r"^(?:and )?have a (?:great|good|nice|wonderful|lovely) (?:day|week|weekend|one|evening)(?: too)?$",
    r"^(?:please )?(?:let us know|call(?: us| the office)?|contact us|reach out|feel free to (?:call|contact us|reach out))(?: at| on)? ?(?:if you have|with|should you have|if there are) (?:any )?(?:further |other |more )?questions?(?: or concerns)?$",
    r"^(?:if you have|for|with) any (?:further |other )?questions?(?: or concerns)?$|^(?:please )?(?:call|contact|email) us$",
    r"^(?:(?:kind|best|warm) )?regards$|^sincerely(?: yours)?$|^best(?: wishes)?$|^cheers$|^respectfully$",
    r"^{P} (?:is |are |has been |have been )?(?:aware|notified|informed)(?: of (?:the |her |his )?(?:appointment|date|time)(?: and (?:date|time))?)?$",
    r"^(?:the |our |her |his )?(?:consult(?:ation)? |visit )?(?:reports?|notes?|results?) (?:to follow|will follow|will be (?:sent|faxed)(?: over)?)(?: (?:soon|shortly))?$",
    r"^(?:no problem|you are welcome|sure|sure thing|ok|okay|great|perfect|all good|will do|sounds good|of course|absolutely|happy to help|our pleasure)$",
];

/// Tried in this order; each takes the words it matched out of the clause, so what is negative stands before what is positive.
pub(super) const STATEMENTS: &[(Meaning, &str)] = {
    use Meaning::{Appointment, No, Pending, Says, Yes};
    use ReplyOutcome as O;
    &[
        // The wrong number, provider or address of the patient is something else: only what is said of ourselves counts.
        (
            Says(O::WrongRecipient),
            r"^(?:sorry )?(?:(?:this|it|that) is |you (?:have |got |have got |reached |have reached |(?:have )?(?:sent|faxed|emailed) (?:{R}|this) to ))?(?:the |a )?wrong (?:fax number|number|fax|clinic|office|practice|department|recipient|email address)$",
        ),
        (
            Says(O::WrongRecipient),
            r"^{R} (?:was |has been |were |is )?(?:sent|faxed|emailed|addressed|came|went) to (?:the|a) wrong (?:fax number|number|fax|clinic|office|practice|department|recipient|email address)$",
        ),
        (
            Says(O::WrongRecipient),
            r"^(?:sorry )?(?:(?:{R} (?:was |were |is |has been )*)?(?:sent|received|faxed|came|emailed)|you (?:have )?(?:sent|faxed|emailed)|we (?:have )?(?:received|got))(?: (?:to us|here|it|this|{R}))* (?:in error|by mistake|by accident)$",
        ),
        (
            Says(O::WrongRecipient),
            r"\b(?:dr [a-z'-]+|this (?:provider|dr)) (?:does not work here|no longer works here|is no longer (?:with us|with our (?:office|practice|clinic)|here|at this (?:office|location|practice)))\b",
        ),
        (Says(O::WrongRecipient), r"^(?:we are|this is) not (?:an? |the )?[a-z -]{3,40}(?:clinic|office|practice|department)$"),
        (
            Says(O::NotReceived),
            r"^(?:we |our office )?(?:have |has |did |do )not (?:yet |ever |actually )?(?:(?:received?|got(?:ten)?|get|have|find)(?: {R}| anything| one)?(?: yet| on our end| from you| for {P}| in our system)*|see (?:{R}|anything)(?: on our end| from you| in our system)+|see (?:the |your |a |any )(?:referral|fax|referral fax|email|paperwork)(?: yet| for {P})*)$",
        ),
        (
            Says(O::NotReceived),
            r"^(?:{R} )?(?:was |has |have )?(?:not|never)(?: yet)?(?: been)? received(?: here| yet| by us| by our office| on our end| anything)*$",
        ),
        (
            Says(O::NotReceived),
            r"^(?:{R} )?(?:was |has )?never (?:came|arrived|come|arrive)(?: through| in)?$|^{R} did not (?:come|arrive|go) ?(?:through|in|here)?$",
        ),
        (
            Says(O::NotReceived),
            r"^(?:we )?never (?:received|got|saw)(?: {R}| anything)?(?: from you| for {P})*$|^received *[:=-]? *no$|^nothing (?:was )?received(?: yet| here)*$",
        ),
        (
            Says(O::NotReceived),
            r"^(?:we )?(?:have )?no (?:record|sign|trace) of (?:{R}|receiving {R}|having received {R})(?: in our system)?$|^no referral (?:was )?received$",
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
            Says(O::NoShow),
            r"(?:^|\b{S} )(?:has |was |is )*(?:an? )?no[- ]?show(?:ed)?(?: (?:for|to|her|his|their|the|on|visit|appointment|consult|today))*",
        ),
        (
            Says(O::NoShow),
            r"(?:^|\b(?:{S}|they|(?:the |her |his )?family) )did not (?:show up|show|come in|come|attend|keep)\b(?: (?:for|to|her|his|their|the|on|visit|appointment|consult|today))*",
        ),
        (
            Says(O::NoShow),
            r"\b(?:{S}|they|(?:the |her |his )?family) (?:has |have )?(?:missed|failed to (?:show|attend|appear))(?: up)?(?: (?:for|to|her|his|their|the|on|visit|appointment|consult))*|^missed (?:the |her |his |their )?(?:visit|appointment|consult)",
        ),
        (
            Says(O::PatientUnreachable),
            r"\b(?:are |were |have been |been )?(?:unable to|not able to|can not|could not|have not been able to) (?:reach|contact|get (?:a )?hold of|get in touch with) {P}(?: by phone| to schedule| at the number (?:provided|given|on file))*",
        ),
        (
            Says(O::PatientUnreachable),
            r"\b(?:we )?(?:have )?left (?:several|multiple|two|three|four|\d) (?:voice ?mails?|vms?|messages)(?: for {P})?(?:,? (?:and |with )?(?:no (?:response|answer|call ?back|return call)|{P} (?:has|have) not (?:called|returned)(?: our calls| us)?(?: back)?))",
        ),
        (
            Says(O::PatientUnreachable),
            r"\b{P} (?:is unreachable|is not (?:responding|answering)|(?:has|have|did) not (?:returned?|answered|responded to) our (?:calls|messages)|(?:is|are) not returning our calls)",
        ),
        (
            Says(O::PatientDeclined),
            r"\b{P} (?:has |have )?(?:declined|refused|does not want|do not want|did not want|is not interested|are not interested|no longer wants?|does not wish|chose not|opted not)(?: (?:the |an? |any |to |in |being |be |her |his |our )*(?:appointment|referral|visit|consult(?:ation)?|scheduled?|seen|see us|services?|come(?: in)?|treatment|this|it|scheduling))?(?: at this time)?",
        ),
        (
            Says(O::Redirected),
            r"^(?:please |kindly )(?:(?:re-?direct|re-?route|refer)(?: (?:{R}|{P}))?|(?:forward|send) {R}) to (?P<whom>[a-z].*)",
        ),
        (
            Says(O::Redirected),
            r"^{R} (?:should|needs to|has to|must) (?:go|be sent|be referred|be re-?directed|be faxed) to (?P<whom>[a-z].*)",
        ),
        (
            Says(O::NeedsInformation),
            r"^(?:and |but )?(?:please|kindly|can you|could you|would you)(?: please| also| kindly)* (?:re)?(?:send|fax|provide|forward|email|upload|attach)(?: us| over| me)* (?P<what>.*\b{I}\b.*)",
        ),
        (
            Says(O::NeedsInformation),
            r"^(?:and |but )?(?:we |our office )?(?:still |also |just |only )*(?:need|needs|require|requires|are missing|is missing|missing) (?P<what>.*\b{I}\b.*)",
        ),
        (
            Says(O::Declined),
            r"\b(?:we |dr [a-z'-]+ |our (?:office|clinic|practice) )?(?:are |is |am )?(?:currently )?(?:unable to|not able to|can not|will not be able to|will not) (?:(?:accept|take(?: on)?|see|accommodate|treat) (?:{P}|new patients|any new patients)|(?:accept|take(?: on)?|accommodate) (?:{A}|new referrals))(?P<why>(?: (?:because|due to|since|as|at this time|with) ?.*)?)",
        ),
        (Says(O::Declined), r"\b(?:unable to accommodate|can not accommodate)(?: (?:{P}|{R}))?"),
        (
            Says(O::Declined),
            r"\b(?:we |dr [a-z'-]+ |our (?:office|clinic|practice) )?(?:are |is )?(?:not|no longer)(?: currently)? (?:accepting|taking)(?: any)?(?: new)?(?: patient)? ?(?:patients?|referrals)(?: at this time)?",
        ),
        (
            Says(O::Declined),
            r"\b(?:we )?do not (?:accept|take|participate with) (?P<why>(?:this |the |her |his |their |patient's )*(?:patient's )?(?:insurance|plan|medicaid|medicare)(?: plan)?)",
        ),
        (
            Says(O::Declined),
            r"^(?:we )?do not (?P<why>treat [a-z ,'/-]{3,60}|see (?:children|kids|adults|minors|pediatrics?(?: patients)?|adult patients))$",
        ),
        (
            Says(O::Declined),
            r"^(?:we |dr [a-z'-]+ |our (?:office|clinic|practice) )?(?:are |is |have |has |must |will |have to |need to |regret(?:fully)? )*(?:to )?declin(?:e|ed|ing)(?: {R}| to (?:see|accept|take) (?:{P}|{R}))?(?P<why>(?: ?[:-]? ?(?:because|due to|since|as|reason) ?.*)?)$",
        ),
        (
            Says(O::Declined),
            r"^(?:{R} )(?:is |was |has been |have been )?(?:being )?(?:declined|rejected)(?: by (?:our (?:office|clinic)|dr [a-z'-]+|us))?(?P<why>(?: ?[:-]? ?(?:because|due to|since|as|reason) ?.*)?)$",
        ),
        (Says(O::Declined), r"^appointment *[:=-]? *declined(?P<why>(?: ?[:-]? ?(?:because|due to|since|as|reason) ?.*)?)$"),
        (
            Pending,
            r"\b(?:but )?(?:we |{P} |it |appointment )?(?:have |has |is |are )?not (?:yet )?(?:been )?(?:scheduled|booked|made)(?: yet)?(?: an appointment)?(?: (?:for )?{P})?\b|\bnot yet (?:scheduled|booked)\b",
        ),
        (
            Pending,
            r"^(?:but )?(?:there is )?no appointment (?:yet|has been made yet|made yet|so far|date yet)$|^(?:appointment *[:=-]? *)?(?:not yet|none yet|pending)$|^(?:and |but )?(?:{P} |(?:the |her |his )?appointment )?(?:(?:is|are|has|have) )?(?:still |yet )?to be (?:scheduled|booked|made)$",
        ),
        (
            Pending,
            r"^(?:and |but )?(?:we |our (?:office|team|staff|schedulers?|scheduling team|front desk|clinic) |someone )?(?:will|are going to|shall) (?:be )?(?:calling|contacting|reaching out to|call|contact|reach out to|get in touch with|schedule|book)(?: (?:with )?{P})?(?: (?:and|to) (?:schedule|book|set up|make|arrange)(?: (?:{P}|an? |the |appointment|visit|consult))*)?(?: (?:an? |the )?appointment)?(?: (?:soon|shortly|asap|directly|today|tomorrow|this week))*$",
        ),
        (
            Pending,
            r"^(?:and |but )?(?:we )?(?:are |is )?(?:working on|in the process of) scheduling(?: {P})?$|^(?:we )?(?:will (?:review|triage)|(?:are )?(?:currently )?(?:reviewing|triaging))(?: {R})?(?: (?:now|today|soon|shortly))?$|^(?:{R} )?(?:is |are )?(?:now |currently )?(?:under|in|being|pending) (?:review|triage|reviewed|triaged)$|^(?:we )?will (?:keep you (?:posted|updated)|update you|let you know|follow up|be in touch|get back to you)(?: (?:soon|shortly))?$",
        ),
        (
            Says(O::Completed),
            r"(?:^|\b{S} )(?:was|has been|were) seen(?: (?:(?:on )?@d\d+|by dr [a-z'-]+|for (?:the |her |his )?(?:visit|consult(?:ation)?)|here|in (?:our )?(?:clinic|office)))*",
        ),
        (
            Says(O::Completed),
            r"\b(?:the |her |his )?(?:visit|consult|consultation|appointment|evaluation) (?:is |was |has been )?completed?\b|\bcompleted (?:the |her |his )?(?:visit|consult|consultation|appointment|evaluation)\b",
        ),
        (
            Says(O::Scheduled),
            r"\b(?:re-?)?(?:scheduled|booked)\b(?: (?:an? |the )?(?:new patient )?(?:appointment|visit|consult(?:ation)?))?(?: to @d\d+)?|\bon (?:the|our) schedule\b",
        ),
        (
            Appointment,
            r"^appointment *[:=-] *yes\b|\b(?:has |have |with |got |made |set up |set )?(?:an? |the |her |his )?(?:new patient )?(?:first )?(?:appointment|visit|consult|consultation)(?: (?:is|set|made|date))*(?: (?:for|on))?\b|\b(?:will|is going to) be seen\b|\bis coming in\b|\bwe will see {P}\b|\bset up\b|\bgot {P} in\b",
        ),
        (
            Says(O::Accepted),
            r"\b(?:we |we have |dr [a-z'-]+ |our (?:office|clinic|practice) )?(?:will |can |do |does |has |have |are |is |would be |happy to |glad to |able to |pleased to )*accept(?:s|ed|ing)?(?: {P}(?: for (?:a )?(?:consult(?:ation)?|evaluation|care|treatment))?| {A})$",
        ),
        (
            Says(O::Accepted),
            r"^(?:and )?(?:we |dr [a-z'-]+ |our (?:office|clinic|practice) )?(?:have |has |will |do |does |are |is )*accept(?:s|ed|ing)?$|\b{A} (?:is |was |has been |have been )?accepted\b|\b{P} (?:is|was|has been|have been) accepted\b",
        ),
        (
            Says(O::Accepted),
            r"\b(?:we |dr [a-z'-]+ )?(?:will |can |are |is |would be |happy to |glad to |able to |pleased to )+(?:see|take(?: on)?) {P}$",
        ),
        (
            Says(O::Received),
            r"\bconfirm(?:ing|ed|s)?(?: (?:the |our )?(?:receipt|receiving)(?: of)?(?: {R})?)|\breceipt (?:is )?(?:confirmed|acknowledged)|\backnowledg(?:e|es|ing|ed) receipt(?: of {R})?|^(?:just )?confirmed$|^(?:confirming|confirm)$",
        ),
        (Says(O::Received), r"^(?:\[x\] *)?(?:{R} )?received *[:=-]? *yes$|^\[x\] *(?:{R} )?received$"),
        (
            Says(O::Received),
            r"\b(?:{R} )?(?:we |our office )?(?:has |have |was |is |were )?(?:been )?(?:successfully |safely |just )?received(?: (?:in full|in good order|all pages)$| {R}(?: (?:for|on) {P})?| (?:today|here|by (?:fax|email|us)|successfully|safely|and\b|for {P}|on @d\d+|@d\d+)|$)",
        ),
        (
            Says(O::Received),
            r"^(?:yes )?(?:we )?(?:have |do have |did get |did receive |got |have got )+{R}$|\b(?:we )?got {R}$|\b{R} (?:is |are )(?:now )?(?:in our (?:system|queue)|on file|in hand)$",
        ),
        (Yes, r"^(?:yes|yep|yeah|yup|affirmative)\b|^correct$"),
        (No, r"^(?:no|nope)\b"),
    ]
};

/// Clauses that are not believed, whatever they hold: somebody else did it, or somebody is to do it.
pub(super) const NOT_PLAIN: &[&str] = &[
    r"^(?:and )?(?:{S}|they|you|your (?:office|clinic|practice)) (?:has |have |just |now |also |already )*(?:received?|got|gets?)\b",
    r"^(?:and )?(?:{S}|they|you|your (?:office|clinic|practice)) (?:has |have |will |can |just |now |also |already )*accept(?:ed|s)? (?:{P}|{A})\b",
    r"^(?:and )?(?:{S}|they|you|your (?:office|clinic|practice)) (?:has |have |will |can |just |now |also |already )*(?:re-?)?(?:schedule|book)(?:d|ed|s)? (?:{P}|{A})\b",
    r"^(?:and )?(?:have|has|get|let) (?:{P}|{A}) (?:\S+ )?(?:re-?)?(?:scheduled|booked|seen|accepted|declined|cancell?ed)\b",
    // `The appointment was on the 14th`: and now?
    r"\b(?:appointment|visit|consult|consultation) was (?:on |for |at |made for )?@d",
];

/// What can stand beside a bare `yes`: it answers whether the referral is there, and nothing else.
pub(super) const AFTER_YES: &str = "we have it do did was has been the referral fax today this";

/// Words that can turn round what stands beside them: negation, condition, doubt, contrast, another time, another thing.
pub(super) const RISKY: &str = "\
    not no none never nor neither without unable hardly nothing nobody cannot unless if once until till when whenever \
    provided depending depends assuming subject contingent conditional pending may might maybe perhaps probably \
    possibly possible likely tentative tentatively hopefully hope think believe guess should would could unsure sure \
    whether or either try trying tried attempt attempting but however although though except instead otherwise \
    unfortunately sorry regret apologies wait waiting waitlist waitlisted hold cancel canceled cancelled cancels \
    cancellation moved changed change postponed wrong error mistake different other another second duplicate already \
    previously previous prior last before former old ago died dead deceased passed expired hospice hospital \
    hospitalized admitted inpatient emergency er urgent asap soonest earlier earliest later available availability \
    opening openings offer offered fully solid out full overbooked double call called calling callback phone voicemail \
    message missing illegible unreadable blank partial partially part page pages cut incomplete only half need needs \
    require requires required incorrect inactive denied declined declines refused rejected expedite question why who \
    what where which how says said told wants want wanted asked asks ask will to-be can must please resend refax \
    reschedule rescheduling between from around about approximately week weeks month months year years doubt confused \
    unclear unknown test ignore disregard void withdrawn retired left closed closing leave vacation transferred \
    transfer records labs insurance authorization auth sister brother son daughter wife husband twin both two three \
    patients referrals fwd forwarded nicht kein pas ne noch sin aucun ninguna by with elsewhere pcp primary themselves \
    correction correct corrected typo actually instead revised updated cx cxl cxd canx cancelled dna dnka ns rs oon rts \
    reject rejection deny denial refuse refusal dup";

/// Words of statements: left over, they show that something was said that no pattern took.
pub(super) const SAYING: &str = "\
    accept accepted accepting accepts received receive receipt scheduled schedule scheduling booked book seen show \
    showed decline reject appointment confirm confirmed completed send sent redirect refer";

/// Words that change nothing of what is said beside them, whatever it is. No word that can stand for somebody or something else is one.
pub(super) const NEUTRAL: &str = "\
    and so the a an for on at in we this that it its visit consult consultation appointment referral time date also \
    now just has have is was are been here patient patient's she he they her his him them our your us yes \
    today yesterday tomorrow successfully safely new currently as of";

/// What is missing stands among such words.
pub(super) const ASKED_FOR: &str = "\
    most recent latest last office clinic progress consult visit or any all copy copies complete completed full updated \
    recent signed front back relevant pertinent clinical prior supporting additional more medical imaging insurance lab \
    us over me referring";

/// Common words that are no part of a name or a desk.
pub(super) const COMMON: &str = "\
    patient patients she he we they it is was has have been be are with see seen got get received accepted scheduled \
    booked appointment visit show confirmed completed done today yes please send her him them in on to you your us our \
    this that there here referral";
