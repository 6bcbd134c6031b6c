//! Documents that travel in a message.

use super::*;

#[test]
fn quirk_1_21_embedded_documents_in_their_broken_forms() {
    let pdf = b"%PDF-1.4 \xFF\xFE\xFA tiny";
    let plain = data_encoding::BASE64.encode(pdf);
    let broken = format!("{}\\.br\\{} {}", plain.get(..8).unwrap(), plain.get(8..16).unwrap(), plain.get(16..).unwrap());
    let url = data_encoding::BASE64URL_NOPAD.encode(pdf);
    let uri = format!("data:application/pdf;base64,{plain}");
    let halves = format!("{}~^^^^{}", plain.get(..12).unwrap(), plain.get(12..).unwrap());
    for data in [plain.as_str(), &broken, &url, &uri, &halves] {
        let obx = format!("OBX|1|ED|PDF^Echo report^L||^application^pdf^Base64^{data}||||||F");
        let outcome = read(&[HEAD, RF1, RP, RT, PID, &obx]).outcome;
        let attachment = &outcome.record.as_ref().unwrap().attachments[0];
        assert_eq!((attachment.media_type.as_str(), attachment.bytes), ("application/pdf", pdf.len() as u64), "{data}");
        assert_eq!(attachment.name.as_deref(), Some("Echo-report.pdf"));
        assert_eq!(&outcome.contents[0][..], pdf);
    }
    let rtf = record(&[HEAD, RF1, RP, RT, PID, "OBX|1|FT|L^Letter^L||{\\rtf1\\ansi Dear\\par}"]);
    assert_eq!(rtf.attachments[0].media_type, "application/rtf");
    let unescaped = "OBX|1|XX|L^Letter^L||^TEXT^HTML^Base64^PHA+SGVsbG8uPC9wPg==";
    assert_eq!(record(&[HEAD, RF1, RP, RT, PID, unescaped]).attachments[0].media_type, "text/html");
}

/// The outcome of a referral with these OBX.
fn with(obx: &[&str]) -> Hl7Message {
    read(&[&[HEAD, RF1, RP, RT, PID], obx].concat())
}

fn ed(id: &str, sub_id: &str, subtype: &str, content: &[u8]) -> String {
    format!("OBX|1|ED|{id}^Letter^L|{sub_id}|^application^{subtype}^Base64^{}||||||F", data_encoding::BASE64.encode(content))
}

#[test]
fn quirk_1_21_a_document_cut_into_several_obx_is_one() {
    let pdf: Vec<u8> = b"%PDF-1.7 ".iter().copied().chain((0..=255).cycle().take(3_000)).collect();
    // Each part encoded and padded by itself, as a sender does that cuts before it encodes.
    let parts: Vec<String> = pdf.chunks(1_000).zip(1..).map(|(part, n)| ed("PDF", &n.to_string(), "pdf", part)).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let outcome = with(&parts).outcome;
    assert_eq!(outcome.contents.iter().map(|it| it.to_vec()).collect::<Vec<_>>(), [pdf]);
    let two = [ed("PDF", "1", "pdf", b"%PDF-1.4 a"), ed("PDF", "2", "pdf", b"%PDF-1.4 b"), ed("TXT", "3", "pdf", b"%PDF-1.4 c")];
    assert_eq!(with(&[&two[0], &two[1], &two[2]]).outcome.contents.len(), 3, "each begins anew");
}

#[test]
fn quirk_1_21_a_document_cut_into_obx_that_are_not_numbered_is_one() {
    let body = (0..=255_u8).cycle().filter(|byte| *byte != b'%').take(3_000);
    let pdf: Vec<u8> = b"%PDF-1.7 ".iter().copied().chain(body).chain(*b"\n%%EOF\n").collect();
    let whole = data_encoding::BASE64.encode(&pdf);
    // Cut after encoding, at places that are no multiple of four.
    let cut: Vec<&str> = [0..1_001, 1_001..2_222, 2_222..whole.len()].map(|part| whole.get(part).unwrap()).to_vec();
    for sub_ids in [["", "", ""], ["1", "1", "1"], ["1", "2", "3"], ["1.1", "1.2", "1.3"], ["2.9", "2.10", "2.11"]] {
        let parts: Vec<String> = cut
            .iter()
            .zip(sub_ids)
            .map(|(part, sub_id)| format!("OBX|1|ED|PDF^Letter^L|{sub_id}|^application^pdf^Base64^{part}||||||F"))
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let outcome = with(&parts).outcome;
        assert_eq!(outcome.contents.iter().map(|it| it.to_vec()).collect::<Vec<_>>(), std::slice::from_ref(&pdf), "{sub_ids:?}");
        let record = outcome.record.unwrap();
        assert_eq!(has(&record, "attachment-joined"), sub_ids[0] == sub_ids[1], "{sub_ids:?}");
    }
    // A document that is whole, and another behind it of a kind that no first bytes tell.
    for kind in ["pdf", "plain"] {
        let (first, second) = (ed("PDF", "", "pdf", &pdf), ed("PDF", "", kind, b"Dear colleague, please find it enclosed"));
        assert_eq!(with(&[&first, &second]).outcome.contents.len(), 2, "{kind}");
    }
    let apart = [ed("PDF", "1.1", "pdf", b"%PDF-1.4 a"), ed("PDF", "2.1", "pdf", b"more")];
    assert_eq!(with(&[&apart[0], &apart[1]]).outcome.contents.len(), 2, "another group");
}

