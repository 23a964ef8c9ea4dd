//! What names do in Python.

use super::{Does, Row};

pub(super) const PYTHON: &[Row] = &[
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
