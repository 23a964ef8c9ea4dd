//! What names do in Perl.

use super::{Does, Row};

pub(super) const PERL: &[Row] = &[
    (
        Does::Process,
        "
        system exec popen IPC.Open3 open2 open3 IPC.Open2 fork readpipe CORE.system CORE.exec
        ",
    ),
    (
        Does::Network,
        "
        LWP. HTTP. Net. Mojo. get getstore WWW.
        ",
    ),
    (
        Does::Socket,
        "
        Socket IO.Socket. socket connect IO.Socket
        ",
    ),
    (
        Does::Shell,
        "
        STDIN.fdopen fdopen dup2
        ",
    ),
    (
        Does::File,
        "
        open File.Slurp. opendir glob sysopen slurp Path.Tiny.
        ",
    ),
    (
        Does::Write,
        "
        rename symlink link syswrite spew
        ",
    ),
    (
        Does::Env,
        "
        ENV
        ",
    ),
    (
        Does::Eval,
        "
        eval do require_ evalbytes
        ",
    ),
    (
        Does::Decode,
        "
        MIME.Base64. decode_base64 unpack pack uncompress chr MIME.Base64
        ",
    ),
    (
        Does::Reflect,
        "
        can_ syscall
        ",
    ),
    (
        Does::Delete,
        "
        unlink rmtree rmdir remove_tree File.Path.rmtree File.Path.remove_tree
        ",
    ),
    (
        Does::Native,
        "
        DynaLoader. syscall Win32.
        ",
    ),
];
