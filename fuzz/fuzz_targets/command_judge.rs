//! Whatever a command is: nothing panics, overflows or waits, and what is judged twice is judged the same.
#![no_main]

use copilot_guard::detect::Network;
use copilot_guard::detect::command::{CommandJudge, Shell};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let network = Network::new(["*.example.com"], ["git.example.org"], ["github.com/acme/*"]);
    let judge = CommandJudge::new(network.expect("the lists are right"));
    let judgement = judge.judge(Shell::Bash, text);
    assert_eq!(judge.judge(Shell::Bash, text), judgement);
    assert!(
        judgement
            .findings
            .iter()
            .all(|finding| finding.rule != "unclear/failed"),
        "a judge that fails"
    );
    let argv: Vec<String> = text.split(' ').map(str::to_owned).collect();
    judge.judge_argv(&argv);
});
