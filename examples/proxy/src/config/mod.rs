//! The configuration file (`guard.toml`): reads it, checks it, and says all that is wrong with it at once.
//!
//! 1. Unknown keys are errors. Any plain value may be `{ env = "NAME" }` or `{ file = "path" }`.
//! 2. Relative paths are taken from the file's folder.
//! 3. What this version does not build is an error, never ignored.
//! 4. No message quotes a value that came from the environment or a file, nor any credential.

pub(crate) mod credential;
pub(crate) mod forward;
pub(crate) mod hosts;
pub(crate) mod identity;
pub(crate) mod login;
pub(crate) mod policy;
pub(crate) mod resolver;
pub(crate) mod schema;
pub(crate) mod secrets;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod upstream;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use copilot_guard::policy::reader::{At, Elsewhere, Located, Problems, Table, Value};
use copilot_guard::policy::{PolicyError, Problem};
use copilot_guard::secret::Secret;

use forward::Forward;
use identity::Issuer;
use login::Login;
use policy::PolicyFile;
use server::Server;
use store::{Admin, Approvals, Audit, Store};
use upstream::Upstream;

/// A checked configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) policy: PolicyFile,
    pub(crate) store: Store,
    /// The key file.
    pub(crate) keys: Option<PathBuf>,
    pub(crate) approvals: Approvals,
    pub(crate) audit: Audit,
    pub(crate) admin: Admin,
    pub(crate) login: Login,
    /// In forward mode.
    pub(crate) forward: Option<Forward>,
    /// What is worth a look, yet no error.
    pub(crate) warnings: Vec<Problem>,
}

/// What the readers of all sections share.
struct Context<'p> {
    problems: &'p Problems,
    folder: &'p Path,
    warnings: RefCell<Vec<Problem>>,
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// All problems of the file, or that it cannot be read.
    pub(crate) fn load(path: &Path) -> Result<Self, PolicyError> {
        Self::load_with(path, |name| std::env::var(name).ok())
    }

    /// Reads a file for its places alone: secrets that stand in the environment need not be there.
    pub(crate) fn load_for_places(path: &Path) -> Result<Self, PolicyError> {
        Self::load_with(path, |name| {
            Some(std::env::var(name).unwrap_or_else(|_| "not-needed".to_owned()))
        })
    }

    fn load_with(path: &Path, env: impl Fn(&str) -> Option<String> + 'static) -> Result<Self, PolicyError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let mend = "check the path and its permissions";
            PolicyError::new(vec![Problem::of_file(
                &file,
                "the file cannot be read",
                error.to_string(),
                mend,
            )])
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self::parse(&text, &file, &folder, env)
    }

    /// Checks a configuration. `env` looks up environment variables.
    pub(crate) fn parse(
        text: &str,
        file: &str,
        folder: &Path,
        env: impl Fn(&str) -> Option<String> + 'static,
    ) -> Result<Self, PolicyError> {
        let from = folder.to_owned();
        let problems = Problems::new(file, text).with_elsewhere(move |place| match place {
            Elsewhere::Env(name) => env(name)
                .map(Secret::new)
                .ok_or_else(|| "it is not set".to_owned()),
            Elsewhere::File(path) => match std::fs::read_to_string(from.join(path)) {
                Ok(text) => Ok(Secret::new(text.trim_end_matches(['\r', '\n']))),
                Err(error) => Err(error.to_string()),
            },
        });
        let config = problems.parse(text).and_then(|table| {
            read(
                &Context {
                    problems: &problems,
                    folder,
                    warnings: RefCell::default(),
                },
                table,
            )
        });
        problems.finish()?;
        config.ok_or_else(|| {
            let why = "something required is missing, and it was not found out what";
            PolicyError::new(vec![Problem::of_file(
                file,
                "the file is not usable",
                why,
                "report this as a bug",
            )])
        })
    }
}

/// Asks for every key of a file.
#[cfg(test)]
fn keys_of(problems: &Problems, text: &str) {
    let context = Context {
        problems,
        folder: Path::new(""),
        warnings: RefCell::default(),
    };
    let _ = problems.parse(text).and_then(|table| read(&context, table));
}

