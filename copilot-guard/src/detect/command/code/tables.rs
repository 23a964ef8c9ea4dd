//! What names do in which language.

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
        Language::Python => PYTHON,
        Language::Node => NODE,
        Language::Perl => PERL,
        Language::Ruby => RUBY,
        Language::Php => PHP,
        Language::Awk => AWK,
        Language::Lua => LUA,
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

const PYTHON: &[Row] = &[
    (
        Does::Process,
        "
        os.system os.popen subprocess.run subprocess.call subprocess.Popen subprocess.check_output
        subprocess.check_call subprocess.getoutput subprocess.getstatusoutput pty.spawn
        commands.getoutput os.execl os.execle os.execlp os.execv os.execve os.execvp os.execvpe os.spawnl
        os.spawnlp os.spawnv os.spawnvp os.posix_spawn os.startfile asyncio.create_subprocess_shell
        asyncio.create_subprocess_exec system popen Popen check_output check_call getoutput .system
        .popen .Popen .check_output .check_call .getoutput .create_subprocess_shell webbrowser.open
        os.startfile
        ",
    ),
    (
        Does::ProcessModule,
        "
        pexpect. sh. fabric. invoke.
        ",
    ),
    (
        Does::Network,
        "
        urllib. urllib2. requests. http.client. http. httpx. aiohttp. ftplib. smtplib. paramiko.
        telnetlib. urlopen urlretrieve .urlopen xmlrpc. websocket. websockets. urllib3. pycurl. boto3.
        socketserver. ssl. poplib. imaplib. dns. create_connection
        ",
    ),
    (
        Does::Socket,
        "
        socket.
        ",
    ),
    (
        Does::Shell,
        "
        os.dup2 pty. dup2
        ",
    ),
    (
        Does::File,
        "
        open io.open Path pathlib.Path .read_text .read_bytes os.listdir os.walk os.scandir glob.
        shutil.make_archive shutil.copy shutil.copytree zipfile. tarfile. os.open fileinput. codecs.open
        linecache. mmap.
        ",
    ),
    (
        Does::Write,
        "
        .write .write_text .write_bytes .writelines shutil.copy os.rename os.replace os.symlink
        shutil.move .rename json.dump
        ",
    ),
    (
        Does::Env,
        "
        os.environ os.environ.get os.environ.items os.environ.copy os.getenv os.environb environ getenv
        ",
    ),
    (
        Does::Eval,
        "
        eval exec compile runpy.run_path runpy.run_module code.interact execfile marshal.loads
        pickle.loads pickle.load types.FunctionType builtins.exec builtins.eval .exec .eval
        yaml.unsafe_load dill.loads cloudpickle.loads __builtins__.exec
        ",
    ),
    (
        Does::Decode,
        "
        base64. b64decode zlib.decompress bytes.fromhex codecs.decode binascii. .fromhex .b64decode
        .decompress lzma. bz2. gzip. marshal. chr rot13 .fromhex bytes
        ",
    ),
    (
        Does::Reflect,
        "
        getattr __import__ importlib. globals locals vars __builtins__. setattr .__import__
        .__subclasses__ operator.attrgetter sys.modules builtins.
        ",
    ),
    (
        Does::Delete,
        "
        shutil.rmtree rmtree os.remove os.unlink os.rmdir os.removedirs .rmtree send2trash
        ",
    ),
    (
        Does::Native,
        "
        ctypes. cffi. winreg. _winapi. win32api. win32con. keyring. win32crypt. browser_cookie3.
        ",
    ),
];

const NODE: &[Row] = &[
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

const PERL: &[Row] = &[
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

const RUBY: &[Row] = &[
    (
        Does::Process,
        "
        system exec spawn IO.popen Open3.capture2 Open3.capture2e Open3.capture3 Open3.popen3
        Kernel.system Kernel.exec Kernel.spawn Process.spawn PTY.spawn fork syscall .popen Kernel.`
        ",
    ),
    (
        Does::Network,
        "
        Net. URI.open open_uri OpenURI. HTTParty. Faraday. RestClient. Excon. Resolv. OpenSSL.SSL.
        ",
    ),
    (
        Does::Socket,
        "
        TCPSocket. Socket. UDPSocket. TCPServer. UNIXSocket.
        ",
    ),
    (
        Does::File,
        "
        File.read IO.read File.open IO.readlines File.readlines File.binread Dir.glob Dir.entries
        IO.binread open File.foreach Dir.
        ",
    ),
    (
        Does::Write,
        "
        File.write IO.write FileUtils.cp FileUtils.mv File.rename File.symlink FileUtils.ln_s .write
        .puts_
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
        eval instance_eval class_eval module_eval Kernel.eval Kernel.load load Marshal.load
        .instance_eval .eval RubyVM. YAML.unsafe_load
        ",
    ),
    (
        Does::Decode,
        "
        Base64. unpack Zlib. .unpack .unpack1 unpack1
        ",
    ),
    (
        Does::Reflect,
        "
        send public_send __send__ .send .public_send const_get .const_get .method method .__send__
        Object.const_get Fiddle.
        ",
    ),
    (
        Does::Delete,
        "
        FileUtils.rm_rf FileUtils.rm_r FileUtils.rm FileUtils.remove_dir FileUtils.remove_entry
        FileUtils.remove_entry_secure FileUtils.rmtree File.delete File.unlink Dir.rmdir Dir.delete
        Dir.unlink rm_rf FileUtils.rm_f
        ",
    ),
    (
        Does::Native,
        "
        Fiddle. Win32API. DL.
        ",
    ),
];

const PHP: &[Row] = &[
    (
        Does::Process,
        "
        system exec shell_exec passthru popen proc_open pcntl_exec mail expect_popen
        ",
    ),
    (
        Does::Network,
        "
        curl_init curl_exec http_get ftp_connect ssh2_connect guzzlehttp. soapclient curl_setopt
        get_headers dns_get_record gethostbyname mail
        ",
    ),
    (
        Does::Socket,
        "
        fsockopen pfsockopen stream_socket_client socket_create socket_connect
        ",
    ),
    (
        Does::File,
        "
        file_get_contents fopen readfile file scandir glob show_source highlight_file opendir
        parse_ini_file fread
        ",
    ),
    (
        Does::Write,
        "
        file_put_contents fwrite copy rename symlink move_uploaded_file
        ",
    ),
    (
        Does::Env,
        "
        _env getenv phpinfo
        ",
    ),
    (
        Does::Eval,
        "
        eval assert create_function include require include_once require_once unserialize ffi.cdef
        ",
    ),
    (
        Does::Decode,
        "
        base64_decode gzinflate gzuncompress str_rot13 hex2bin gzdecode strrev chr convert_uudecode pack
        ",
    ),
    (
        Does::Reflect,
        "
        call_user_func call_user_func_array array_map reflectionfunction usort array_filter array_walk
        preg_replace_callback register_shutdown_function
        ",
    ),
    (
        Does::Delete,
        "
        unlink rmdir
        ",
    ),
    (
        Does::Native,
        "
        dl ffi. putenv
        ",
    ),
];

const AWK: &[Row] = &[
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

const LUA: &[Row] = &[
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
