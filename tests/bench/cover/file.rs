//! Faxed pages as files: TIFF in Group 3 and Group 4, and a PDF around a Group 4 image.

use fax::{BitWriter, Bits, Color, VecWriter, encoder::Encoder, maps};

use super::press::Faxed;

/// How a fax server stores a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    TiffGroup4,
    TiffGroup3,
    PdfGroup4,
}

impl Store {
    pub const ALL: [Self; 3] = [Self::TiffGroup4, Self::TiffGroup3, Self::PdfGroup4];

    pub fn ending(self) -> &'static str {
        match self {
            Self::TiffGroup4 | Self::TiffGroup3 => "tif",
            Self::PdfGroup4 => "pdf",
        }
    }
}

/// The pages as one file.
pub fn file(pages: &[Faxed], store: Store) -> Vec<u8> {
    match store {
        Store::TiffGroup4 => tiff(pages, 4, group_4),
        Store::TiffGroup3 => tiff(pages, 3, group_3),
        Store::PdfGroup4 => pdf(pages),
    }
}

fn rows(page: &Faxed) -> impl Iterator<Item = &[bool]> {
    page.dark.chunks_exact(page.width as usize)
}

fn group_4(page: &Faxed) -> Vec<u8> {
    let width = u16::try_from(page.width).expect("a fax is narrow");
    let mut encoder = Encoder::new(VecWriter::new());
    for row in rows(page) {
        let colors = row.iter().map(|dark| if *dark { Color::Black } else { Color::White });
        encoder.encode_line(colors, width).expect("memory can be written to");
    }
    encoder.finish().expect("memory can be written to").finish()
}

/// Group 3, one dimension, each row behind an end of line (ITU-T T.4).
fn group_3(page: &Faxed) -> Vec<u8> {
    let mut writer = VecWriter::new();
    for row in rows(page) {
        put(&mut writer, maps::EOL);
        let mut is_dark = false;
        let mut at = 0;
        while at < row.len() {
            let run = row[at..].iter().take_while(|dark| **dark == is_dark).count();
            put_run(&mut writer, is_dark, run);
            at += run;
            is_dark = !is_dark;
        }
    }
    for _ in 0..6 {
        put(&mut writer, maps::EOL);
    }
    writer.finish()
}

fn put(writer: &mut VecWriter, bits: Bits) {
    writer.write(bits).expect("memory can be written to");
}

fn put_run(writer: &mut VecWriter, is_dark: bool, mut run: usize) {
    let table = if is_dark { &maps::black::ENTRIES } else { &maps::white::ENTRIES };
    if run >= 64 {
        put(writer, table[63 + run / 64].1);
        run %= 64;
    }
    put(writer, table[run].1);
}

/// A TIFF of one strip a page, least significant byte first.
fn tiff(pages: &[Faxed], compression: u32, pack: fn(&Faxed) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = b"II*\0\0\0\0\0".to_vec();
    let mut link = 4;
    for page in pages {
        let strip = pack(page);
        let offset = bytes.len() as u32;
        bytes.extend(&strip);
        if !bytes.len().is_multiple_of(2) {
            bytes.push(0);
        }
        let fractions = bytes.len() as u32;
        for number in [page.dpi.0, 1, page.dpi.1, 1] {
            bytes.extend(number.to_le_bytes());
        }
        let directory = bytes.len() as u32;
        bytes[link..link + 4].copy_from_slice(&directory.to_le_bytes());
        let entries: [(u16, u16, u32); 12] = [
            (256, 4, page.width),
            (257, 4, page.height),
            (258, 3, 1),
            (259, 3, compression),
            (262, 3, 0),
            (266, 3, 1),
            (273, 4, offset),
            (278, 4, page.height),
            (279, 4, strip.len() as u32),
            (282, 5, fractions),
            (283, 5, fractions + 8),
            (296, 3, 2),
        ];
        bytes.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, value) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(1_u32.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        link = bytes.len();
        bytes.extend([0; 4]);
    }
    bytes
}

/// A PDF with one image a page.
fn pdf(pages: &[Faxed]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    let mut object = |bytes: &mut Vec<u8>, dictionary: &str, stream: Option<&[u8]>| {
        offsets.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n{dictionary}\n", offsets.len()).as_bytes());
        if let Some(stream) = stream {
            bytes.extend(b"stream\n");
            bytes.extend(stream);
            bytes.extend(b"\nendstream\n");
        }
        bytes.extend(b"endobj\n");
    };
    let kids: Vec<String> = (0..pages.len()).map(|page| format!("{} 0 R", 3 + page * 3)).collect();
    object(&mut bytes, "<< /Type /Catalog /Pages 2 0 R >>", None);
    object(&mut bytes, &format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()), None);
    for (number, page) in pages.iter().enumerate() {
        let (content, image) = (4 + number * 3, 5 + number * 3);
        let (across, down) = (page.width * 72 / page.dpi.0, page.height * 72 / page.dpi.1);
        object(
            &mut bytes,
            &format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {across} {down}] /Contents {content} 0 R /Resources << /XObject << /I {image} 0 R >> >> >>"
            ),
            None,
        );
        let draw = format!("q {across} 0 0 {down} 0 0 cm /I Do Q");
        object(&mut bytes, &format!("<< /Length {} >>", draw.len()), Some(draw.as_bytes()));
        let strip = group_4(page);
        object(
            &mut bytes,
            &format!(
                "<< /Type /XObject /Subtype /Image /Width {0} /Height {1} /BitsPerComponent 1 /ColorSpace /DeviceGray /Filter /CCITTFaxDecode \
                 /DecodeParms << /K -1 /Columns {0} /Rows {1} >> /Length {2} >>",
                page.width,
                page.height,
                strip.len()
            ),
            Some(&strip),
        );
    }
    let table = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", offsets.len() + 1).as_bytes());
    for offset in &offsets {
        bytes.extend(format!("{offset:010} 00000 n \n").as_bytes());
    }
    bytes.extend(format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", offsets.len() + 1).as_bytes());
    bytes
}