fn read(context: &Context<'_>, mut file: Table<'_>) -> Option<Config> {
    let server = context
        .section(&mut file, "server")
        .and_then(|t| server::read(context, t));
    let is_forward = server.as_ref().is_some_and(|s| s.ca.is_some());
    let issuers = context
        .section(&mut file, "identity")
        .map(|t| identity::read(context, t))
        .unwrap_or_default();
    let upstreams = file
        .require(
            "upstreams",
            "write `[[upstreams]]` with a name, a base_url and routes",
        )
        .map(|v| upstream::read(context, v, is_forward))
        .unwrap_or_default();
    let policy = context
        .section(&mut file, "policy")
        .and_then(|t| policy::read(context, t));
    let store = context
        .section(&mut file, "store")
        .and_then(|t| store::read_store(context, t));
    let keys = match file.take("keys").and_then(Value::table) {
        Some(table) => Some(context.only_file(table)?),
        None => {
            context.warn(
                file.at(),
                "there is no key file",
                "tags and gateway tokens end with the process, and other replicas do not know them",
                "make one with `keys init`, and name it in `[keys]`",
            );
            None
        }
    };
    let approvals = match file.take("approvals") {
        Some(value) => value.table().and_then(|t| store::read_approvals(context, t)),
        None => Some(Approvals::default()),
    };
    let audit = match file.take("audit") {
        Some(value) => value.table().and_then(|t| store::read_audit(context, t)),
        None => Some(Audit::default()),
    };
    let admin = context
        .section(&mut file, "admin")
        .and_then(|t| store::read_admin(context, t, &issuers));
    let login = match file.take("login") {
        Some(value) => value.table().and_then(|t| login::read(context, t, &issuers)),
        None => Some(Login::default()),
    };
    let section = file.take("forward").and_then(Value::table);
    let forward = match server.as_ref().and_then(|s| s.ca.clone()) {
        Some(ca) => Some(forward::read(context, section, ca, &upstreams)),
        None => {
            if let Some(table) = section {
                let mend = "leave it out, or write `mode = \"forward\"`";
                context.warn(
                    table.at(),
                    "`[forward]` is not used",
                    "the mode is `reverse`",
                    mend,
                );
            }
            None
        }
    };
    file.finish();
    Some(Config {
        server: server?,
        issuers,
        upstreams,
        policy: policy?,
        store: store?,
        keys,
        approvals: approvals?,
        audit: audit?,
        admin: admin?,
        login: login?,
        forward,
        warnings: context.warnings.take(),
    })
}

// === impl Context ===

impl Context<'_> {
    fn add(&self, at: &At, what: impl Into<String>, why: impl Into<String>, mend: impl Into<String>) {
        self.problems.add(at, what, why, mend);
    }

    /// Worth a look, yet no error.
    fn warn(&self, at: &At, what: &str, why: &str, mend: &str) {
        let warning = self.problems.problem(at, what, why, mend);
        self.warnings.borrow_mut().push(warning);
    }

    /// A section that must be there.
    fn section<'p>(&self, file: &mut Table<'p>, name: &'static str) -> Option<Table<'p>> {
        file.require(name, &format!("write a `[{name}]` section; the README shows one"))
            .and_then(Value::table)
    }

    /// A section that holds nothing but a file.
    fn only_file(&self, mut table: Table<'_>) -> Option<PathBuf> {
        let file = table.require("file", "name the file").and_then(Value::string);
        table.finish();
        file.and_then(|f| self.path(f))
    }

    /// A path, from the configuration's folder.
    fn path(&self, text: Located<String>) -> Option<PathBuf> {
        self.filled(&text).then(|| self.folder.join(&text.value))
    }

    /// Whether a text says something.
    fn filled(&self, text: &Located<String>) -> bool {
        let is_filled = !text.value.trim().is_empty();
        if !is_filled {
            self.add(
                &text.at,
                "the text is empty",
                "it must name something",
                "write it out, or leave the key out",
            );
        }
        is_filled
    }

    /// A text that must be there and say something.
    fn text(&self, table: &mut Table<'_>, name: &'static str, mend: &str) -> Option<Located<String>> {
        table
            .require(name, mend)
            .and_then(Value::string)
            .filter(|t| self.filled(t))
    }

    /// A list of texts that must not be empty.
    fn names(&self, table: &mut Table<'_>, name: &'static str, mend: &str) -> Option<Vec<Located<String>>> {
        let value = table.require(name, mend)?;
        let at = value.at.clone();
        if value.is_empty_list() {
            self.add(&at, "the list is empty", "nothing could ever match it", mend);
            return None;
        }
        let names = value.string_or_list()?;
        Some(names.into_iter().filter(|n| self.filled(n)).collect())
    }

    /// An `https` address, or `http` where the host is loopback and `http_ok` says so.
    fn url(&self, text: &Located<String>, http_ok: bool) -> Option<http::Uri> {
        let uri = text.value.parse::<http::Uri>().ok();
        let Some(uri) = uri.filter(|u| u.scheme().is_some() && u.host().is_some_and(|h| !h.is_empty()))
        else {
            self.add(
                &text.at,
                "not an address",
                "it has no scheme or no host",
                "write an address such as \"https://host\"",
            );
            return None;
        };
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            let mend = "leave it out, and use `credential` for the upstream's";
            self.add(
                &text.at,
                "the address holds a password",
                "addresses are recorded",
                mend,
            );
            return None;
        }
        if uri.query().is_some() || text.value.contains('#') {
            self.add(
                &text.at,
                "the address has a query or a fragment",
                "nothing could be added to it",
                "leave it out",
            );
            return None;
        }
        match uri.scheme_str() {
            Some("https") => Some(uri),
            Some("http") if http_ok && uri.host().is_some_and(is_loopback) => Some(uri),
            Some("http") => {
                let why = "the way there would not be encrypted";
                self.add(&text.at, "`http` is only for loopback", why, "write `https://`");
                None
            }
            _ => {
                self.add(
                    &text.at,
                    "unknown scheme",
                    "only https is spoken here",
                    "write `https://`",
                );
                None
            }
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || plain.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod credential_tests;
#[cfg(test)]
mod tests;
