//! Evidence as the journal keeps it: beside the record, in a short form.
//!
//! | form | meaning |
//! |---|---|
//! | `"RF1^1^2"` | read there, and surely so |
//! | `["RF1^1^2","A^ASAP^HL70280"]` | likewise, and that is how it stood there |
//! | `{"confidence":0.5,…}` | all that can be said of it, as the record has it |
//!
//! # Design notes
//! Nearly every value of a referral has evidence, and of an HL7 message nearly all of it is of the first two forms. Written out it was half
//! of the record, to be made, packed and read.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use smol_str::SmolStr;

use crate::referral::Evidence;

/// One piece of it in its short form.
struct Short<E>(E);

/// Writes it, by path.
pub(super) fn serialize<S: Serializer>(evidence: &BTreeMap<SmolStr, Evidence>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(evidence.iter().map(|(path, evidence)| (path, Short(evidence))))
}

/// Reads it.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<SmolStr, Evidence>, D::Error> {
    let short = BTreeMap::<SmolStr, Short<Evidence>>::deserialize(deserializer)?;
    Ok(short.into_iter().map(|(path, Short(evidence))| (path, evidence)).collect())
}

fn read_surely(location: SmolStr, text: Option<SmolStr>) -> Evidence {
    Evidence { confidence: 1.0, location: Some(location), text, ..Evidence::default() }
}

impl Serialize for Short<&Evidence> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Evidence { confidence, text, page, bounds, location, path, form, rivals } = self.0;
        let says_more = page.is_some() || bounds.is_some() || path.is_some() || form.is_some() || !rivals.is_empty();
        match (location, text) {
            (Some(location), None) if *confidence == 1.0 && !says_more => location.serialize(serializer),
            (Some(location), Some(text)) if *confidence == 1.0 && !says_more => (location, text).serialize(serializer),
            (Some(_) | None, Some(_) | None) => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Short<Evidence> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShortVisitor).map(Self)
    }
}

struct ShortVisitor;

