//! Which known forms a page is, by the words that are printed on it and how they lie to each other.

use std::{collections::HashMap, sync::Arc};

use super::{
    Template, Templates,
    fit::{self, Fit, Placed, Point},
};
use crate::normalize::fax::{
    labels::{LABEL_WORDS_MAX, LIKENESS_MIN, fold, likeness},
    layout::{Area, Sheet},
};

/// A word stands on a page more often than any label: further places are not looked at.
const PLACES_MAX: usize = 8;
/// A form that fits so well at least, beside the one that fits best, is read too: which of the two it is cannot be told.
const NEARLY_AS_WELL: f64 = 0.75;

/// A known form found on a page.
pub(in crate::normalize::fax) struct Match {
    pub(super) template: Arc<Template>,
    pub(super) fit: Fit,
    /// The words of the form itself, where they stand on the page.
    pub(super) printed: Vec<Area>,
}

impl Match {
    /// How many of its anchors stand in their places, in words.
    pub(in crate::normalize::fax) fn told(&self) -> String {
        format!("the form {}, {} of {} anchors", self.template.name, self.printed.len(), self.template.anchors.len())
    }

    /// How well it fits: the more anchors it has and the fewer of them are missing.
    fn weight(&self) -> f64 {
        let (found, all) = (self.printed.len() as f64, self.template.anchors.len() as f64);
        found * found / all.max(1.0)
    }
}

/// Pixels of a page as millimetres.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    mm_a_pixel: f64,
}

impl Scale {
    /// None where the page does not say how large it is.
    pub(super) fn of(sheet: &Sheet) -> Option<Self> {
        const MM_AN_INCH: f64 = 25.4;
        let dpi = f64::from(sheet.dpi);
        (dpi.is_finite() && dpi > 1.0).then(|| Self { mm_a_pixel: MM_AN_INCH / dpi })
    }

    pub(super) fn middle(self, area: Area) -> Point {
        let [left, top, right, bottom] = self.edges(area);
        Point { x: f64::midpoint(left, right), y: f64::midpoint(top, bottom) }
    }

    pub(super) fn edges(self, area: Area) -> [f64; 4] {
        [area.left, area.top, area.right, area.bottom].map(|edge| f64::from(edge) * self.mm_a_pixel)
    }
}

/// The known forms that a page is: the one that fits best, and those that fit nearly as well.
pub(in crate::normalize::fax) fn matches(sheet: &Sheet, templates: &Templates) -> Vec<Match> {
    let Some(scale) = Scale::of(sheet).filter(|_| !templates.all.is_empty()) else { return Vec::new() };
    let phrases = Phrases::of(sheet);
    let mut known = HashMap::new();
    let mut found: Vec<Match> = templates.all.iter().filter_map(|template| laid(template, &phrases, scale, &mut known)).collect();
    let best = found.iter().map(Match::weight).fold(0.0, f64::max);
    found.retain(|one| one.weight() >= NEARLY_AS_WELL * best);
    found
}

fn laid<'t>(
    template: &'t Arc<Template>,
    phrases: &Phrases,
    scale: Scale,
    known: &mut HashMap<&'t str, Vec<Area>>,
) -> Option<Match> {
    let mut places = |folded: &'t str| known.entry(folded).or_insert_with(|| phrases.places(folded)).clone();
    let areas: Vec<Vec<Area>> = template.anchors.iter().map(|anchor| places(&anchor.folded)).collect();
    if areas.iter().filter(|areas| !areas.is_empty()).count() < template.anchors_min {
        return None;
    }
    let anchors: Vec<Point> = template.anchors.iter().map(|anchor| anchor.at).collect();
    let seen: Vec<Vec<Point>> = areas.iter().map(|areas| areas.iter().map(|area| scale.middle(*area)).collect()).collect();
    let Placed { fit, borne_out } = fit::place(&anchors, &seen)?;
    let printed: Vec<Area> = areas.iter().zip(borne_out).filter_map(|(areas, at)| areas.get(at?).copied()).collect();
    (printed.len() >= template.anchors_min).then(|| Match { template: Arc::clone(template), fit, printed })
}

/// Everything of a few words that stands on a page, folded.
struct Phrases {
    all: Vec<(String, Area)>,
}

impl Phrases {
    fn of(sheet: &Sheet) -> Self {
        let mut all = Vec::new();
        let mut rows: Vec<Vec<(String, Area)>> = Vec::new();
        for segment in &sheet.segments {
            if segment.row >= rows.len() {
                rows.resize_with(segment.row + 1, Vec::new);
            }
            let words = segment.words.iter().map(|word| (fold(&word.text), Area::around(std::slice::from_ref(word))));
            if let Some(row) = rows.get_mut(segment.row) {
                row.extend(words.filter(|(folded, _)| !folded.is_empty()));
            }
        }
        for row in rows {
            for from in 0..row.len() {
                let mut phrase: Option<(String, Area)> = None;
                for (folded, area) in row.iter().skip(from).take(LABEL_WORDS_MAX) {
                    let longer = match phrase {
                        Some((text, around)) => (text + folded, around.with(*area)),
                        None => (folded.clone(), *area),
                    };
                    all.push(longer.clone());
                    phrase = Some(longer);
                }
            }
        }
        Self { all }
    }

    /// Where these words stand, the likest first.
    fn places(&self, words: &str) -> Vec<Area> {
        let like = self.all.iter().map(|(text, area)| (likeness(text, words), *area));
        let mut found: Vec<(f64, Area)> = like.filter(|(like, _)| *like >= LIKENESS_MIN).collect();
        found.sort_by(|one, other| other.0.total_cmp(&one.0));
        found.truncate(PLACES_MAX);
        found.into_iter().map(|(_, area)| area).collect()
    }
}
