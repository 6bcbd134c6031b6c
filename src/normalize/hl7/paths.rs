//! Paths into a message as configuration writes them, `RF1-10.2`: parsed once when the configuration is read, asked of every message.
//!
//! ```text
//! NTE-3                  the whole text of a note; of other fields, the first component
//! RF1-10.2               segment, field, component; the first RF1 in which it has a value
//! OBX[2]-5               the second OBX
//! PRD[1=RP]-2.1          the PRD whose first field is RP
//! OBX[3.1=12345]-5       the OBX whose field 3, component 1 is 12345
//! PID-13[2].12           the second repetition of a field
//! PID-3[5=NHS].1         the repetition whose component 5 is NHS
//! PID-5.1.2              a subcomponent
//! ```

use std::fmt;

use serde::Deserialize;

use crate::protocols::hl7::{Message, Repetition, Segment, decode};

/// The largest number of a field: no segment of any version has a hundred.
const FIELD_MAX: usize = 250;
/// The largest number of an occurrence, repetition, component or subcomponent.
const POSITION_MAX: usize = 1_000;

/// The segments of HL7 2.2 to 2.9 that travel with referrals, their answers, orders, bookings, documents and batches.
const SEGMENTS: [&str; 66] = [
    "ABS", "ACC", "ADD", "AIG", "AIL", "AIP", "AIS", "AL1", "ARQ", "ARV", "AUT", "BHS", "BTS", "CON", "CTD", "CTI", "DB1", "DG1",
    "DRG", "DSC", "DSP", "ERR", "EVN", "FHS", "FT1", "FTS", "GOL", "GT1", "IAM", "IN1", "IN2", "IN3", "MRG", "MSA", "MSH", "NK1",
    "NTE", "OBR", "OBX", "ODS", "ORC", "PD1", "PDA", "PID", "PR1", "PRB", "PRD", "PRT", "PTH", "PV1", "PV2", "QPD", "RF1", "RGS",
    "ROL", "RXA", "RXC", "RXE", "RXO", "RXR", "SCH", "SFT", "SPM", "TQ1", "TXA", "UAC",
];

/// A path, parsed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Path {
    text: String,
    segment: String,
    which: Which,
    field: usize,
    repetition: Repeat,
    component: Option<usize>,
    subcomponent: Option<usize>,
}

/// Which segments of the name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    Any,
    Number(usize),
    Where { field: usize, component: usize, value: String },
}

/// Which repetitions of the field.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Repeat {
    Any,
    Number(usize),
    Where { component: usize, value: String },
}

/// Why a text is no path, and what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {help}")]
pub struct PathError {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A code, a name, a number: the first subcomponent.
    Part,
    /// Free text: an unescaped subcomponent delimiter is taken for text.
    Text,
}

/// A value that a path gave.
pub(super) struct Hit {
    /// Decoded and trimmed; never empty.
    pub(super) value: String,
    /// `RF1^1^10^1^2`: segment, occurrence, field, repetition, component, as far as the path goes.
    pub(super) location: String,
}

