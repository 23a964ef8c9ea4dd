//! What has ended, or ends soon.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::policy::config::PolicyConfig;
use crate::policy::exception::end;
use crate::policy::problem::Problem;
use crate::policy::reader::{Located, Problems};

/// So long before its end an entry is worth a look.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub(super) fn check(problems: &Problems, config: &PolicyConfig, now: Timestamp, warnings: &mut Vec<Problem>) {
    for exception in &config.exceptions {
        one(
            problems,
            &exception.expires,
            ("exception", "lowers"),
            now,
            warnings,
        );
    }
    for expires in config.masking.allow.iter().filter_map(|a| a.expires.as_ref()) {
        one(problems, expires, ("entry", "allows"), now, warnings);
    }
}

fn one(
    problems: &Problems,
    expires: &Located<String>,
    (what, does): (&str, &str),
    now: Timestamp,
    warnings: &mut Vec<Problem>,
) {
    // One that cannot be read is an error, which the compiler reports.
    let Some(ends) = end(&Problems::new("", ""), expires) else {
        return;
    };
    if ends <= now {
        warnings.push(problems.problem(
            &expires.at,
            format!("the {what} ended on {}", expires.shown()),
            format!("it {does} nothing any more"),
            "take it out, or give it a new date",
        ));
    } else if ends <= now.plus(SOON) {
        warnings.push(problems.problem(
            &expires.at,
            format!("the {what} ends on {}", expires.shown()),
            "that is within 30 days",
            "see whether it is still needed, and give it a new date if it is",
        ));
    }
}
