//! What cover mails are made of: lists, and nothing that reads them.
//!
//! # Design notes
//! A phrase is taken out of a sentence wherever it stands, and what is left must be words of [`SAFE`]. So no word of that list may say
//! something by itself or beside others of it: no negation, no time, no verb but to see, to send and to attach.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

pub(super) fn fixed(pattern: &str) -> Regex {
    const PATIENT: &str = r"(?:(?:the |this |these |our |your |attached |above |new |mutual |pleasant |nice )*(?:patient|her|him|them|lady|gentleman)\b)";
    const SHE: &str = r"(?:(?:the |this |our )?patient|she|he|they|mrs?|ms|miss)";
    const THINGS: &str = r"(?:office |clinic |visit |progress |chart |clinical |medical |recent |consult(?:ation)? )*(?:notes?|records?|labs?|lab results?|results?|imaging|images?|reports?|x-?rays?|mri|ct|cd|disc|disk|ekg|ecg|echo|insurance card|insurance|demographics|letter)";
    let pattern = pattern.replace("{P}", PATIENT).replace("{S}", SHE).replace("{I}", THINGS);
    Regex::new(&pattern).expect("the pattern is fixed and compiles")
}

fn list(patterns: &[&str]) -> Vec<Regex> {
    patterns.iter().map(|pattern| fixed(pattern)).collect()
}

