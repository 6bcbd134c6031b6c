//! `loopline try` of what cannot be read. What the samples become is tried by `loopline test`, in `channel_test.rs`.

use std::process::Command;

#[test]
fn what_is_no_message_is_said_so_on_standard_error_with_exit_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "hello").unwrap();
    for wrong in [file, folder.path().join("missing.pdf")] {
        let output = Command::new(env!("CARGO_BIN_EXE_loopline")).arg("try").arg(&wrong).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        assert!(!output.stderr.is_empty());
    }
}
