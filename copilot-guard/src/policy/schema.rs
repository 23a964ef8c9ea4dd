//! The JSON Schema of a policy file. Words come from the readers; a test holds the keys against them.

use super::budget::PER;
use super::config::{ACTIONS, CALLERS, COMMANDS, Key, SEVERITIES, STAGES};
use super::reader::Schema;
use crate::detect::{Class, Pack, intent};

/// The schema of a policy file, as a JSON text (draft 2020-12).
pub fn schema() -> String {
    policy().document("copilot-guard policy", false)
}

fn words<T>(list: &'static [(&'static str, T)]) -> impl Iterator<Item = &'static str> {
    list.iter().map(|(word, _)| *word)
}

fn names(about: &str) -> Schema {
    Schema::one_or_list(about, Schema::text(""))
}

fn policy() -> Schema {
    let each = |table: Schema| Schema::list("", table);
    Schema::table("What is allowed to whom.")
        .required("version", Schema::number("The version of this form: 1.", 1))
        .key(
            "default",
            Schema::one_of("For people whom no rule on `request` allows.", ["allow", "deny"]),
        )
        .key(
            "packs",
            Schema::list(
                "Secret kinds that are off until they are asked for.",
                Schema::one_of("", Pack::ALL.iter().map(|pack| pack.name())),
            ),
        )
        .key("network", network())
        .key(
            "groups",
            Schema::table("Groups whose members count as members of these groups too.").any_key(names("")),
        )
        .key("marks", marks())
        .key("patterns", each(pattern()))
        .key("fields", each(field()))
        .key("values", each(values()))
        .key("allow", each(allow()))
        .key("rules", each(rule()))
        .key("exceptions", each(exception()))
        .key("budgets", each(budget()))
}

fn network() -> Schema {
    let list = |about: &str| Schema::list(about, Schema::text(""));
    Schema::table("What counts as ours when commands, links and images are judged.")
        .key(
            "allowed_hosts",
            list("Hosts of others that may be used: `docs.rs`, `*.example.com`."),
        )
        .key("internal_hosts", list("Our own hosts."))
        .key("own_remotes", list("Our git remotes: `github.com/acme/*`."))
}

fn marks() -> Schema {
    Schema::table("How marks are written.")
        .key("format", Schema::text("With `{kind}` in it."))
        .key("tagged", Schema::text("With `{kind}` and `{tag}` in it."))
}

fn pattern() -> Schema {
    Schema::table("A secret kind of your own.")
        .required("id", Schema::text("Its name in marks and records."))
        .required(
            "regex",
            Schema::text("A regular expression that can run on a stream."),
        )
}

fn field() -> Schema {
    Schema::table("A secret kind that is told by the name of its field.")
        .required("id", Schema::text("Its name in marks and records."))
        .required("names", names("How the field is called."))
        .key("min", Schema::number("The shortest value, in characters.", 0))
        .key("max", Schema::number("The longest value.", 0))
}

fn values() -> Schema {
    let variable = Schema::table("An environment variable.").required("env", Schema::text("Its name."));
    Schema::table("Values that must never leave.")
        .required("id", Schema::text("Their name in marks and records."))
        .key("file", Schema::text("A file with one value on each line."))
        .key("value", variable)
}

fn allow() -> Schema {
    Schema::table("What may be shown though it looks like a secret.")
        .key("kinds", names("Secret kinds; left out: all."))
        .key("groups", names("For whom; left out: everybody."))
        .key("values", names("Whole texts."))
        .key("regex", names("Expressions of the whole text."))
        .key("words", names("Words in it."))
        .required("reason", Schema::text("Why, for the auditors."))
        .key("expires", Schema::date("The last day."))
}

fn rule() -> Schema {
    let votes = Schema::table("Groups, and how many people of each.").any_key(Schema::number("", 1));
    let approvals = Schema::table("Whose votes it needs.")
        .required("any", Schema::list("One of these must hold.", votes));
    Schema::table("A rule. Every one that matches counts, and the strictest action wins.")
        .required("id", Schema::text("Its name in records."))
        .key(
            "groups",
            names("For members of any of these; left out: everybody."),
        )
        .key("not_groups", names("Not for members of these."))
        .key("models", names("For these models, with `*`; left out: all."))
        .key(
            "callers",
            Schema::one_of("For people or programs alone.", words(CALLERS)),
        )
        .required("on", Schema::one_of("Where it looks.", words(STAGES)))
        .key("match", conditions())
        .required("action", Schema::one_of("What it asks for.", words(ACTIONS)))
        .key("approvals", approvals)
        .key("message", Schema::text("What the developer is shown."))
        .key("severity", Schema::one_of("For the record.", words(SEVERITIES)))
        .key(
            "tags",
            Schema::list("For the record, such as `OWASP-LLM02`.", Schema::text("")),
        )
        .key(
            "observe",
            Schema::flag("Record what it would do, and do nothing."),
        )
        .key(
            "reversible",
            Schema::flag("Put what it masks back where the answer is prose for the person who sent it."),
        )
}

