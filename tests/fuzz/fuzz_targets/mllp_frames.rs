#![no_main]
//! Any bytes on a connection, split anywhere: the frames found do not depend on how the bytes came in pieces, no frame is over the cap,
//! and what we write ourselves is read back.

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use loopline::protocols::mllp::{END, Frame, MllpCodec, START};
use tokio_util::codec::{Decoder, Encoder};

/// Small, so that the fuzzer reaches what happens above it.
const FRAME_BYTES_MAX: usize = 256;

/// Everything the codec finds when the bytes come in pieces of these sizes, over and over.
fn frames(bytes: &[u8], pieces: &[u8]) -> Vec<Frame> {
    let mut codec = MllpCodec::new(FRAME_BYTES_MAX);
    let (mut buffer, mut found, mut rest) = (BytesMut::new(), Vec::new(), bytes);
    let mut sizes = pieces.iter().map(|size| usize::from(*size).max(1)).cycle();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes.next().unwrap_or(rest.len()).min(rest.len()));
        buffer.extend_from_slice(piece);
        rest = after;
        while let Some(frame) = codec.decode(&mut buffer).expect("reading from memory does not fail") {
            let is_foreign = matches!(frame, Frame::Foreign(_));
            found.push(frame);
            // The connection is closed then.
            if is_foreign {
                return found;
            }
        }
    }
    while let Some(frame) = codec.decode_eof(&mut buffer).expect("reading from memory does not fail") {
        let is_foreign = matches!(frame, Frame::Foreign(_));
        found.push(frame);
        if is_foreign {
            break;
        }
    }
    found
}

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (bytes, pieces) = input;
    let found = frames(&bytes, &pieces);
    for frame in &found {
        if let Frame::Message(body) = frame {
            assert!(body.len() <= FRAME_BYTES_MAX);
        }
    }
    // Foreign is a guess from what is there so far, so only the frames themselves are compared.
    let messages = |frames: &[Frame]| {
        frames
            .iter()
            .filter_map(|frame| if let Frame::Message(body) = frame { Some(body.clone()) } else { None })
            .collect::<Vec<_>>()
    };
    if !found.iter().any(|frame| matches!(frame, Frame::Foreign(_))) {
        assert_eq!(messages(&found), messages(&frames(&bytes, &[1])), "the frames depend on how the bytes were split");
    }
    if bytes.len() < FRAME_BYTES_MAX && !bytes.contains(&START) && !bytes.contains(&END) {
        let mut written = BytesMut::new();
        MllpCodec::new(FRAME_BYTES_MAX).encode(bytes.as_slice(), &mut written).expect("writing to memory does not fail");
        // What we write ends in a carriage return, as every HL7 segment does.
        let body = bytes.strip_suffix(b"\r").unwrap_or(&bytes);
        assert_eq!(frames(&written, &pieces), [Frame::Message(Bytes::from([body, b"\r"].concat()))]);
    }
});