/// A repetition that a path leads to.
struct Spot<'t, 'm> {
    segment: Segment<'t, 'm>,
    occurrence: usize,
    repetition: Repetition<'t, 'm>,
    number: usize,
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Path {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::parse(&text)
    }
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// [`PathError`]: it is none.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let text = text.trim();
        let name = text.get(..3).filter(|name| is_segment_name(name));
        let Some(name) = name else {
            return wrong(text, "does not begin with the name of a segment", "write it like RF1-10.2: segment, field, component");
        };
        if !name.starts_with('Z') && !SEGMENTS.contains(&name) {
            // Among names one letter away, the one with the same letters in another order is meant.
            let letters = |name: &str| name.bytes().map(u32::from).sum::<u32>();
            let distance = |known: &&&str| (strsim::damerau_levenshtein(known, name), letters(known).abs_diff(letters(name)));
            let near = SEGMENTS.iter().min_by_key(distance).unwrap_or(&"PID");
            return wrong(
                text,
                &format!("{name} is no segment of a message that is taken here"),
                &format!("did you mean {near}?"),
            );
        }
        let rest = text.get(3..).unwrap_or_default();
        let (which, rest) = bracket(text, rest)?;
        let which = match which {
            None => Which::Any,
            Some(inside) => Which::parse(text, inside)?,
        };
        let Some(rest) = rest.strip_prefix('-') else {
            let help = format!("write a hyphen between segment and field, as in {name}-3.1");
            return wrong(text, "names no field", &help);
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (field, rest) = rest.split_at(digits);
        let field = number(text, field, FIELD_MAX, "field")?;
        let (repetition, rest) = bracket(text, rest)?;
        let repetition = match repetition {
            None => Repeat::Any,
            Some(inside) => Repeat::parse(text, inside)?,
        };
        let mut parts = Vec::new();
        if let Some(rest) = rest.strip_prefix('.') {
            for part in rest.split('.') {
                parts.push(number(text, part, POSITION_MAX, "component")?);
            }
        } else if !rest.is_empty() {
            return wrong(text, &format!("\"{rest}\" cannot stand behind the field"), "components follow a full stop: RF1-10.2");
        }
        if parts.len() > 2 {
            return wrong(text, "goes deeper than a subcomponent", "segment, field, component, subcomponent: PID-5.1.2");
        }
        Ok(Self {
            text: text.to_owned(),
            segment: name.to_owned(),
            which,
            field,
            repetition,
            component: parts.first().copied(),
            subcomponent: parts.get(1).copied(),
        })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `RF1-6`: segment and field alone.
    pub(super) fn field_name(&self) -> String {
        format!("{}-{}", self.segment, self.field)
    }

    /// `RF1^1^6`, for an answer to the sender: where they should look.
    pub(super) fn location(&self) -> String {
        let occurrence = if let Which::Number(number) = self.which { number } else { 1 };
        format!("{}^{occurrence}^{}", self.segment, self.field)
    }

    /// Whether it names a whole field.
    pub(super) fn is_whole_field(&self) -> bool {
        self.component.is_none()
    }

    /// The first value it leads to.
    pub(super) fn find(&self, message: &Message<'_>, reading: Reading) -> Option<Hit> {
        self.hits(message, reading).next()
    }

    /// Every value it leads to, in the order of the message.
    pub(super) fn hits(&self, message: &Message<'_>, reading: Reading) -> impl Iterator<Item = Hit> {
        self.spots(message).filter_map(move |spot| {
            let value = self.value(message, &spot, reading);
            (!value.is_empty()).then(|| Hit { value, location: self.location_of(&spot) })
        })
    }

    /// The first repetition it leads to that has anything in it.
    pub(super) fn repetition<'t, 'm>(&self, message: &'m Message<'t>) -> Option<Repetition<'t, 'm>> {
        self.spots(message).map(|spot| spot.repetition).find(|repetition| !repetition.is_empty())
    }

    fn spots<'t, 'm>(&self, message: &'m Message<'t>) -> impl Iterator<Item = Spot<'t, 'm>> {
        let segments = message.all(&self.segment).zip(1..).filter(|(segment, at)| self.which.holds(segment, *at));
        segments.flat_map(move |(segment, occurrence)| {
            let repetitions = segment.field(self.field).repetitions().zip(1..);
            let one_text = self.is_one_text();
            repetitions
                .filter(move |(repetition, at)| self.repetition.holds(repetition, *at) && !(one_text && *at > 1))
                .map(move |(repetition, number)| Spot { segment, occurrence, repetition, number })
        })
    }

    /// NTE-3 and OBX-5 without more are one text: what looks like delimiters there are words, and repetitions are lines.
    fn is_one_text(&self) -> bool {
        let text_field = matches!((self.segment.as_str(), self.field), ("NTE", 3) | ("OBX", 5));
        text_field && self.component.is_none() && self.repetition == Repeat::Any
    }

    fn value(&self, message: &Message<'_>, spot: &Spot<'_, '_>, reading: Reading) -> String {
        if self.is_one_text() {
            return spot.segment.field(self.field).text();
        }
        let component = spot.repetition.component(self.component.unwrap_or(1));
        match (self.subcomponent, reading) {
            (Some(number), _) => component.part(number).into_owned(),
            (None, Reading::Part) => component.part(1).into_owned(),
            (None, Reading::Text) if self.component.is_none() && spot.repetition.len() == 1 => {
                decode(spot.repetition.raw().trim(), message.delimiters()).into_owned()
            }
            (None, Reading::Text) => component.text().into_owned(),
        }
        .trim()
        .to_owned()
    }

    fn location_of(&self, spot: &Spot<'_, '_>) -> String {
        let mut location = format!("{}^{}^{}", self.segment, spot.occurrence, self.field);
        if self.component.is_some() || self.repetition != Repeat::Any {
            location.push_str(&format!("^{}", spot.number));
        }
        for part in [self.component, self.subcomponent].into_iter().flatten() {
            location.push_str(&format!("^{part}"));
        }
        location
    }
}

impl Which {
    fn parse(path: &str, inside: &str) -> Result<Self, PathError> {
        let Some((place, value)) = inside.split_once('=') else {
            return Ok(Self::Number(number(path, inside, POSITION_MAX, "occurrence")?));
        };
        let (field, component) = place.trim().split_once('.').unwrap_or((place.trim(), "1"));
        let field = number(path, field, FIELD_MAX, "field")?;
        let component = number(path, component, POSITION_MAX, "component")?;
        Ok(Self::Where { field, component, value: wanted(path, value)? })
    }

