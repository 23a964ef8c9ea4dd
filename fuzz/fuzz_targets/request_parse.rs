//! Whatever a client sends: nothing panics, and what goes up in place of a request reads as the request did.
#![no_main]

use copilot_guard::dialect::Dialect;
use copilot_guard::json::Limits;
use libfuzzer_sys::fuzz_target;

const DIALECTS: [Dialect; 7] = [
    Dialect::Chat,
    Dialect::Completions,
    Dialect::GhostText,
    Dialect::Responses,
    Dialect::Messages,
    Dialect::Embeddings,
    Dialect::Mcp,
];

// The first byte chooses the dialect, the second whether the path names a model; the rest is the body.
fuzz_target!(|data: &[u8]| {
    let [dialect, model, body @ ..] = data else {
        return;
    };
    let dialect = DIALECTS[usize::from(*dialect) % DIALECTS.len()];
    let model = (model % 2 == 1).then_some("m");
    let parse = |body: &[u8]| dialect.parse_request(body, model, Limits::default());
    let Ok(request) = parse(body) else {
        return;
    };
    let written = request.write(&[]).expect("what was read can be written");
    let again = parse(written.as_bytes()).expect("what was written can be read");
    assert_eq!(again.parts, request.parts);
    assert_eq!(
        (&again.tools, &again.not_scanned),
        (&request.tools, &request.not_scanned)
    );
    assert_eq!(
        (&again.model, &again.id, again.stream),
        (&request.model, &request.id, request.stream)
    );
    assert_eq!(again.write(&[]).expect("and written again"), written);
    // A part that is replaced is gone, and the rest stands.
    for (i, part) in request
        .parts
        .iter()
        .enumerate()
        .filter(|(_, part)| !part.fixed)
        .take(8)
    {
        let changed = request
            .write(&[(i, "\u{1}\"replaced".to_owned())])
            .expect("a part can be replaced");
        let doc = copilot_guard::json::Document::parse(changed.as_bytes(), Limits::default());
        assert!(doc.is_ok(), "{} makes {changed}", part.place);
        assert!(changed.contains(r#""\u0001\"replaced""#));
    }
});
