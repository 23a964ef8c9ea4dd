//! The state machine of an issuer's keys, with explicit times.

use std::time::Duration;

use super::kit::{ISSUER, ed, key_set, keys};
use crate::clock::Timestamp;
use crate::token::jwks::KeySet;
use crate::token::rotation::{Rotation, Step};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + seconds)
}

fn set() -> KeySet {
    KeySet::parse(&key_set([&keys().ed]), ISSUER).unwrap()
}

/// A state whose set came at 0 and may be kept for `max_age`.
fn held(max_age: Option<u64>) -> Rotation {
    let mut state = Rotation::new();
    state.begin(at(0));
    state.finish(Some((set(), max_age.map(Duration::from_secs))), at(0));
    state
}

fn step(state: &Rotation, kid: &str, seconds: i64) -> &'static str {
    name(state.step(kid, at(seconds), false))
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Use { refresh: false, .. } => "use",
        Step::Use { refresh: true, .. } => "use and refresh",
        Step::Fetch => "fetch",
        Step::Wait => "wait",
        Step::Refuse => "refuse",
        Step::Unavailable => "unavailable",
    }
}

#[test]
fn starts_with_a_fetch() {
    let mut state = Rotation::new();
    assert_eq!(step(&state, "ed", 0), "fetch");
    assert_eq!(name(state.step("ed", at(0), true)), "wait");
    state.begin(at(0));
    assert_eq!(step(&state, "ed", 0), "unavailable");
    state.finish(Some((set(), None)), at(0));
    assert_eq!(step(&state, "ed", 0), "use");
}

#[test]
fn clamps_the_time_to_live_and_refreshes_ahead() {
    for (max_age, ttl) in [
        (Some(0), 300),
        (Some(1), 300),
        (Some(1000), 1000),
        (Some(86_400), 3600),
        (None, 900),
    ] {
        let state = held(max_age);
        let due = ttl * 4 / 5;
        assert_eq!(step(&state, "ed", due - 1), "use", "{max_age:?}");
        assert_eq!(step(&state, "ed", due), "use and refresh", "{max_age:?}");
        assert_eq!(
            name(state.step("ed", at(due), true)),
            "use",
            "one refresh at a time"
        );
    }
}

#[test]
fn unknown_names_cause_one_fetch_in_thirty_seconds() {
    let mut state = held(None);
    assert_eq!(step(&state, "new", 6), "fetch", "the first fetch does not count");
    state.begin_for_token(at(6));
    state.finish(Some((set(), None)), at(6));
    assert_eq!(step(&state, "new", 35), "refuse");
    assert_eq!(
        name(state.step("new", at(35), true)),
        "wait",
        "a fetch under way may bring it"
    );
    assert_eq!(step(&state, "new", 36), "fetch");
    state.begin_for_token(at(36));
    state.finish(Some((set(), None)), at(36));
    assert_eq!(step(&state, "new", 36), "refuse");
    assert_eq!(step(&state, "other", 65), "refuse", "whatever the name");
    assert_eq!(step(&state, "ed", 65), "use");
    assert_eq!(step(&state, "new", 66), "fetch");
    state.begin(at(66));
    state.finish(Some((set(), None)), at(66));
    assert_eq!(step(&state, "new", 67), "fetch", "a refresh does not count");
}

#[test]
fn a_failed_fetch_keeps_the_old_set_for_a_day() {
    let mut state = held(None);
    for seconds in (720..86_400).step_by(30) {
        assert_eq!(step(&state, "ed", seconds), "use and refresh", "{seconds}");
        state.begin(at(seconds));
        state.finish(None, at(seconds));
        assert_eq!(step(&state, "ed", seconds), "use");
    }
    assert!(state.is_ready(at(86_399)));
    assert_eq!(step(&state, "ed", 86_399), "use");
    assert!(!state.is_ready(at(86_400)));
    assert_eq!(step(&state, "ed", 86_400), "fetch");
    state.begin(at(86_400));
    state.finish(None, at(86_400));
    assert_eq!(step(&state, "ed", 86_400), "unavailable");
    assert_eq!(
        step(&state, "nobody", 86_401),
        "unavailable",
        "503, not a verdict on the token"
    );
}

#[test]
fn without_keys_the_pause_grows_to_thirty_seconds() {
    let mut state = Rotation::new();
    let mut time = 0;
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!(step(&state, "ed", time), "fetch");
        state.begin(at(time));
        state.finish(None, at(time));
        assert_eq!(step(&state, "ed", time + pause - 1), "unavailable", "{pause}");
        time += pause;
    }
}

#[test]
fn a_key_that_is_gone_is_gone() {
    let mut state = held(None);
    let other = ed("other");
    state.begin(at(100));
    state.finish(
        Some((KeySet::parse(&key_set([&other]), ISSUER).unwrap(), None)),
        at(100),
    );
    state.begin_for_token(at(100));
    assert_eq!(step(&state, "ed", 101), "refuse");
    assert_eq!(step(&state, "other", 101), "use");
}

#[test]
fn given_keys_stay() {
    let state = Rotation::fixed(set());
    for seconds in [-1_000_000, 0, 1_000_000_000] {
        assert_eq!(step(&state, "ed", seconds), "use");
        assert_eq!(step(&state, "new", seconds), "refuse");
        assert!(!state.is_due(at(seconds)));
    }
}

#[test]
fn a_clock_that_was_ahead_does_not_freeze_the_keys() {
    let mut state = Rotation::new();
    state.begin(at(900_000));
    state.finish(Some((set(), None)), at(900_000));
    assert_eq!(step(&state, "ed", 899_000), "use and refresh");
    assert_eq!(
        step(&state, "ed", 0),
        "fetch",
        "more than a day apart is stale in both directions"
    );
}
