//! What a referral says, typed out: the same pages for a fax, a mail and an HL7 message.

use super::{
    cover_page::Enclosures,
    labels,
    paper::{LEFT, RIGHT, Sheet, leading},
    typeset::Style,
};
use crate::referral::{Address, Code, Coverage, Phone, PhoneUse, Provider, Record, Referral};

/// The most summary pages; what does not fit is said to be missing.
pub(super) const SUMMARY_PAGES_MAX: usize = 4;
/// The most lines of one value.
pub(super) const VALUE_LINES_MAX: usize = 40;
/// The most entries of one list (insurances, diagnoses, notes).
pub(super) const ENTRIES_MAX: usize = 20;

const HEADING: Style = Style::bold(16.0);
const NAME: Style = Style::regular(13.0);
const VALUE: Style = Style::bold(13.0);
const VALUE_LEFT: f32 = LEFT + 140.0;
const TOP: f32 = 76.0;
const BOTTOM: f32 = 752.0;

/// One line of a summary page.
pub(super) enum Row {
    Heading(&'static str),
    /// A name, empty where the value goes on, and a line of the value that fits.
    Line(String, String),
}

impl Row {
    fn height(&self) -> f32 {
        match self {
            Self::Heading(_) => leading(HEADING) + 18.0,
            Self::Line(..) => leading(VALUE),
        }
    }
}

/// The summary in pages; `pages_left_out` is how many page images do not follow it.
pub(super) fn pages(referral: &Referral, enclosed: &Enclosures, pages_left_out: usize) -> Vec<Vec<Row>> {
    let mut pages: Vec<Vec<Row>> = vec![Vec::new()];
    let mut y = TOP;
    let mut rows = rows(referral, enclosed, pages_left_out).into_iter().peekable();
    while let Some(row) = rows.next() {
        // A heading stays with the first line under it.
        let with_next = match (&row, rows.peek()) {
            (Row::Heading(_), Some(next)) => next.height(),
            (Row::Heading(_), None) | (Row::Line(..), _) => 0.0,
        };
        if y + row.height() + with_next > BOTTOM {
            if pages.len() == SUMMARY_PAGES_MAX {
                if let Some(last) = pages.last_mut() {
                    last.pop();
                    last.push(Row::Line("…".to_owned(), "There is more: please ask for it, quoting the reference.".to_owned()));
                }
                break;
            }
            pages.push(Vec::new());
            y = TOP;
        }
        y += row.height();
        if let Some(page) = pages.last_mut() {
            page.push(row);
        }
    }
    pages
}

/// Draws one page of rows.
pub(super) fn draw(sheet: &mut Sheet<'_>, rows: &[Row]) {
    let mut y = TOP;
    for row in rows {
        y += row.height();
        match row {
            Row::Heading(words) => {
                sheet.text(HEADING, LEFT, y - 9.0, RIGHT, words);
                sheet.rule(LEFT, RIGHT, y - 3.0);
            }
            Row::Line(name, value) => {
                sheet.text(NAME, LEFT, y, VALUE_LEFT - 8.0, name);
                sheet.write(VALUE, VALUE_LEFT, y, value);
            }
        }
    }
}

struct Rows(Vec<Row>);

impl Rows {
    /// A heading, and what stands under it; nothing where nothing is known.
    fn section(&mut self, heading: &'static str, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self(Vec::new());
        fill(&mut inner);
        if !inner.0.is_empty() {
            self.0.push(Row::Heading(heading));
            self.0.append(&mut inner.0);
        }
    }

    fn add(&mut self, name: &str, value: Option<String>) {
        for (index, line) in VALUE.wrap(&value.unwrap_or_default(), RIGHT - VALUE_LEFT, VALUE_LINES_MAX).into_iter().enumerate() {
            self.0.push(Row::Line(if index == 0 { name.to_owned() } else { String::new() }, line));
        }
    }

