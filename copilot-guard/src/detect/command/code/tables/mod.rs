//! What names do in which language.

mod node;
mod perl;
mod php;
mod python;
mod ruby;
mod small;

/// A language whose code is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Node,
    Perl,
    Ruby,
    Php,
    Awk,
    Lua,
}

impl Language {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "python" | "python2" | "python3" | "py" | "pypy" | "pypy3" | "ipython" => Self::Python,
            "node" | "nodejs" | "deno" | "bun" | "javascript" | "js" | "typescript" | "ts-node" | "tsx" => {
                Self::Node
            }
            "perl" | "perl5" => Self::Perl,
            "ruby" | "irb" => Self::Ruby,
            "php" => Self::Php,
            "awk" | "gawk" | "mawk" | "nawk" => Self::Awk,
            "lua" | "luajit" => Self::Lua,
            _ => return None,
        })
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Perl => "perl",
            Self::Ruby => "ruby",
            Self::Php => "php",
            Self::Awk => "awk",
            Self::Lua => "lua",
        }
    }

    pub(super) fn comments_with_hash(self) -> bool {
        matches!(
            self,
            Self::Python | Self::Perl | Self::Ruby | Self::Php | Self::Awk
        )
    }

    pub(super) fn comments_with_slashes(self) -> bool {
        matches!(self, Self::Node | Self::Php)
    }

    pub(super) fn runs_backticks(self) -> bool {
        matches!(self, Self::Perl | Self::Ruby | Self::Php)
    }

    /// Whether a call needs no brackets.
    pub(super) fn calls_bare(self) -> bool {
        matches!(self, Self::Perl | Self::Ruby | Self::Php)
    }

    /// Whether the words of a command may be arguments of their own.
    pub(super) fn lists_arguments(self) -> bool {
        matches!(self, Self::Node | Self::Perl | Self::Ruby)
    }
}

/// What a name does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// Starts a process.
    Process,
    /// A module that does.
    ProcessModule,
    Network,
    /// The network, with a socket of its own.
    Socket,
    File,
    Write,
    Env,
    Eval,
    Decode,
    /// Finds names at run time.
    Reflect,
    Delete,
    /// What a shell on a socket needs.
    Shell,
    /// Memory and libraries of the system.
    Native,
}

type Row = (Does, &'static str);

/// What a name does: by its whole, by its last part with a dot before it, or by its first part with a dot behind it.
pub(super) fn does(language: Language, name: &str, is_called: bool) -> Vec<Does> {
    let lower;
    let name = if language == Language::Php {
        lower = name.to_ascii_lowercase();
        lower.as_str()
    } else {
        name
    };
    let plain: String = name.replace("::", ".").replace("->", ".").replace("?.", ".");
    let plain = plain
        .strip_prefix('$')
        .filter(|_| matches!(language, Language::Perl | Language::Php))
        .unwrap_or(&plain);
    let rows: &[Row] = match language {
        Language::Python => python::PYTHON,
        Language::Node => node::NODE,
        Language::Perl => perl::PERL,
        Language::Ruby => ruby::RUBY,
        Language::Php => php::PHP,
        Language::Awk => small::AWK,
        Language::Lua => small::LUA,
    };
    if OFF.contains(&plain) {
        return Vec::new();
    }
    rows.iter()
        .filter(|(_, names)| {
            names
                .split_ascii_whitespace()
                .any(|n| match (n.strip_prefix('.'), n.strip_suffix('.')) {
                    (Some(last), _) => is_called && plain.rsplit_once('.').is_some_and(|(_, l)| l == last),
                    (_, Some(first)) => {
                        plain == first
                            || plain
                                .strip_prefix(first)
                                .is_some_and(|rest| rest.starts_with('.'))
                    }
                    _ => plain == n,
                })
        })
        .map(|(does, _)| *does)
        .collect()
}

/// Names that look like more than they do.
const OFF: &[&str] = &[
    "urllib.parse",
    "urllib.parse.quote",
    "urllib.parse.unquote",
    "urllib.parse.urlparse",
    "urllib.parse.urlencode",
    "urllib.parse.quote_plus",
    "socket.gethostname",
    "http.STATUS_CODES",
    "requests.__version__",
    "urllib3.__version__",
    "httpx.__version__",
    "aiohttp.__version__",
    "http.HTTPStatus",
    "http.METHODS",
    "subprocess.list2cmdline",
    "RegExp.exec",
];

/// Names that count when they are looked up by a string.
pub(super) fn is_hidden_name(text: &str) -> bool {
    matches!(
        text.trim_start_matches("node:"),
        "os" | "subprocess"
            | "system"
            | "popen"
            | "Popen"
            | "child_process"
            | "exec"
            | "execSync"
            | "spawn"
            | "eval"
            | "pty"
            | "commands"
            | "execve"
            | "check_output"
            | "spawn_sync"
            | "passthru"
            | "shell_exec"
            | "constructor"
            | "Function"
            | "require"
            | "Kernel"
            | "__import__"
            | "builtins"
            | "__builtins__"
            | "posix"
            | "nt"
            | "execute"
            | "instance_eval"
    )
}

/// Whether a variable's name says that it holds a secret.
pub(super) fn is_secret_variable(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "token",
        "secret",
        "passw",
        "api_key",
        "apikey",
        "access_key",
        "private_key",
        "credential",
        "_pat",
        "auth",
        "dsn",
        "connection_string",
    ]
    .iter()
    .any(|w| name.contains(w))
}
