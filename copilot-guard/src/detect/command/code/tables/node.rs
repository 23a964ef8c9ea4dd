//! What names do in Node, Deno and Bun.

use super::{Does, Row};

pub(super) const NODE: &[Row] = &[
    (
        Does::Process,
        "
        exec execSync spawn spawnSync execFile execFileSync fork .exec_ .execSync .spawn .spawnSync
        .execFile .execFileSync .fork child_process.exec cp.exec Deno.run Deno.Command Bun.spawn
        Bun.spawnSync Bun.$ execa shell.exec shelljs.exec .execa cluster.fork .execCommand
        ",
    ),
    (
        Does::ProcessModule,
        "
        child_process. process.binding process.dlopen worker_threads.
        ",
    ),
    (
        Does::Network,
        "
        fetch http. https. dns. axios. XMLHttpRequest WebSocket tls. http2. dgram. got. undici. request.
        nodemailer. EventSource navigator.sendBeacon Bun.connect ws. globalThis.fetch
        ",
    ),
    (
        Does::Socket,
        "
        net. Deno.connect
        ",
    ),
    (
        Does::Shell,
        "
        .pipe_shell
        ",
    ),
    (
        Does::File,
        "
        fs. readFileSync readFile .readFileSync .readFile .readdirSync .createReadStream
        Deno.readTextFile Deno.readFile Bun.file readdirSync createReadStream fsp.
        ",
    ),
    (
        Does::Write,
        "
        .writeFileSync .writeFile .appendFileSync .appendFile .createWriteStream Deno.writeTextFile
        Bun.write writeFileSync .copyFileSync .renameSync .symlinkSync
        ",
    ),
    (
        Does::Env,
        "
        process.env. Deno.env. Bun.env. .env_ process.env
        ",
    ),
    (
        Does::Eval,
        "
        eval Function vm.runInThisContext vm.runInNewContext vm.runInContext vm.Script vm.compileFunction
        .runInThisContext .runInNewContext globalThis.eval window.eval .constructor setTimeout_ .compile_
        module._compile ._compile
        ",
    ),
    (
        Does::Decode,
        "
        atob Buffer.from zlib. String.fromCharCode decodeURIComponent unescape String.fromCodePoint
        .inflateSync .gunzipSync
        ",
    ),
    (
        Does::Reflect,
        "
        Reflect. process.mainModule. process.binding globalThis module.constructor. global
        process.getBuiltinModule module.createRequire createRequire
        ",
    ),
    (
        Does::Delete,
        "
        .rmSync .rmdirSync .unlinkSync .rm .rmdir .unlink rmSync rmdirSync unlinkSync rimraf .removeSync
        .emptyDirSync rimraf.sync Deno.remove Deno.removeSync unlink rm
        ",
    ),
    (
        Does::Native,
        "
        process.dlopen ffi. keytar. Deno.dlopen
        ",
    ),
];