    /// The entries of a list, and how many were left out.
    fn list<T>(&mut self, name: &str, entries: &[T], write: impl Fn(&T) -> Option<String>) {
        for entry in entries.iter().take(ENTRIES_MAX) {
            self.add(name, write(entry));
        }
        if let Some(more) = entries.len().checked_sub(ENTRIES_MAX).filter(|more| *more > 0) {
            self.add("…", Some(format!("and {more} more")));
        }
    }
}

fn rows(referral: &Referral, enclosed: &Enclosures, pages_left_out: usize) -> Vec<Row> {
    let record = &referral.record;
    let mut rows = Rows(Vec::new());
    rows.section("Referral", |rows| {
        rows.add("Reference", Some(referral.reference.as_str().to_owned()));
        rows.add("Priority", Some(labels::priority(record.priority).to_owned()));
        rows.add("Referred", Some(labels::kind(record.kind).to_owned()));
        rows.add("Written on", record.authored_at.as_ref().map(labels::date));
        rows.add("Valid until", record.expires_at.as_ref().map(labels::date));
        rows.add("Sender's number", record.identifiers.placer.as_ref().map(|number| number.value.clone()));
        left_out(rows, enclosed, pages_left_out);
    });
    patient(&mut rows, record);
    rows.section("Request", |rows| request(rows, record));
    rows.section("Notes", |rows| rows.list("Note", &record.notes, |note| Some(note.clone())));
    rows.section("Insurance", |rows| insurance(rows, record));
    rows.section("Referring", |rows| provider(rows, &record.referring));
    rows.section("Referred to", |rows| provider(rows, &record.referred_to));
    if !record.review.is_empty() {
        rows.section("Not certain", |rows| {
            rows.list("Please check", &record.review, |path| Some(labels::label(path)));
        });
    }
    rows.0
}

/// What the sender sent and who reads this does not get: counted, since a name can be patient data.
fn left_out(rows: &mut Rows, enclosed: &Enclosures, pages: usize) {
    if pages > 0 {
        rows.add("Left out", Some(format!("{pages} further pages of the referral: please ask for them")));
    }
    let mut documents = |count: usize, what: &str| {
        if count > 0 {
            let noun = if count == 1 { "document" } else { "documents" };
            rows.add("Left out", Some(format!("{count} attached {noun} could not be included{what}: ask the sender")));
        }
    };
    documents(enclosed.documents_left_out, "");
    documents(enclosed.documents_incomplete, " as a whole");
}

fn patient(rows: &mut Rows, record: &Record) {
    let patient = &record.patient;
    rows.section("Patient", |rows| {
        rows.add("Name", labels::person(&patient.name));
        rows.add("Date of birth", patient.birth_date.as_ref().map(labels::date));
        rows.add("Sex", patient.sex.map(|sex| labels::sex(sex).to_owned()));
        if patient.deceased == Some(true) {
            rows.add("Deceased", Some("yes".to_owned()));
        }
        rows.list("Number", &patient.identifiers, |number| {
            let words = [number.kind.as_deref(), Some(number.value.as_str()), number.authority.as_deref()];
            Some(words.into_iter().flatten().collect::<Vec<_>>().join(" "))
        });
        rows.list("Phone", &patient.phones, |number| Some(phone(number)));
        rows.list("Email", &patient.emails, |email| Some(email.clone()));
        rows.add("Address", address(&patient.address));
    });
}

fn request(rows: &mut Rows, record: &Record) {
    let request = &record.request;
    rows.add("Service", request.service.clone());
    rows.add("Reason", request.reason.clone());
    rows.list("Diagnosis", &request.diagnoses, code);
    rows.list("Procedure", &request.procedures, code);
    rows.add("Report", Some(if request.report_expected { "please send one back" } else { "none is expected" }.to_owned()));
}

fn insurance(rows: &mut Rows, record: &Record) {
    rows.list("Insurance", &record.insurance, |Coverage { payer, plan, member_id, group }| {
        let parts = [
            payer.clone(),
            plan.clone(),
            member_id.as_ref().map(|number| format!("member ID {number}")),
            group.as_ref().map(|number| format!("group {number}")),
        ];
        joined(parts, " · ")
    });
    let Some(leave) = &record.authorization else { return };
    let parts = [
        leave.number.clone(),
        leave.status.clone(),
        leave.from.as_ref().map(|day| format!("from {}", labels::date(day))),
        leave.to.as_ref().map(|day| format!("until {}", labels::date(day))),
        leave.units.map(|units| format!("{units} visits")),
    ];
    rows.add("Authorization", joined(parts, " · "));
}

fn provider(rows: &mut Rows, provider: &Provider) {
    rows.add("Name", labels::person(&provider.name));
    rows.add("Practice", provider.organization.clone());
    rows.add("Specialty", provider.specialty.clone());
    rows.add("NPI", provider.npi.clone());
    rows.list("Phone", &provider.phones, |number| Some(phone(number)));
    rows.list("Email", &provider.emails, |email| Some(email.clone()));
    rows.add("Address", address(&provider.address));
}

fn phone(phone: &Phone) -> String {
    let usage = match phone.usage {
        Some(PhoneUse::Home) => " (home)",
        Some(PhoneUse::Mobile) => " (mobile)",
        Some(PhoneUse::Work) => " (work)",
        Some(PhoneUse::Fax) => " (fax)",
        None => "",
    };
    format!("{}{usage}", labels::phone(&phone.number))
}

fn code(code: &Code) -> Option<String> {
    let coded = joined([code.code.clone(), code.system.as_ref().map(|system| format!("({system})"))], " ");
    joined([coded, code.text.clone()], "  ")
}

fn address(address: &Address) -> Option<String> {
    let town = joined([address.state.clone(), address.postal_code.clone()], " ");
    let mut parts: Vec<Option<String>> = address.lines.iter().take(ENTRIES_MAX).cloned().map(Some).collect();
    parts.extend([address.city.clone(), town, address.country.clone()]);
    joined(parts, ", ")
}

fn joined(parts: impl IntoIterator<Item = Option<String>>, between: &str) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(between))
}