/// What says nothing.
pub(super) static PLAIN: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    list(&[
        // The environment, emergencies, how mail is not to be used: longer ones first, as parts of them say something elsewhere.
        r"^this (?:e-?mail|message|mail) (?:was|has been|is) (?:(?:automatically|sent|securely|secured|encrypted|in|transit|tls|at|rest|using|by|with|from|via|and|my|iphone|ipad|phone)\b ?)+(?:zix|paubox|virtru|hushmail|proofpoint|mimecast|barracuda|microsoft(?: purview)?|office 365|proton ?mail)?(?: encryption)?(?:\(r\))?$",
        r"\bplease consider the environment before printing(?: this e-?mail)?\b",
        r"\b(?:if|in) (?:this is|case of|you have) an? (?:medical |life[- ]threatening )?emergency(?: please)?,? (?:please )?(?:call|dial) 911(?: or go to the nearest emergency room)?\b",
        r"\b(?:notice:? )?do not use e-?mail for urgent(?: or time-sensitive)? matters\b|\bappointments may not be cancell?ed by e-?mail\b",
        r"\bif you do not want to receive this e-?mail in (?:the )?future,? you may contact\b.*$",
        r"\b(?:our|the) office (?:is|will be) closed (?:on |for |from )?(?:[a-z]+day\b|jan\w*|feb\w*|mar\w*|apr\w*|may|june?|july?|aug\w*|sep\w*|oct\w*|nov\w*|dec\w*|\d{1,2}|thanksgiving|christmas|the holidays?|lunch|and|to|through|for|from|,|-|/| )+",
        r"\b(?:our|my|office) (?:office )?hours(?: are)?[ :]+(?:mon\w*|tue\w*|wed\w*|thu\w*|fri\w*|sat\w*|sun\w*|m|f|to|through|and|am|pm|noon|closed|for|lunch|\d{1,2}(?::\d\d)?(?:am|pm)?|[-,&:/ ])+",
        r"\bplease allow (?:up to )?[\d-]+ (?:business )?(?:hours|days) for (?:medication )?(?:refills?(?: requests)?|paperwork|forms|a (?:reply|response)|replies)\b|^(?:follow|like|find) us on (?:facebook|instagram|linkedin|twitter|youtube)\b|^(?:we are )?now accepting new patients$|^flu (?:shots|vaccines) (?:are )?(?:now )?available\b[ -]*(?:call (?:us |our office )?today(?: to schedule yours)?)?$",
        r"^\[?(?:external|ext|secure|encrypted)\]?(?: e-?mail)?$|^you have received an? (?:secure|encrypted) (?:e-?mail|message)(?: from(?: (?:[a-z'&-]+ ){0,4}(?:clinic|practice|associates|medical|health|hospital|center|group|medicine))?)?$|^this is an? (?:direct )?(?:secure|encrypted) (?:direct )?(?:message|e-?mail)$|\(?\b(?:she/her|he/him|they/them)(?:/(?:hers|his|theirs))?\b\)?",
        // Greetings and thanks that stand in front of something.
        r"^(?:hi|hello|dear|good (?:morning|afternoon|day)) (?:(?:the|referrals?|scheduling|scheduler|intake|front|desk|cardiology|new|patient|office|team|ladies|folks|guys|there|staff|department|everyone|all|colleagues)\b ?)+[,!]?$|\b(?:with )?(?:kind|kindest|best|warm|warmest) (?:regards|wishes)\b",
        r"^(?:we )?hope (?:you are|this (?:e-?mail |message )?finds you|all is|you had|you have|your)(?: (?:doing|well|good|great|had|have|a|an|nice|lovely|wonderful|and|holiday|holidays|weekend|week|thanksgiving|christmas|day|keeping|are|is|was|you|your|going))*$",
        r"\bgood (?:morning|afternoon|evening|day)\b|\bhappy (?:[a-z]+day|holidays?|thanksgiving|new year)\b|\bto whom it may concern\b|\bhave a (?:great|good|nice|wonderful|lovely|blessed) (?:rest of your )?(?:day|week|weekend|evening|one)\b",
        r"\b(?:thank you|thanks)(?: (?:so|very) much)?(?: in advance| kindly| again)?(?: for (?:your |the )?(?:help|assistance|time|care|attention|prompt attention|cooperation|patience|phone call|call|e-?mail|seeing|evaluating|accepting|agreeing to (?:see|evaluate|accept)|taking care of|sending|following up|referral|consideration)(?: (?:with|of|in|to|the|care|for|{P}|this matter)\b)*)?",
        r"\b(?:i|we) would (?:be (?:most |very )?grateful|(?:greatly |really )?appreciate it)(?: it)? if you (?:could|would) (?:see|evaluate|assess)(?: {P})?",
        r"\bwe (?:appreciate|look forward to) (?:your (?:help|assistance|time|opinion|reply|care|reports?|findings|recommendations|consult(?:ation)?(?: report)?)|hearing from you|working with you)(?: (?:with|of|on|in|the care of) {P})?",
        // Questions, or whatever else is needed.
        r"\b(?:please )?(?:if|should) you (?:have|need|require)(?: (?:any|anything|further|additional|other|more|else|questions?|concerns?|information|info|or|records?|documentation|assistance|help)\b)+,?(?: (?:please|kindly|do not hesitate to|feel free to|just))* (?:call|contact|let|reach out|email|reach)(?: (?:to|us|me|our|the|office|know|at|clinic|directly|anytime|any time|by|phone|email|back)\b)*",
        r"\b(?:please )?(?:do not hesitate to |feel free to )?(?:call|contact|reach out to|reach out|let|email)(?: (?:us|me|our|the|office|know|at|clinic|back)\b)*,? (?:if|with|should)(?: you (?:have|need|require))?(?: (?:any|anything|further|additional|other|more|else|questions?|concerns?|information|info|or|records?)\b)+",
        r"\b(?:please )?do not (?:reply|respond)(?: to this (?:e-?mail(?: address)?|message|mail|address))?\b|\bunsubscribe\b",
        // To call the patient, and to tell us of the appointment.
        r"\b(?:please |kindly |can you |could you |would you |and )*(?:call|contact|reach out to|phone|schedule|reach|notify)(?: with)? {P}(?: directly)?(?: (?:at|on) (?:the |her |his )?(?:phone )?numbers? (?:listed|above|below|provided|on file|on (?:the )?(?:form|referral|demographics))(?: above| below| on the form)?)?(?: (?:to|for|and) (?:schedule|scheduling|set up|make|arrange|book|an? appointment|appointment)(?: (?:an?|the|her|his|appointment|visit|consult|consultation|evaluation)\b)*)?(?: (?:at|on) (?:the |her |his )?(?:phone )?numbers? (?:listed|above|below|provided|on file))?",
        r"\b(?:to|for) schedul(?:e|ing)(?: (?:an?|the|her|his|appointment|visit|consult|consultation|evaluation)\b)*",
        r"\b(?:please |kindly |and )*(?:let (?:us|me|our office) know|notify (?:us|our office)|advise(?: us)?|inform us|update us|(?:e-?mail|fax)(?: us)?(?: back)?|confirm|acknowledge|reply|respond)(?: (?:by|via) (?:email|fax|phone|return))?(?: (?:of|when|once|with|to confirm|that|by|the|her|his|an?|this|it|is|has|been|was|you|have|got|received|scheduled|made|booked|appointment|date|and|time|patient|referral|fax|email|receipt|confirm|confirmation|us|she|he)\b)*(?: to)?",
        r"\b(?:please )?(?:send|fax|forward)(?: (?:us|me|over|back))*(?: (?:your|the|an?|any|copy|of|consultation|consult|visit|report|reports|note|notes|letter|findings|recommendations|and)\b)+(?: (?:after|when|once|following|the|her|his|visit|appointment|evaluation|complete|completed|is|to|us|our|office|dr|by|fax|back)\b)*",
        r"\b(?:at your|at the|at) earliest (?:convenience|convenient time)\b|\bat your convenience\b|\bwhen convenient\b",
        r"\b(?:as|per) (?:your |our |you )?(?:requested|request|discussed|discussion|conversation|phone call|phone conversation|telephone call)(?: (?:on the phone|by phone|with you|today))?\b|\bwe (?:discussed|spoke about)(?: (?:on the phone|by phone))?\b|\byou (?:asked for|requested)\b|\b(?:we are )?sorry for the delay\b",
        r"\b(?:please )?schedule (?:for )?(?:the |her |his )?(?:next|first) available(?: appointment)?\b",
        // What is attached.
        r"\b(?:1|one) (?:new )?referral\b|^here is another (?:one|referral)(?: for you)?(?: [:;]-?[)d])?$|\breferring (?:provider|doctor|dr|physician)\b",
        r"\b(?:the |her |his )?(?:last|most recent|latest|prior|previous|recent)(?: (?:\d{1,2}|two|three|few))?(?: {I})\b",
        r"\b\d{1,3} page\(s\)|\b(?:total )?(?:number of )?pages?(?: (?:including|incl) (?:the )?cover(?: sheet)?)?[ :]+\d{1,3}\b|\b\(?\d{1,3} (?:total )?pages?\b(?: (?:including|incl) (?:the )?cover(?: sheet)?)?\)?|\b1 of 1\b|\bfront and back\b",
        r"\bhere (?:you go|you are|it is)\b|^(?:[a-z0-9-]+\.)+[a-z]{2,}$",
        r"^this is [a-z]+ (?:from|at|with)\b",
        r"^(?:fyi|forwarding|scan|scanned document|attached image)$",
    ])
});

