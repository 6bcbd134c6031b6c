//! The pages that are sent and come back: for many references, ticked in every way that must be told apart.

use bytes::Bytes;
use image::GrayImage;
use loopline::{
    compose::{
        Document, PageFace,
        cover_page::{self, About, Behind, layout},
    },
    ids::ReferralId,
    referral::{Priority, Record, Reference, Referral, ReplyOutcome, Status, TokenKey},
};

use super::{
    file::{self, Store},
    press::{self, Dice, Level, MARKS, Mark, Way},
};

/// What somebody does to a cover page, and what it says then.
pub struct Case {
    pub ticks: &'static [&'static str],
    pub writes: &'static [&'static str],
    pub outcome: ReplyOutcome,
    /// Whether a person must read what is written by hand.
    pub waits: bool,
}

const fn case(ticks: &'static [&'static str], writes: &'static [&'static str], outcome: ReplyOutcome, waits: bool) -> Case {
    Case { ticks, writes, outcome, waits }
}

/// Every combination of ticks that means something of its own, and those that mean nothing.
pub const CASES: [Case; 13] = [
    case(&["received-yes"], &["signed"], ReplyOutcome::Received, false),
    case(&["received-yes", "appointment-not-yet"], &["signed"], ReplyOutcome::Received, false),
    case(&["received-yes", "appointment-yes"], &["appointment-date", "appointment-time"], ReplyOutcome::Received, true),
    case(&["received-yes", "appointment-declined"], &["declined-reason"], ReplyOutcome::Declined, false),
    case(&["received-no"], &[], ReplyOutcome::NotReceived, false),
    case(&["wrong-recipient"], &[], ReplyOutcome::WrongRecipient, false),
    case(&["received-yes", "received-no"], &[], ReplyOutcome::Unclear, false),
    case(&[], &["signed"], ReplyOutcome::Unclear, false),
    case(&["received-yes", "appointment-yes", "appointment-not-yet"], &[], ReplyOutcome::Unclear, false),
    case(&["appointment-yes"], &["appointment-date"], ReplyOutcome::Unclear, false),
    case(&["received-no", "appointment-yes"], &[], ReplyOutcome::Unclear, false),
    case(&["received-yes"], &["appointment-date"], ReplyOutcome::Received, true),
    case(&["received-yes", "appointment-not-yet"], &["beside-not-yet"], ReplyOutcome::Received, true),
];

/// The key of the tokens here.
pub fn key() -> TokenKey {
    TokenKey::new([7; 32])
}

/// A reference number made from the dice.
pub fn reference(dice: &mut Dice) -> Reference {
    const SYMBOLS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let body: String = (0..7).map(|_| char::from(SYMBOLS[dice.below(SYMBOLS.len())])).collect();
    SYMBOLS.iter().find_map(|check| format!("LL{body}{}", char::from(*check)).parse().ok()).expect("one check character fits")
}

/// A referral with this reference; all of it is invented.
pub fn referral(reference: Reference) -> Referral {
    let mut record = Record { priority: Priority::Urgent, ..Record::default() };
    record.patient.name.family = Some("Quarterstone".to_owned());
    record.patient.name.given = Some("Ottilie".to_owned());
    record.referring.organization = Some("Cedar Hollow Family Medicine".to_owned());
    record.referred_to.specialty = Some("Gastroenterology".to_owned());
    Referral {
        id: ReferralId::generate(),
        reference,
        status: Status::Requested,
        version: 1,
        record: Box::new(record),
        pending_replies: Vec::new(),
        sources: Vec::new(),
        history: Vec::new(),
    }
}

/// The cover page of a referral, as it goes out.
pub fn cover_page(referral: &Referral, about: About) -> Document {
    cover_page_with(referral, about, key().token(&referral.reference).as_str())
}

/// The same with any token.
pub fn cover_page_with(referral: &Referral, about: About, token: &str) -> Document {
    let token = token.to_uppercase();
    let face = PageFace {
        site_name: "Fairmead Referral Office",
        recipient: Some("Bayview Gastroenterology"),
        return_fax: Some("+14155550199"),
        return_email: Some("referrals@fairmead.example"),
        code: Some(&token),
    };
    cover_page::document(about, referral, &face, Behind::ByFax).expect("a page can be composed")
}

/// Fills a cover page in.
pub fn fill_in(page: &mut GrayImage, case: &Case, mark: Mark, dice: &mut Dice) {
    let area = |name: &str| {
        let mut areas = layout::BOXES.iter().chain(&layout::BLANKS).chain(&layout::BESIDE);
        areas.find(|(known, _)| *known == name).expect("the layout has it").1
    };
    for name in case.ticks {
        press::tick(page, area(name), mark, dice);
    }
    for name in case.writes {
        press::write_by_hand(page, area(name), dice);
    }
}

/// A page on its way, and what must be read of it.
pub struct Sent {
    pub name: String,
    pub file: Bytes,
    pub reference: Reference,
    pub case: &'static Case,
}

/// Prints, fills in and faxes the page of this number: every fifth upside down, a third askew by up to five degrees, a third with a line of
/// the sending machine on top, all of them shrunk a little.
pub fn send(seed: u64, level: Level, number: u64, scale: Option<f32>) -> Sent {
    let mut dice = Dice(seed << 32 | number << 8 | level as u64);
    let reference = reference(&mut dice);
    let document = cover_page(&referral(reference.clone()), About::Request);
    let mut page = press::printed(&document.bytes);
    let case = &CASES[number as usize % CASES.len()];
    let mark = MARKS[dice.below(MARKS.len())];
    fill_in(&mut page, case, mark, &mut dice);
    let way = Way {
        skew: if number % 3 == 1 { dice.between(-5.0, 5.0) } else { 0.0 },
        scale: scale.unwrap_or_else(|| dice.between(0.93, 1.0)),
        upside_down: number % 5 == 4,
        header: number.is_multiple_of(3),
        ..Way::plain(level)
    };
    let store = Store::ALL[number as usize % Store::ALL.len()];
    let faxed = press::faxed(&page, way, &mut dice);
    let name = format!("{}-{number:03}-{mark:?}.{}", level.as_str(), store.ending()).to_lowercase();
    Sent { name, file: file::file(&[faxed], store).into(), reference, case }
}
