//! What is accepted as JSON, another reader accepts too, reads the same from it, and reads the same from what is
//! written back.
#![no_main]

use copilot_guard::json::{Document, Edits, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(doc) = Document::parse(data, Limits::default()) else {
        return;
    };
    let written = doc.to_text(&Edits::default());
    assert!(!written.contains(['\n', '\r']));
    let again = Document::parse(written.as_bytes(), Limits::default()).expect("what is written can be read");
    assert_eq!(again.to_text(&Edits::default()), written);
    // Numbers beyond a double are JSON, yet serde_json refuses them.
    if let Ok(theirs) = serde_json::from_slice::<serde_json::Value>(data) {
        let ours: serde_json::Value = serde_json::from_str(&written).expect("what is written can be read by others");
        assert_eq!(ours, theirs);
    }
});