#[test]
fn quirk_1_21_hexadecimal_and_plain_text() {
    let hex = format!("OBX|1|ED|D^Letter^L||^application^pdf^Hex^{}", data_encoding::HEXLOWER.encode(b"%PDF-1.4 x"));
    assert_eq!(with(&[&hex]).outcome.record.unwrap().attachments[0].media_type, "application/pdf");
    let plain = with(&["OBX|1|ED|D^Letter^L||^TEXT^PLAIN^A^Dear colleague\\T\\friend"]).outcome.record.unwrap();
    assert_eq!(
        (plain.attachments[0].media_type.as_str(), plain.notes[0].as_str()),
        ("text/plain", "Letter: Dear colleague&friend")
    );
}

#[test]
fn letters_are_shown_as_text() {
    let cda = "<?xml version='1.0'?><ClinicalDocument xmlns='urn:hl7-org:v3'><title>Note</title><component><section>\
               <text><paragraph>No ischaemia.</paragraph></text></section></component></ClinicalDocument>";
    for (subtype, content, media_type, note) in [
        ("rtf", &b"{\\rtf1\\ansi Dear Dr M\\'fcller\\par}"[..], "application/rtf", "Letter: Dear Dr Müller"),
        ("HTML", b"<html><style>p{}</style><p>Seen today.<p>Plan", "text/html", "Letter: Seen today.\nPlan"),
        ("xml", cda.as_bytes(), "application/xml", "Letter: Note\nNo ischaemia."),
    ] {
        let record = with(&[&ed("L", "", subtype, content)]).outcome.record.unwrap();
        assert_eq!((record.attachments[0].media_type.as_str(), record.notes[0].as_str()), (media_type, note));
    }
    let long = "word ".repeat(10_000);
    let record = with(&[&ed("L", "", "plain", long.as_bytes())]).outcome.record.unwrap();
    assert!(has(&record, "note-shortened") && record.notes[0].chars().count() < 20_020);
    assert_eq!(record.attachments[0].bytes, 50_000, "the document itself is whole");
}

#[test]
fn a_pointer_is_noted() {
    let record = with(&["OBX|1|RP|D^Scan^L||https://pacs.example/1?a=b\\T\\c"]).outcome.record.unwrap();
    assert!(has(&record, "attachment-by-reference"));
    assert_eq!(record.notes, ["document at https://pacs.example/1?a=b&c"]);
}

#[test]
fn quirk_2_a_document_of_an_unsafe_type_stays_in_the_message() {
    for (subtype, content) in
        [("pdf", &b"MZ\x90\0"[..]), ("octet-stream", b"\x7FELF\x02"), ("x-msdownload", b"anything"), ("js", b"x()")]
    {
        let read = with(&[&ed("L", "", subtype, content)]);
        assert!(read.refusal.is_none() && read.outcome.contents.is_empty());
        assert_eq!((read.warnings[0].code, read.warnings[0].location.as_str()), (102, "OBX^1^5"));
        assert!(has(&read.outcome.record.unwrap(), "attachment-unusable"));
    }
}

#[test]
fn quirk_1_21_a_wrong_subtype_is_told_by_the_first_bytes() {
    let read = with(&[&ed("L", "", "pdf", b"II*\0 tiff")]);
    assert_eq!(read.outcome.record.unwrap().attachments[0].media_type, "image/tiff");
    assert_eq!(read.warnings[0].code, 102);
}

