//! What names do in awk and Lua.

use super::{Does, Row};

pub(super) const AWK: &[Row] = &[
    (
        Does::Process,
        "
        system
        ",
    ),
    (
        Does::Env,
        "
        ENVIRON
        ",
    ),
    (
        Does::Eval,
        "
        @load
        ",
    ),
];

pub(super) const LUA: &[Row] = &[
    (
        Does::Process,
        "
        os.execute io.popen execute popen
        ",
    ),
    (
        Does::Socket,
        "
        socket.
        ",
    ),
    (
        Does::Network,
        "
        http. ssl.
        ",
    ),
    (
        Does::File,
        "
        io.open io.lines dofile io.input lfs.
        ",
    ),
    (
        Does::Write,
        "
        io.output os.rename
        ",
    ),
    (
        Does::Env,
        "
        os.getenv
        ",
    ),
    (
        Does::Eval,
        "
        loadstring load loadfile dofile
        ",
    ),
    (
        Does::Decode,
        "
        string.char mime.
        ",
    ),
    (
        Does::Reflect,
        "
        _G. _ENV. rawget debug.
        ",
    ),
    (
        Does::Delete,
        "
        os.remove lfs.rmdir
        ",
    ),
    (
        Does::Native,
        "
        ffi. package.loadlib
        ",
    ),
];