/// What is a note on the referral, and changes nothing of it.
pub(super) static HARMLESS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    const TIMES: &str = r"(?:(?: (?:in|the|an?|on|early|late|either|any|time|day|days|is|best|except|nights?|for|and|or|her|him|appointments?|visits?|telehealth|virtual|mornings?|afternoons?|evenings?|weekdays|mondays?|tuesdays?|wednesdays?|thursdays?|fridays?)\b)+)";
    const LANGUAGE: &str = r"(?:english|spanish|mandarin|cantonese|chinese|vietnamese|russian|ukrainian|arabic|korean|japanese|french|german|portuguese|italian|polish|tagalog|hindi|punjabi|farsi|somali|amharic|hmong|khmer|burmese|nepali|swahili|haitian creole|sign language|asl)";
    const RELATIVE: &str =
        r"(?:(?:her|his) (?:daughter|son|husband|wife|mother|father|sister|brother|spouse|caregiver|family|parents))";
    let patterns = [
        r"\b{S} (?:prefers?|would prefer|likes|is available|works|does better)(?: (?:an? )?(?:appointments?|visits?))?{T}".to_owned(),
        r"\b{S} (?:only )?(?:speaks?|understands?)(?: only)? {L}(?: (?:and|or|only|{L})\b)*|\b(?:{S} )?(?:and )?(?:will )?(?:needs|require[sd]?|uses|with|need)(?: (?:an?|the))?(?: {L})? interpreter\b(?: (?:for|in) {L})?|\b(?:{L} )?interpreter (?:is )?(?:needed|required|requested)\b|\b(?:{L})[- ]speaking(?: only)?\b".to_owned(),
        r"\b{S} is (?:very )?(?:deaf|legally blind|blind|hard of hearing|very anxious|anxious|nervous)(?: about this appointment)?\b|\bplease (?:use (?:a )?(?:tty|relay)|speak up(?: on the phone)?)\b".to_owned(),
        r"\b{S} (?:uses|has|is in) an? (?:wheelchair|walker|cane|service dog|hearing aids?)\b".to_owned(),
        r"\b{S} (?:will|is going to) bring(?: (?:her|his|their|the|an?|own|on|and|with|{I})\b)+".to_owned(),
        r"\b(?:we|i) (?:have )?(?:sent|mailed|will send|will fax|will mail)(?: (?:the|her|his|you|also|{I})\b)+(?: (?:by|via) (?:mail|post|fax|courier))?(?: (?:separately|shortly))?".to_owned(),
        r"\b(?:the )?{I}(?: and {I})* (?:will|to) (?:follow|be sent|be faxed)(?: (?:separately|under separate cover|by fax|by mail|shortly))*".to_owned(),
        r"\b(?:it is )?best to (?:leave an? (?:voice ?mail|message)|text|call)(?:{T})?|\bplease leave an? (?:voice ?mail|message)\b|\btexting (?:her|him) works better than calling\b".to_owned(),
        r"\b(?:so )?(?:mornings|afternoons|weekdays) (?:work|are) (?:best|fine|better)(?: for {P})?".to_owned(),
        r"\btelehealth(?: visits?)? (?:is|are) (?:fine|ok|okay)(?: (?:with|for) {P})?".to_owned(),
        r"\b{S} (?:is (?:aware|expecting your call)|has been told to expect your call|knows (?:about|of) (?:this|the) referral)\b".to_owned(),
        r"\b(?:prior )?(?:auth|authorization) (?:is |was )?(?:not (?:needed|required)|obtained|approved)\b|\bno (?:prior )?(?:auth|authorization) (?:is )?(?:needed|required)\b|\b(?:the |her |his )?insurance does not require (?:an? )?(?:prior )?(?:auth|authorization|referral)\b".to_owned(),
        r"\bwe (?:have )?(?:informed|told|notified) {P} (?:that )?(?:your office|you) (?:will|would) (?:be in touch|call|contact|reach out)(?: (?:with|to) {P})?(?: to schedule)?\b".to_owned(),
        r"\b{S} lives with {R}\b|\b{R}(?: [a-z]+)? (?:will )?(?:drives?|bring|brings) (?:her|him)\b".to_owned(),
    ];
    patterns.map(|pattern| fixed(&pattern.replace("{T}", TIMES).replace("{L}", LANGUAGE).replace("{R}", RELATIVE))).into()
});