    fn holds(&self, segment: &Segment<'_, '_>, occurrence: usize) -> bool {
        match self {
            Self::Any => true,
            Self::Number(number) => *number == occurrence,
            Self::Where { field, component, value } => {
                segment.field(*field).repetitions().any(|it| it.value(*component).eq_ignore_ascii_case(value))
            }
        }
    }
}

impl Repeat {
    fn parse(path: &str, inside: &str) -> Result<Self, PathError> {
        let Some((component, value)) = inside.split_once('=') else {
            return Ok(Self::Number(number(path, inside, POSITION_MAX, "repetition")?));
        };
        let component = number(path, component.trim(), POSITION_MAX, "component")?;
        Ok(Self::Where { component, value: wanted(path, value)? })
    }

    fn holds(&self, repetition: &Repetition<'_, '_>, at: usize) -> bool {
        match self {
            Self::Any => true,
            Self::Number(number) => *number == at,
            Self::Where { component, value } => repetition.value(*component).eq_ignore_ascii_case(value),
        }
    }
}

fn is_segment_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && name.starts_with(|c: char| c.is_ascii_uppercase())
}

/// What stands in brackets at the start, and what follows.
fn bracket<'a>(path: &str, rest: &'a str) -> Result<(Option<&'a str>, &'a str), PathError> {
    let Some(open) = rest.strip_prefix('[') else { return Ok((None, rest)) };
    match open.split_once(']') {
        Some((inside, rest)) => Ok((Some(inside.trim()), rest)),
        None => wrong(path, "has a bracket that is not closed", "write it like PRD[1=RP]-2.1 or OBX[2]-5"),
    }
}

fn wanted(path: &str, value: &str) -> Result<String, PathError> {
    match value.trim() {
        "" => wrong(path, "compares with nothing", "write the value behind the equals sign: PRD[1=RP]-2.1"),
        several if several.contains('|') => wrong(
            path,
            "compares with several values",
            "write one path for each, in the order in which they count: [\"OBX[3=A]-5\", \"OBX[3=B]-5\"]",
        ),
        value => Ok(value.to_owned()),
    }
}

fn number(path: &str, digits: &str, most: usize, what: &str) -> Result<usize, PathError> {
    match digits.parse::<usize>() {
        Ok(number) if (1..=most).contains(&number) && digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
        _ => wrong(path, &format!("\"{digits}\" is no {what} number"), &format!("a number from 1 to {most}, as in RF1-10.2")),
    }
}

