//! `[policy]`: the policy file, and the versions of it that may be put in force.

use std::path::PathBuf;

use copilot_guard::policy::reader::{Located, Table, Value};

use super::Context;

/// What `[policy]` says.
#[derive(Debug, Clone)]
pub(crate) struct PolicyFile {
    /// The file.
    pub(crate) file: PathBuf,
    /// SHA-256 of the versions that were signed off, in lower-case hex. Nothing: every version may be used.
    pub(crate) approved: Option<Vec<String>>,
}

pub(super) fn read(context: &Context<'_>, mut table: Table<'_>) -> Option<PolicyFile> {
    let file = table.require("file", "name the file").and_then(Value::string);
    let approved = table.take("approved").and_then(|value| {
        let at = value.at.clone();
        if value.is_empty_list() {
            let mend = "write the versions that `policy check` prints, or leave the key out";
            context.add(&at, "the list is empty", "no policy could ever be used", mend);
        }
        value.string_or_list()
    });
    table.finish();
    let approved =
        approved.map(|versions| versions.into_iter().filter_map(|v| version(context, v)).collect());
    Some(PolicyFile {
        file: file.and_then(|f| context.path(f))?,
        approved,
    })
}

fn version(context: &Context<'_>, text: Located<String>) -> Option<String> {
    let version = text.value.trim().to_ascii_lowercase();
    let is_hash = version.len() == 64 && version.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hash {
        context.add(
            &text.at,
            format!("{} is no version of a policy", text.shown()),
            "a version is the SHA-256 of the file, 64 hex digits",
            "copy it from `policy check`",
        );
    }
    is_hash.then_some(version)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;
    use crate::serve;

    fn config(folder: &Path, approved: &str) -> Result<Config, String> {
        let text = format!(
            r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
[[identity.issuers]]
issuer = "https://login.example.com"
audiences = ["copilot-guard"]
[policy]
file = "policy.toml"
{approved}
[store]
url = "sqlite:guard.db"
[admin]
audiences = ["copilot-guard-admin"]
[[upstreams]]
name = "one"
base_url = "https://model.example.com"
routes = ["openai"]
credential = {{ kind = "none" }}
"#
        );
        Config::parse(&text, "guard.toml", folder, |_| None).map_err(|error| error.to_string())
    }

    #[test]
    fn only_versions_that_are_signed_off_are_used() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.toml");
        std::fs::write(&policy, "version = 1\n").unwrap();
        let version = serve::check(&config(folder.path(), "").unwrap())
            .unwrap()
            .version()
            .to_owned();
        let approved = format!(
            "approved = [\"{}\", \"{}\"]",
            "0".repeat(64),
            version.to_uppercase()
        );
        let signed = config(folder.path(), &approved).unwrap();
        assert_eq!(serve::check(&signed).unwrap().version(), version);
        // One blank more, and it is another policy: for the check, for the start and for SIGHUP, which all read it here.
        std::fs::write(&policy, "version = 1 \n").unwrap();
        let refused = serve::check(&signed).unwrap_err().to_string();
        assert!(
            refused.contains("is not signed off") && !refused.contains(&version),
            "{refused}"
        );
        let other = serve::check(&config(folder.path(), "").unwrap())
            .unwrap()
            .version()
            .to_owned();
        assert!(refused.contains(&other), "{refused}");
    }

    #[test]
    fn versions_are_hashes() {
        for (approved, problem) in [
            ("approved = []", "the list is empty"),
            ("approved = [\"v1\"]", "no version of a policy"),
            ("approved = 1", "a string or a list of strings"),
            ("aproved = []", "did you mean `approved`"),
        ] {
            let error = config(Path::new("/etc/guard"), approved).unwrap_err();
            assert!(error.contains(problem), "{approved}: {error}");
        }
    }
}