/// A number or an address that is another one than before.
pub(super) static NEW_CONTACT: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"\b(?:new (?:phone|fax|cell|mobile|number|home|e-?mail|address|contact|office|direct|line|tel)|(?:e-?mail|address|number|phone|fax|cell|line) is now|now|changed?|updated?|correct|old|instead|disconnected)\b",
    )
});

/// Where the patient, or who speaks for them, is reached.
pub(super) static PATIENT_REACHED: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"\b(?:call|contact|reach|phone|text|schedule|notify|reach out to|e-?mail) (?:with )?{P}|\b(?:her|his|their|patient's) (?:[a-z]+ )?(?:phone|number|cell|mobile|home|e-?mail|address|line)\b|\b(?:mother|father|mom|dad|daughter|son|husband|wife|sister|brother|parents?|guardian|caregiver|spouse|family)\b",
    )
});

/// Where who writes is reached.
pub(super) static WE_REACHED: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"\b(?:questions?|concerns?|anything (?:else|further)|(?:call|contact|reach|phone|text|e-?mail)(?: out to| to| back)? (?:us|me|our|the office|the clinic)|(?:our|the) (?:office|clinic)|sent from|(?:this|the) (?:e-?mail|message|fax) (?:is|was)|reply to)\b",
    )
});

/// A number with its label, and no more.
pub(super) static CONTACT_LABELS: LazyLock<Regex> =
    LazyLock::new(|| fixed(r"^(?:\W|\b(?:p|f|t|o|e|tel|ph|phone|fax|office|direct|main|ext|x|e-?mail)\b)*$"));

/// Where something goes.
pub(super) static SENDS: LazyLock<Regex> = LazyLock::new(|| fixed(r"\b(?:send|fax|forward|e-?mail)\b"));

/// Whoever speaks of the patient.
pub(super) static OF_PATIENT: LazyLock<Regex> = LazyLock::new(|| fixed(r"\b(?:patient|she|he|her|him|his)\b"));

/// What practices are called, and warns elsewhere: `Cedar Urgent Care`.
pub(super) static OF_PRACTICES: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"\b(?:urgent|emergency|immediate|stat) (?:care|department|medicine|medical|physicians?|room|cent(?:er|re)|clinic|services)\b|\bhospice\b|\b(?:brother|sister)s?\b",
    )
});

/// Papers that a sentence says are there, or to come.
pub(super) static NAMED_PAPERS: LazyLock<Regex> = LazyLock::new(|| {
    const PAPERS: &str = r"(?:(?:(?:office|clinic|visit|progress|chart|clinical|consult) notes?|(?:medical )?records?|labs?|imaging|x-?rays?|mri|ct|ekg|ecg|echo|holter|stress test|biopsy|pathology|insurance card|discharge summary|med(?:ication)? list)(?: (?:reports?|results?))?)";
    fixed(&format!(
        r"\b{PAPERS}(?:(?:,| and|, and| &|/) ?(?:the )?{PAPERS})* (?:(?:is|are|also) )*(?:attached|enclosed|included|below|to follow)\b"
    ))
});

