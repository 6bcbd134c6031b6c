//! Files within a PDF (ISO 32000-1, 7.11.4): a portfolio's documents, and what is pinned to a page.

use hayro::hayro_syntax::{
    Pdf,
    object::{Array, Dict, Name, Object, Stream},
};

use super::Limits;

/// Files of one document that are looked at.
const FILES_MAX: usize = 100;
/// How deep the tree of their names may be, and how wide.
const DEPTH_MAX: usize = 16;
const NODES_MAX: usize = 1_000;

/// The files of a document, unpacked. `cut`: there are more, or larger ones, than are taken.
pub(super) fn files(pdf: &Pdf, limits: &Limits) -> (Vec<Vec<u8>>, bool) {
    let mut found = Found { files: Vec::new(), bytes_left: limits.bytes_max, nodes: 0, seen: Vec::new(), cut: false };
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
    if let Some(tree) =
        catalog.and_then(|catalog| catalog.get::<Dict<'_>>(b"Names")).and_then(|names| names.get::<Dict<'_>>(b"EmbeddedFiles"))
    {
        found.names(&tree, 0);
    }
    for page in pdf.pages().iter().take(limits.pages_max as usize) {
        let Some(annotations) = page.raw().get::<Array<'_>>(b"Annots") else { continue };
        for annotation in annotations.iter::<Dict<'_>>().take(NODES_MAX) {
            let pinned = annotation.get::<Name<'_>>(b"Subtype").is_some_and(|subtype| subtype.as_ref() == b"FileAttachment");
            if let Some(specification) = annotation.get::<Dict<'_>>(b"FS").filter(|_| pinned) {
                found.file(&specification);
            }
        }
    }
    (found.files, found.cut)
}

struct Found {
    files: Vec<Vec<u8>>,
    bytes_left: u64,
    nodes: usize,
    /// Object numbers of the streams that were taken: a file may be named twice.
    seen: Vec<(u32, i32)>,
    cut: bool,
}

impl Found {
    fn names(&mut self, node: &Dict<'_>, depth: usize) {
        self.nodes += 1;
        if depth > DEPTH_MAX || self.nodes > NODES_MAX {
            self.cut = true;
            return;
        }
        if let Some(pairs) = node.get::<Array<'_>>(b"Names") {
            // Names and files in turn; only the files are dictionaries.
            for specification in pairs.iter::<Object<'_>>().filter_map(Object::into_dict) {
                self.file(&specification);
            }
        }
        if let Some(kids) = node.get::<Array<'_>>(b"Kids") {
            for kid in kids.iter::<Dict<'_>>() {
                self.names(&kid, depth + 1);
            }
        }
    }

    fn file(&mut self, specification: &Dict<'_>) {
        let Some(versions) = specification.get::<Dict<'_>>(b"EF") else { return };
        let stream = [b"F".as_slice(), b"UF"].into_iter().find_map(|key| versions.get::<Stream<'_>>(key));
        let Some(stream) = stream else { return };
        let id = stream.obj_id();
        let id = (id.obj_number, id.gen_number);
        if self.seen.contains(&id) {
            return;
        }
        self.seen.push(id);
        if self.files.len() >= FILES_MAX {
            self.cut = true;
            return;
        }
        match stream.decoded_data() {
            Ok(data) if data.len() as u64 <= self.bytes_left => {
                self.bytes_left -= data.len() as u64;
                self.files.push(data.into_owned());
            }
            Ok(_) | Err(_) => self.cut = true,
        }
    }
}