#[test]
fn quirk_1_21_a_document_where_text_belongs_or_a_component_too_early() {
    let pdf = [b"%PDF-1.4 ".as_slice(), &[0x80; 90], b"%%EOF"].concat();
    let data = data_encoding::BASE64.encode(&pdf);
    let uri = format!("data:application/pdf;base64,{data}");
    for (kind, value) in [
        ("TX", &data),
        ("FT", &uri),
        ("ST", &format!("{}\\.br\\{}", data.get(..76).unwrap(), data.get(76..).unwrap())),
        ("ED", &data),
        ("ED", &format!("application^pdf^Base64^{data}")),
        ("ED", &format!("^application^pdf^{data}")),
        ("ED", &format!("^application^pdf^^{data}")),
    ] {
        let outcome = with(&[&format!("OBX|1|{kind}|L^Letter^L||{value}||||||F")]).outcome;
        let record = outcome.record.unwrap();
        assert_eq!((record.attachments.len(), record.notes.len()), (1, 0), "{kind} {value}");
        assert_eq!((record.attachments[0].media_type.as_str(), &outcome.contents[0][..]), ("application/pdf", &pdf[..]));
    }
    let (first, second) = data.split_at(68);
    let parts: Vec<String> = [first, second].map(|part| format!("OBX|1|TX|L^Letter^L||{part}")).to_vec();
    assert_eq!(&with(&[&parts[0], &parts[1]]).outcome.contents[0][..], pdf);
    for value in ["^application^pdf^Base64", "^application^pdf", "^application^pdf^^JVBERi0xLjQK*"] {
        let read = with(&[&format!("OBX|1|ED|L^Letter^L||{value}")]);
        assert_eq!((read.warnings[0].code, read.outcome.contents.len()), (102, 0), "{value}");
    }
    for value in ["Just text in ED", "Normal", "^TEXT^PLAIN^^Just text in ED"] {
        let record = with(&[&format!("OBX|1|ED|L^Letter^L||{value}")]).outcome.record.unwrap();
        assert_eq!(record.attachments[0].media_type, "text/plain");
        assert_eq!(record.notes, [format!("Letter: {}", value.trim_start_matches("^TEXT^PLAIN^^"))]);
    }
}

#[test]
fn quirk_1_21_text_in_another_character_set() {
    let utf_16: Vec<u8> = "\u{FEFF}Früh".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for content in [&b"Fr\xFCh"[..], &utf_16, b"\xEF\xBB\xBFFr\xC3\xBCh"] {
        let obx = format!("OBX|1|ED|L^Letter^L||^TEXT^plain^Base64^{}", data_encoding::BASE64.encode(content));
        let record = with(&[&obx]).outcome.record.unwrap();
        assert_eq!((record.attachments[0].media_type.as_str(), record.notes[0].as_str()), ("text/plain", "Letter: Früh"));
    }
}

#[test]
fn a_mime_package_is_taken_apart() {
    let pdf = data_encoding::BASE64.encode(b"%PDF-1.4 scan");
    let parts = format!(
        "--X1\r\nContent-Type: text/xml\r\n\r\n<?xml version=\"1.0\"?><ClinicalDocument><title>Note</title></ClinicalDocument>\r\n\
         --X1\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{pdf}\r\n--X1--\r\n"
    );
    let headed = format!("MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=\"X1\"\r\n\r\n{parts}");
    let escaped = headed.replace('&', "\\T\\").replace("\r\n", "\\X0D0A\\");
    let encoded = data_encoding::BASE64.encode(parts.as_bytes());
    for value in [format!("^multipart^related^A^{escaped}"), format!("^multipart^x-hl7-cda-level-one^Base64^{encoded}")] {
        let record = with(&[&format!("OBX|1|ED|L^Letter^L||{value}")]).outcome.record.unwrap();
        let types: Vec<&str> = record.attachments.iter().map(|one| one.media_type.as_str()).collect();
        assert_eq!(types, ["application/xml", "application/pdf"], "{value}");
        assert_eq!(record.notes, ["Letter: Note"]);
    }
    let bomb = format!("--X\n\na\n{}", "--X\n\na\n".repeat(2_000));
    let bomb = format!("OBX|1|ED|L^Letter^L||^multipart^mixed^Base64^{}", data_encoding::BASE64.encode(bomb.as_bytes()));
    assert_eq!(with(&[&bomb]).outcome.record.unwrap().attachments.len(), 1, "it is kept whole");
    let latin =
        b"--X\r\nContent-Type: text/xml\r\n\r\n<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>M\xFCller</a>\r\n--X--\r\n";
    let latin = format!("OBX|1|ED|L^Letter^L||^multipart^mixed^Base64^{}", data_encoding::BASE64.encode(latin));
    let kept = with(&[&latin]).outcome.contents;
    assert!(kept[0].windows(6).any(|part| part == b"M\xFCller"), "as it came");
    let broken = with(&["OBX|1|ED|L^Letter^L||^multipart^related^A^nothing in it"]).outcome.record.unwrap();
    assert_eq!(broken.attachments[0].media_type, "text/plain");
}
