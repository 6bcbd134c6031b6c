//! The text that a PDF page carries as text: its glyphs, as words with the boxes of their ink.
//!
//! Text that is there and not drawn (rendering mode 3, what scanners put under their image) is left out: somebody else's recognition is
//! no better than ours, and is nothing a reader sees. Whether the rest can be believed is for the caller to say; the counts help.

use hayro::hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache, InterpreterSettings,
    SoftMask,
    font::{Glyph, GlyphRun},
    hayro_cmap::BfString,
    interpret_page,
    kurbo::{Affine, BezPath, Point, Rect, Shape},
};
use hayro::hayro_syntax::page::Page;

/// Glyphs of one page that are looked at; a page of the smallest print has 20,000.
const GLYPHS_MAX: usize = 100_000;

/// A word of a page's text.
#[derive(Clone, Debug, PartialEq)]
pub struct TextWord {
    /// Its text.
    pub text: String,
    /// Left, top, right, bottom of its ink, in pixels of the page image.
    pub bounds: [u32; 4],
    /// The row of text it is in, from 0, from the top.
    pub line: u32,
    /// Its size, in pixels an em.
    pub size: u32,
}

/// The text of a page.
#[derive(Clone, Debug, Default)]
pub struct TextLayer {
    /// Its words, by row, from the left.
    pub words: Vec<TextWord>,
    /// Glyphs that are drawn.
    pub glyphs: usize,
    /// Those of them whose character cannot be told.
    pub unmapped: usize,
    /// Those that do not stand upright on a level line, and are in no word.
    pub turned: usize,
    /// The tick boxes of its form.
    pub boxes: Vec<FormBox>,
    /// Where something is drawn over the page: stamps, notes. Left, top, right, bottom, in pixels of the page image.
    pub over: Vec<[u32; 4]>,
}

/// A tick box of a page's form (a field, not a drawing).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FormBox {
    /// Left, top, right, bottom, in pixels of the page image.
    pub bounds: [u32; 4],
    /// Whether it is ticked; none: its value says so, and what is shown does not.
    pub ticked: Option<bool>,
}

impl FormBox {
    /// A box on an image of this size.
    pub(super) fn on_page(area: Rect, ticked: Option<bool>, width: u32, height: u32) -> Self {
        let [width, height] = [f64::from(width), f64::from(height)];
        let sides =
            [area.x0.clamp(0.0, width), area.y0.clamp(0.0, height), area.x1.clamp(0.0, width), area.y1.clamp(0.0, height)];
        Self { bounds: sides.map(|side| side.round() as u32), ticked }
    }
}

/// One glyph on the page image.
struct Placed {
    text: String,
    /// Where it begins and where the next one should.
    from: f64,
    to: f64,
    baseline: f64,
    em: f64,
    ink: Option<Rect>,
}

/// Everything drawn as text.
#[derive(Default)]
pub(super) struct Glyphs {
    placed: Vec<Placed>,
    total: usize,
    unmapped: usize,
    turned: usize,
}

impl Glyphs {
    /// The glyphs of a page, with this matrix from the page's own space to the image's pixels.
    pub(super) fn of(page: &Page<'_>, to_pixels: Affine) -> Self {
        let mut glyphs = Self::default();
        let cache = InterpreterCache::new();
        let everywhere = Rect::new(-1e6, -1e6, 1e6, 1e6);
        let mut context = Context::new(to_pixels, everywhere, &cache, page.xref(), InterpreterSettings::default());
        interpret_page(page, &mut context, &mut glyphs);
        glyphs
    }

    pub(super) fn add(&mut self, other: Self) {
        self.placed.extend(other.placed);
        self.total += other.total;
        self.unmapped += other.unmapped;
        self.turned += other.turned;
    }

    /// What is written within a rectangle of the image, without its spaces.
    pub(super) fn within(&self, area: Rect) -> String {
        let inside = |glyph: &&Placed| area.contains(Point::new(f64::midpoint(glyph.from, glyph.to), glyph.baseline));
        self.placed.iter().filter(inside).flat_map(|glyph| glyph.text.chars()).filter(|c| !c.is_whitespace()).collect()
    }