fn wrong<T>(path: &str, message: &str, help: &str) -> Result<T, PathError> {
    Err(PathError { message: format!("the path \"{path}\": {message}"), help: help.to_owned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocols::hl7::{ReadLimits, Text};

    const BODY: &str = "MSH|^~\\&|EHR|CEDAR^1.2.3^ISO\rPRD|RP~AP|Phil&X^Jo\rPRD|RT|Ames^Dora\r\
        PID|1||7^^^A^MR~943^^^N^NHS||Lee\rRF1|P|A^ASAP||||R-1||||^ \rNTE|1||one~two & three\rOBX|1|ST|1^a||x\rOBX|2|ST|9^b||y^z\r\
        NTE|2||later\rRF1||||||||||^why & how\r";

    fn find(path: &str, reading: Reading) -> Option<(String, String)> {
        let text = Text::read(BODY.as_bytes(), ReadLimits::default()).unwrap();
        let message = Message::parse(&text).unwrap();
        Path::parse(path).unwrap().find(&message, reading).map(|hit| (hit.value, hit.location))
    }

    #[test]
    fn each_form_leads_to_its_value_and_says_where_it_stood() {
        for (path, value, location) in [
            ("MSH-4", "CEDAR", "MSH^1^4"),
            ("MSH-4.2", "1.2.3", "MSH^1^4^1^2"),
            ("RF1-2.2", "ASAP", "RF1^1^2^1^2"),
            ("PRD[1=AP]-2.1", "Phil", "PRD^1^2^1^1"),
            ("PRD[1=rt]-2.2", "Dora", "PRD^2^2^1^2"),
            ("PRD[2]-2", "Ames", "PRD^2^2"),
            ("PRD-2.1.2", "X", "PRD^1^2^1^1^2"),
            ("PID-3[5=NHS].1", "943", "PID^1^3^2^1"),
            ("PID-3[2]", "943", "PID^1^3^2"),
            ("OBX[3.1=9]-5", "y^z", "OBX^2^5"),
            ("OBX[3.1=9]-5.2", "z", "OBX^2^5^1^2"),
            ("NTE-3", "one\ntwo & three", "NTE^1^3"),
            ("NTE[2]-3", "later", "NTE^2^3"),
            ("NTE-3[2]", "two", "NTE^1^3^2"),
        ] {
            assert_eq!(find(path, Reading::Part), Some((value.to_owned(), location.to_owned())), "{path}");
        }
        assert_eq!(find("OBX[3]-5", Reading::Part), None);
        assert_eq!(find("PRD[1=PP]-2", Reading::Part), None);
    }

    #[test]
    fn the_first_segment_in_which_it_has_a_value_gives_it() {
        let hit = find("RF1-10.2", Reading::Text).unwrap();
        assert_eq!(hit, ("why & how".to_owned(), "RF1^2^10^1^2".to_owned()));
    }

    #[test]
    fn what_is_no_path_is_told_with_what_would_be_one() {
        for (path, part) in [
            ("", "does not begin with the name of a segment"),
            ("rf1-2", "does not begin with the name of a segment"),
            ("PDR-2", "did you mean PRD?"),
            ("PID.5.1", "write a hyphen"),
            ("PID-", "no field number"),
            ("PID-0", "no field number"),
            ("PID-5-1", "components follow a full stop"),
            ("PID-5.x", "no component number"),
            ("PID-5.1.2.3", "deeper than a subcomponent"),
            ("PRD[1=RP-2", "not closed"),
            ("PRD[1=]-2", "compares with nothing"),
            ("OBX[3=A|B]-5", "compares with several values"),
            ("PRD[x]-2", "no occurrence number"),
            ("PID-3[MR].1", "no repetition number"),
        ] {
            let error = Path::parse(path).unwrap_err().to_string();
            assert!(error.contains(part), "{path}: {error}");
        }
        assert!(Path::parse("ZBX[1=A B.C]-3[2].1.4").is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}", near in "[A-Z]{3}(\\[[0-9=A-Z.]{0,5}\\]?)?-[0-9]{0,4}(\\[[0-9=]{0,3}\\])?[.0-9]{0,6}") {
            for text in [text, near] {
                if let Ok(path) = Path::parse(&text) {
                    let read = Text::read(BODY.as_bytes(), ReadLimits::default()).unwrap();
                    let message = Message::parse(&read).unwrap();
                    prop_assert!(path.hits(&message, Reading::Text).all(|hit| !hit.value.is_empty()));
                }
            }
        }
    }
}
