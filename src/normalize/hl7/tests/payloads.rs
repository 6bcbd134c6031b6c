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