    /// The words they make on an image of this size.
    pub(super) fn into_layer(mut self, width: u32, height: u32) -> TextLayer {
        let mut words = Vec::new();
        for (number, line) in rows(std::mem::take(&mut self.placed)).into_iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            words.extend(words_of(line).into_iter().filter_map(|word| word.on_page(number, width, height)));
        }
        TextLayer { words, glyphs: self.total, unmapped: self.unmapped, turned: self.turned, boxes: Vec::new(), over: Vec::new() }
    }

    fn take(&mut self, glyph: &Glyph<'_>, to_pixels: Affine) {
        /// How far off the upright a letter may stand.
        const SLANT_MAX: f64 = 0.05;
        if self.total >= GLYPHS_MAX {
            return;
        }
        let text = glyph.as_unicode().map(|unicode| match unicode {
            BfString::Char(c) => c.to_string(),
            BfString::String(text) => text,
        });
        let text = text.filter(|text| !text.is_empty() && !text.chars().any(is_no_character));
        let (ink, advance) = match glyph {
            Glyph::Outline(outline) => {
                let path = outline.outline();
                let ink = (!path.is_empty()).then(|| (to_pixels * path).bounding_box());
                (ink, outline.advance_width().map(f64::from))
            }
            Glyph::Type3(glyph) => (None, glyph.advance_width().map(f64::from)),
        };
        let is_space = text.as_deref().is_some_and(|text| text.trim().is_empty());
        if ink.is_none() && text.is_none() {
            return;
        }
        // The third is how far letters lean; their line is level all the same.
        let [a, b, _, d, x, baseline] = to_pixels.as_coeffs();
        if !is_space {
            self.total += 1;
            self.unmapped += usize::from(text.is_none());
            if a <= 0.0 || d >= 0.0 || b.abs() > SLANT_MAX * a || baseline.is_nan() {
                self.turned += 1;
                return;
            }
        }
        let em = (d.abs() * 1000.0).max(1.0);
        let to = advance.map_or_else(|| ink.map_or(x + 0.5 * em, |ink| ink.x1), |advance| x + a * advance);
        let guess = Rect::new(x, baseline - 0.7 * em, to, baseline);
        let ink = if is_space { None } else { Some(ink.unwrap_or(guess)) };
        self.placed.push(Placed { text: text.unwrap_or_else(|| "\u{fffd}".to_owned()), from: x, to, baseline, em, ink });
    }
}

/// Private use, controls, and the sign for a character that is not known.
fn is_no_character(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fffd}' | '\u{f0000}'..) || (c.is_control() && !c.is_whitespace())
}

impl Device<'_> for Glyphs {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, '_>, props: DrawProps<'_>, mode: &DrawMode) {
        if matches!(mode, DrawMode::Invisible) {
            return;
        }
        for glyph in run.glyphs() {
            self.take(glyph, props.transform * glyph.transform());
        }
    }
    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'_>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'_>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'_, '_>, _: ImageDrawProps<'_>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}

/// Glyphs by row, from the top; within a row from the left.
fn rows(mut glyphs: Vec<Placed>) -> Vec<Vec<Placed>> {
    /// How much of the smaller em two baselines of one row may be apart.
    const APART_MAX: f64 = 0.3;
    glyphs.sort_by(|one, other| one.baseline.total_cmp(&other.baseline));
    let mut rows: Vec<Vec<Placed>> = Vec::new();
    for glyph in glyphs {
        match rows.last_mut() {
            Some(row)
                if row.last().is_some_and(|last| (glyph.baseline - last.baseline).abs() < APART_MAX * glyph.em.min(last.em)) =>
            {
                row.push(glyph);
            }
            _ => rows.push(vec![glyph]),
        }
    }
    for row in &mut rows {
        row.sort_by(|one, other| one.from.total_cmp(&other.from));
    }
    rows
}

struct Word {
    text: String,
    ink: Rect,
    em: f64,
}

impl Word {
    fn on_page(self, line: u32, width: u32, height: u32) -> Option<TextWord> {
        let text = self.text.trim().to_owned();
        let [width, height] = [f64::from(width), f64::from(height)];
        let (left, right) = (self.ink.x0.floor().clamp(0.0, width), self.ink.x1.ceil().clamp(0.0, width));
        let (top, bottom) = (self.ink.y0.floor().clamp(0.0, height), self.ink.y1.ceil().clamp(0.0, height));
        if text.is_empty() || left >= right || top >= bottom {
            return None;
        }
        Some(TextWord { text, bounds: [left, top, right, bottom].map(|side| side as u32), line, size: self.em.round() as u32 })
    }
}

/// A row parted at its spaces, and where a gap is as wide as one.
fn words_of(row: Vec<Placed>) -> Vec<Word> {
    const GAP_EMS: f64 = 0.2;
    /// Bold that is made by drawing twice.
    const SAME_PLACE_EMS: f64 = 0.1;
    let mut words: Vec<Word> = Vec::new();
    let mut last: Option<Placed> = None;
    for glyph in row {
        let again =
            last.as_ref().is_some_and(|last| last.text == glyph.text && glyph.from - last.from < SAME_PLACE_EMS * glyph.em);
        if again {
            continue;
        }
        let parted =
            last.as_ref().is_none_or(|last| last.ink.is_none() || glyph.from - last.to > GAP_EMS * glyph.em.max(last.em));
        if let Some(ink) = glyph.ink {
            match words.last_mut() {
                Some(word) if !parted => {
                    word.text.push_str(&glyph.text);
                    word.ink = word.ink.union(ink);
                }
                _ => words.push(Word { text: glyph.text.clone(), ink, em: glyph.em }),
            }
        }
        last = Some(glyph);
    }
    words
}
