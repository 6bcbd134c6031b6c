#![no_main]
//! Any bytes in a frame, as a batch: no message is lost or invented, and the batch that answers it is one that is read the same way.

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use loopline::protocols::hl7::{Envelope, split_messages};

fuzz_target!(|body: &[u8]| {
    let envelope = Envelope::read(body);
    let messages: Vec<&[u8]> = envelope.messages().collect();
    assert!(!messages.is_empty() || envelope.is_batch());
    assert_eq!(split_messages(body).0, if messages.is_empty() { vec![body] } else { messages.clone() });
    assert!(messages.iter().map(|message| message.len()).sum::<usize>() <= body.len(), "a message was given twice");
    // Every line that begins like a message is the beginning of one, unless there is none at all.
    let begins = |line: &[u8]| line.starts_with(b"MSH") && line.get(3).is_some_and(u8::is_ascii_punctuation);
    let lines = body.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| begins(line)).count();
    assert!(lines <= messages.len(), "a message was lost");

    let answer = Bytes::from_static(b"MSH|^~\\&|A\rMSA|AA|1\r");
    let answers = vec![Some(answer.clone()); messages.len()];
    let batch = envelope.answer(&answers, "1", "20261121");
    let read = Envelope::read(&batch);
    assert_eq!(read.is_batch(), envelope.is_batch());
    if envelope.is_batch() {
        assert_eq!(read.messages().collect::<Vec<_>>(), vec![&answer[..]; messages.len()]);
        assert!(read.wrong_counts().is_empty(), "our own counts are wrong");
    }
});
