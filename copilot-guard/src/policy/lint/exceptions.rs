//! Exceptions that have ended, end soon, or lift nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Warnings;
use crate::clock::Timestamp;
use crate::decision::Action;
use crate::policy::config::{ExceptionConfig, PolicyConfig};
use crate::policy::exception::end;
use crate::policy::groups::Groups;
use crate::policy::reader::{Located, Problems};

/// So long before its end an entry is worth a look.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub(super) fn check(warnings: &mut Warnings<'_>, config: &PolicyConfig, groups: &Groups, now: Timestamp) {
    for exception in &config.exceptions {
        ends(warnings, &exception.expires, ("exception", "lowers"), now);
        lifts(warnings, config, exception, groups);
    }
    for expires in config.masking.allow.iter().filter_map(|a| a.expires.as_ref()) {
        ends(warnings, expires, ("entry", "allows"), now);
    }
}

fn ends(warnings: &mut Warnings<'_>, expires: &Located<String>, (what, does): (&str, &str), now: Timestamp) {
    // One that cannot be read is an error, which the compiler reports.
    let Some(ends) = end(&Problems::new("", ""), expires) else {
        return;
    };
    if ends <= now {
        warnings.add(
            &expires.at,
            format!("the {what} ended on {}", expires.shown()),
            format!("it {does} nothing any more"),
            "take it out, or give it a new date",
        );
    } else if ends <= now.plus(SOON) {
        warnings.add(
            &expires.at,
            format!("the {what} ends on {}", expires.shown()),
            "that is within 30 days",
            "see whether it is still needed, and give it a new date if it is",
        );
    }
}

fn lifts(warnings: &mut Warnings<'_>, config: &PolicyConfig, exception: &ExceptionConfig, groups: &Groups) {
    for item in exception.rules.iter().flat_map(|list| &list.items) {
        let Some(rule) = config.rules.iter().find(|rule| rule.id.value == item.value) else {
            continue;
        };
        let why = if rule.observe {
            "the rule is only observed, and does nothing anyway"
        } else if rule.action.value == Action::Allow {
            "the rule allows, so that without it less is allowed"
        } else {
            let excepted = rule.not_groups.iter().flat_map(|list| &list.items);
            let excepted: BTreeSet<_> = excepted.map(|group| group.value.clone()).collect();
            let mut all = exception.groups.items.iter();
            if !all.all(|group| groups.is_within(&group.value, &excepted)) {
                continue;
            }
            "the rule is for none of these groups: its `not_groups` name them"
        };
        warnings.add(
            &item.at,
            format!("the exception from rule {} lifts nothing", item.shown()),
            why,
            "take it out",
        );
    }
}
