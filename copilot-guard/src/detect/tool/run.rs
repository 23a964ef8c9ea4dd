//! Commands of a call, and of the files that it writes.

use super::super::command::Shell;
use super::super::judgement::{Class, Danger, Judgement};
use super::call::Call;
use super::patch;

/// Most commands that are judged in one call, in files that it writes too.
const MAX_COMMANDS: usize = 256;
/// Most lines of scripts that are judged one by one.
const MAX_LINES: usize = 512;

impl Call<'_> {
    /// Judges a command. Where it may be none at all (`is_guess`), what is merely unclear is left out.
    pub(super) fn run(&mut self, shell: Shell, text: &str, is_guess: bool) {
        if self.counts() {
            let judgement = self.commands.judge(shell, text);
            self.merge(judgement, is_guess);
        }
    }

    /// Judges a program and its arguments.
    pub(super) fn run_argv(&mut self, argv: &[String], is_guess: bool) {
        let program = argv.first().map(String::as_str).unwrap_or_default();
        if let (true, Some(body)) = (program == "apply_patch", argv.get(1)) {
            return self.patch_alone(body);
        }
        // `bash -lc "apply_patch <<'EOF' …"` is a patch too.
        let is_shell = matches!(argv, [shell, flag, _] if shell.ends_with("sh") && flag.starts_with('-'));
        if let Some(body) = argv
            .get(2)
            .filter(|_| is_shell)
            .and_then(|s| patch::from_command(s))
        {
            return self.patch_alone(body);
        }
        if self.counts() {
            let judgement = self.commands.judge_argv(argv);
            self.merge(judgement, is_guess);
        }
    }

    /// Judges a command within a file that is written. `is_image`: the file is a recipe of an image.
    pub(super) fn run_in_file(&mut self, shell: Shell, text: &str, is_image: bool) {
        if self.counts() {
            let judgement = self.commands.judge(shell, text);
            self.merge_in_file(judgement, is_image);
        }
    }

    /// Judges a program and its arguments within a file that is written.
    pub(super) fn run_argv_in_file(&mut self, argv: &[String], is_image: bool) {
        if self.counts() {
            let judgement = self.commands.judge_argv(argv);
            self.merge_in_file(judgement, is_image);
        }
    }

    /// Judges a script that is written, as a whole. What cannot be read as one, since it may be a part only, is judged
    /// line by line besides.
    pub(super) fn run_script(&mut self, shell: Shell, text: &str) {
        if !self.counts() {
            return;
        }
        let judgement = self.commands.judge(shell, text);
        let is_clear = judgement.findings.iter().all(|f| f.class != Class::Unclear);
        self.merge_in_file(judgement, false);
        if is_clear || !text.contains('\n') {
            return;
        }
        for line in text
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            self.lines += 1;
            if self.lines > MAX_LINES {
                return self.add(
                    "unclear/long-script",
                    Class::Unclear,
                    Danger::Approve,
                    "writes a script that is too long to be judged",
                );
            }
            let judgement = self.commands.judge(shell, line);
            self.merge_in_file(judgement, false);
        }
    }

    fn counts(&mut self) -> bool {
        self.judged += 1;
        if self.judged == MAX_COMMANDS + 1 {
            self.too_large("there are too many commands to be judged");
        }
        self.judged <= MAX_COMMANDS
    }

    fn merge(&mut self, judgement: Judgement, is_guess: bool) {
        for finding in judgement.findings {
            if !(is_guess && finding.class == Class::Unclear) {
                self.judgement.add(finding);
            }
        }
    }

    /// What stands in a file does not run now, and files hold much that is merely unclear, or right in its place: of some
    /// classes only what is blocked counts.
    fn merge_in_file(&mut self, judgement: Judgement, is_image: bool) {
        for finding in judgement.findings {
            let counts = match finding.class {
                Class::Exfiltration
                | Class::RemoteCode
                | Class::Persistence
                | Class::CredentialAccess
                | Class::SelfApproval => true,
                Class::Unclear => false,
                // What an image does to itself hurts nobody.
                _ => finding.danger == Danger::Block && !is_image,
            };
            if counts {
                self.judgement.add(finding);
            }
        }
    }
}