fn conditions() -> Schema {
    let table = Schema::table("What it looks for: all keys must hold, of a list one item.");
    Key::ALL
        .iter()
        .fold(table, |table, key| table.key(key.name(), condition(*key)))
}

fn condition(key: Key) -> Schema {
    let stages: Vec<_> = key.stages().iter().map(|stage| stage.as_str()).collect();
    let about = |what: &str| format!("{what} (on {})", stages.join(", "));
    match key {
        Key::Regex => names(&about("Regular expressions of the text.")),
        Key::Words => names(&about("Whole words or phrases, in any case.")),
        Key::Secrets => names(&about("Secret kinds, or `*`.")),
        Key::Encoded => Schema::only_true(&about("A secret in encoded or disguised form.")),
        Key::Hidden => Schema::only_true(&about("Characters that nobody sees.")),
        Key::Intents => {
            let ids = std::iter::once("*").chain(intent::ids());
            Schema::one_or_list(&about("High-risk requests, or `*`."), Schema::one_of("", ids))
        }
        Key::Links => Schema::one_of(&about("Links and images whose hosts are not ours."), ["foreign"]),
        Key::Commands => Schema::one_of(
            &about("Commands that are at least so dangerous."),
            words(COMMANDS),
        ),
        Key::Classes => {
            let classes = Class::ALL.iter().map(|class| class.as_str());
            Schema::one_or_list(
                &about("Beside `commands`: only findings of these classes."),
                Schema::one_of("", classes),
            )
        }
        Key::Tools => names(&about("Names of tools, with `*`.")),
        Key::Parameters => names(&about("Parameters of the request, with `*`.")),
        Key::Routes => names(&about("Paths of the request, with `*`.")),
        Key::SizeOver => Schema::bytes(&about("More bytes than this.")),
        Key::CodeOver => Schema::bytes(&about("More bytes of code than this.")),
    }
}

fn exception() -> Schema {
    Schema::table("What lowers a verdict: the only thing that does.")
        .required("groups", names("For members of any of these."))
        .key("kinds", names("Secret kinds that are let through, or `*`."))
        .key("rules", names("Rules that do not count."))
        .required("reason", Schema::text("Why, for the auditors."))
        .required("expires", Schema::date("The last day."))
}

fn budget() -> Schema {
    let limit = |about: &str| Schema::number(about, 1);
    Schema::table("How much a person or a group may have within a time.")
        .required("id", Schema::text("Its name in records."))
        .key(
            "groups",
            names("For members of any of these; left out: everybody."),
        )
        .key("not_groups", names("Not for members of these."))
        .key("models", names("For these models, with `*`; left out: all."))
        .key(
            "callers",
            Schema::one_of("For people or programs alone.", words(CALLERS)),
        )
        .required("per", Schema::one_of("Who shares a count.", words(PER)))
        .required("window", Schema::duration("From `60s` to `31d`."))
        .key("requests", limit("Requests within the window."))
        .key("tokens", limit("Tokens within the window."))
        .key("masks", limit("Masks within the window."))
        .key("message", Schema::text("What the developer is shown."))
        .key(
            "observe",
            Schema::flag("Record what it would do, and do nothing."),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::config;
    use crate::policy::reader::Problems;

    /// Every table of a policy once. Which keys a table knows does not depend on those that are there.
    const EVERY_TABLE: &str = r#"
        version = 1
        network = {}
        marks = {}
        groups = { a = ["b"] }
        [[patterns]]
        [[fields]]
        [[values]]
        value = { env = "X" }
        [[allow]]
        [[rules]]
        match = {}
        approvals = { any = [{ a = 1 }] }
        [[exceptions]]
        [[budgets]]
    "#;

    #[test]
    fn the_schema_has_the_keys_that_are_read() {
        let problems = Problems::new("p.toml", EVERY_TABLE);
        config::read(&problems, EVERY_TABLE);
        assert_eq!(problems.keys(), policy().keys());
    }

    #[test]
    fn the_committed_schema_is_this_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policy.schema.json");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == schema(),
            "write it anew: copilot-guard-proxy schema policy > docs/policy.schema.json"
        );
    }
}