impl<'de> Visitor<'de> for ShortVisitor {
    type Value = Evidence;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("evidence")
    }

    fn visit_str<E: Error>(self, location: &str) -> Result<Evidence, E> {
        Ok(read_surely(location.into(), None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Evidence, A::Error> {
        let missing = |number: usize| A::Error::invalid_length(number, &"a location and a text");
        let location = parts.next_element()?.ok_or_else(|| missing(0))?;
        let text = parts.next_element()?.ok_or_else(|| missing(1))?;
        Ok(read_surely(location, Some(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Evidence, A::Error> {
        Evidence::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        referral::{Record, Referral},
        store::{codec, frame::ReferralEntry, tests::referral},
    };

    fn evidence() -> BTreeMap<SmolStr, Evidence> {
        let sure = |text: Option<&str>| read_surely("PID^1^7".into(), text.map(Into::into));
        let on_page = Evidence { page: Some(2), bounds: Some([1, 2, 3, 4]), location: None, ..sure(Some("Quill")) };
        [
            ("patient.name.family", sure(None)),
            ("patient.birth_date", sure(Some("19500102"))),
            ("patient.sex", Evidence { confidence: 0.5, ..sure(Some("x")) }),
            ("patient.name.given", on_page),
            ("priority", Evidence { path: Some("ZRF-4".into()), ..sure(None) }),
            ("kind", Evidence { location: None, ..sure(None) }),
            ("notes.0", Evidence { rivals: vec!["one".to_owned()], form: Some("cedar: notes".into()), ..sure(None) }),
        ]
        .map(|(path, evidence)| (path.into(), evidence))
        .into()
    }

    fn with_evidence() -> Referral {
        Referral { record: Box::new(Record { evidence: evidence(), ..Record::default() }), ..referral() }
    }

    #[test]
    fn all_of_it_comes_back_and_what_is_sure_is_short() {
        let entry = ReferralEntry::new(with_evidence(), vec!["key".to_owned()]);
        let json = serde_json::to_value(&entry).unwrap();
        assert_eq!(json["evidence"]["patient.name.family"], "PID^1^7");
        assert_eq!(json["evidence"]["patient.birth_date"], serde_json::json!(["PID^1^7", "19500102"]));
        assert!(json["evidence"]["patient.sex"].is_object() && json["referral"].get("evidence").is_none());
        let read: ReferralEntry = serde_json::from_value(json).unwrap();
        assert!(read.into_referral().record.evidence == evidence());
        assert!(serde_json::from_str::<Short<Evidence>>("[\"PID^1^7\"]").is_err());
    }

    /// The entry of a referral as version 0.1 wrote it while the evidence stood in the record, packed with the dictionary of all records.
    const OLD_ENTRY: &str = "\
        AQMOCAAAD0EOAPsLMDFNOEFTTkdYRVYyRzNNS0JYNUMxN0Q0MDBcDsNMTC1TWEo0LTJFN1FCEA9pDkxxQkE4REEwWAIAD2gOFgunAAIKCwJaDAl1DgP6\
        BgChAwBMAgOBBwGvAQOuCgyAAAhLAF9DRURBUmMOD1BRdWlsbJQNA4QMoUFkYWJhb2RhZ3gCAADgAgl5DqAxOTUwLTAxLTAyYgFgZXgiOiJGJQAFzwMx\
        Ijp7TgMAKwQBsgUAwAAKcQSiIlJFRkVSUkFMUzoAAT8DACcABUIDAJIEQnN1bHSFBABeAA9gDAMIUgwHJAEP1QslA3IBD3IJFAALASEwMQkBCDAFATMI\
        EDfaAARPAAiaAA8/CaIB6AEP1gQAA2gHG0ZqBwECAQ/1CBYyUl5S7BFwXkhMNzAyONYDB1ABAi8FDcUIClICCpwAOTAuNUMAMk1TSLcNAZkCc3ZpZXci\
        OluKEQKCDgBiAgWxAgpcACJdLMoED6YFEAREAPAALXRvLWJ5LWZhbGxiYWNrGQQ2aWVsshMBFwMKZgAIUgU0bm8g7RJEIGlzIFYAkiB0bzogdGhlIJcF\
        8QBpbmcgZmFjaWxpdHkgb2YaAPEBaGVhZGVyIHdhcyB0YWtlbugQA0MG9wBkYXRlLXVucmVhZGFibGWVAAI2BAQJAQagBQJ6ARA3hADwAm5vdCB3cml0\
        dGVuIGFzIGEgTgBBOiBpdGwAiGxlZnQgb3V0bwAF0gYIUgCRbm8gZGVzdGluRwehIGZpdHM6IGFkZL0A43NwZWNpYWxpc3QgdG8gbAb4CXMvc2l0ZS9k\
        aXJlY3RvcnkudG9tbCBvcjIAIHR5MQBxW3JvdXRlXdoGDxYHA1pobDctaWsBBlsG8QEzQjRaU0FSNTg2M05SQzU1WwYN6BXxCjExLTI2VDAyOjA2OjMz\
        LjkwMjQ4MzI5NFp3AA9RBwMONAB/NjcyNDA4WmoHEA+zABsKiwcPeAARAYAIC6QHD3QAHAjFBwKrAjFhbHx9Bit8fB8HYGxpa2V8cXEGEHyFAgdnBhB8\
        TAUCVwYSfEUAYGFscyJdfQ==";

    #[test]
    fn an_entry_of_an_older_version_has_it_in_the_record() {
        let bytes = data_encoding::BASE64.decode(OLD_ENTRY.as_bytes()).unwrap();
        let read: ReferralEntry = codec::decode(&bytes).unwrap();
        let record = read.into_referral().record;
        assert_eq!(record.patient.name.family.as_deref(), Some("Quill"));
        assert!(record.evidence["patient.name.family"] == read_surely("PID^1^5".into(), None));
        assert!(record.evidence["priority"] == read_surely("RF1^1^2".into(), Some("R^Routine^HL70280".into())));
        let old = serde_json::json!({"referral": with_evidence(), "keys": ["key"]});
        assert!(serde_json::from_value::<ReferralEntry>(old).unwrap().into_referral().record.evidence == evidence());
    }
}