/// Sentences that only machines write, as they begin.
pub(super) static MACHINES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    list(&[
        r"^this (?:e-?mail|message|fax|document|mail) (?:was|has been|is) (?:automatically )?(?:sent|scanned|generated) (?:automatically )?(?:from|by|using|via|with)\b",
        r"^(?:you have|you got|you just|you)(?: (?:just|received|got))* (?:an? )?(?:[^ ]+ ){0,5}(?:fax|attached data)\b",
        r"^(?:please (?:open|find) the attached (?:scanned )?document|it was sent to you (?:using|from)|the document was scanned|scanned from|attached file is scanned image|attached is a scan|an? (?:new )?(?:fax|document) (?:has been|was) (?:sent to you|scanned to you|received))\b",
        r"^(?:device (?:name|model|serial)|attachment file type|file format|resolution|scan date|multifunction printer|caller id|fax received|new fax message|reply to:|scan from|send data from|this is an automated)\b",
    ])
});

/// What surely warns, among whatever machines write.
pub(super) static WARNS: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"\b(?:disregard\w*|ignore|discard|shred\w*|void\w*|withdr[ae]w\w*|retract\w*|rescind\w*|revok\w*|recall\w*|mis(?:sent|directed|filed|labell?ed|spelled|spelt)|mistake\w*|mistakenly|in error|erroneous\w*|incorrect\w*|wrong\w*|accident\w*|oops|never ?mind|cancel\w*|cxld?|corrected|correction|revised|amended|supersed\w*|replac\w*|instead|swap\w*|redirect\w*|duplicate|do not (?:schedule|send|call|contact|book|process|use|fax|act|see)|on hold|hold (?:off|this|until)|stop|deceased|died|dead|expired|hospice|stat|urgent\w*|emergen\w*|asap|rush|expedite\w*|immediately|another patient|different patient|(?:some(?:body|one)|anybody) else|not (?:our|my|the|this|hers|his) patient|sister|brother|husband|wife|twin)\b",
    )
});

/// What only people say, of a referral: in no sentence of a machine that is passed over.
pub(super) static OF_PEOPLE: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"\b(?:patient|pts?|she|he|her|his|him|hers|they|them|referral|refer|dr|doctor|appointment|schedul\w*|book\w*|insurance|birth\w*|dob|seen|needs?|wants?|moved|mother|father|daughter|son|lady|gentleman|tomorrow|today|weeks?|priority|old|version|signed|unsigned|discontinued|denied|declined|refused|closed|draft|hold|bleed\w*|pain|icu|er|suicid\w*|pregnant|address|worse\w*|now)\b",
    )
});

/// What subjects begin with, and what gateways put into them.
pub(super) static SUBJECTS: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?:^|[\[(])\s*(?:re|fw|fwd|aw|wg|tr|external|ext|secure|encrypt|encrypted|confidential|phi)\s*[\])]|\b(?:re|fw|fwd|aw|wg|external|ext|secure|encrypted?)\s*:|\b(?:electronic|outgoing|incoming|requests?|needed|order|orders|doctor's|office|front|desk|scanned|scan|image|email|mail|message|secure|confidential|encrypted)\b",
    )
});

/// Words that say nothing, alone or together.
pub(super) static SAFE: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "a an the this these that our your my us we you me i it and for of with to in from on at by as re about here there is are am be many reason diagnosis dx payer plan specialty number included over \
     also please kindly pls hi hello dear team all everyone sir madam colleague colleagues friends see find review view accept open \
     process note attach attached attaching attachment attachments enclosed enclosing enclose below above following named listed \
     sending sent send have forward forwarded forwarding including way through referral referrals refer referring referred request \
     requested form fax document documents pdf file files packet paperwork record records notes chart clinical lab labs result \
     results imaging image images report reports order orders demographics demographic insurance card info information cover sheet \
     face page pages letter copy scan ekg ecg echo mri xray x ray ct patient patients patient's new mutual pleasant consult \
     consultation evaluation evaluate treat treatment visit office clinic practice center group associates medical health department \
     doctor dr md np pa office's one pt ref she her he him his thank thanks regards sincerely yours best mr mrs ms dob mrn \
     includes hl7"
        .split_ascii_whitespace()
        .collect()
});
