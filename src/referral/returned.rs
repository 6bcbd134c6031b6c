//! A page of ours that came back on paper: which boxes are ticked, and where something is written.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::BodyId;

/// Which page of ours it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageForm {
    /// The cover page of a request, its pages or an update: received, appointment, not for us.
    Cover,
    /// The page that takes a referral back: one box, "we know".
    Withdrawal,
    /// The page that asks a sender to confirm or correct what was read.
    Check,
}

/// What is in a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tick {
    /// A cross, a check mark, a filling.
    Ticked,
    /// Nothing.
    Empty,
    /// A person must look.
    Unclear,
}

/// One box of a returned page.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ReturnedBox {
    /// What a tick in it says: `received-yes`.
    pub name: String,
    /// What is in it.
    pub tick: Tick,
    /// How much of its inside is ink, 0 to 1.
    pub ink: f32,
    /// Left, top, right, bottom, in pixels of the stored page image.
    #[serde(rename = "box")]
    pub bounds: [u32; 4],
}

/// Something that a person wrote by hand. It is shown, never read.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Handwriting {
    /// Which blank it stands in: `appointment-date`.
    pub name: String,
    /// Left, top, right, bottom, in pixels of the stored page image.
    #[serde(rename = "box")]
    pub bounds: [u32; 4],
    /// The blank, cut out: a PNG in the store.
    pub image: BodyId,
}

/// What was seen on a page of ours that came back.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ReturnedPage {
    /// Which page it is; absent: its boxes were not found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<PageForm>,
    /// The page of the document, from 1.
    pub page: u32,
    /// The whole page: a PNG in the store.
    pub image: BodyId,
    /// Its boxes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boxes: Vec<ReturnedBox>,
    /// Where something is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writing: Vec<Handwriting>,
    /// Why a person must look at it, whatever its boxes say; absent: the boxes say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_read: Option<String>,
    /// On a page that asks to confirm what was read: which fields it asked about, as a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

impl ReturnedPage {
    /// The names of the boxes that are ticked.
    pub fn ticked(&self) -> impl Iterator<Item = &str> {
        self.boxes.iter().filter(|found| found.tick == Tick::Ticked).map(|found| found.name.as_str())
    }

    /// The images that belong to it, with what each shows: first the whole page.
    pub fn images(&self) -> impl Iterator<Item = (&str, &BodyId)> {
        std::iter::once(("page", &self.image)).chain(self.writing.iter().map(|written| (written.name.as_str(), &written.image)))
    }
}

super::values::redacted_debug!(ReturnedBox, Handwriting, ReturnedPage);
