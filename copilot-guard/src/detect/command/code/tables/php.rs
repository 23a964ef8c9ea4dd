//! What names do in PHP.

use super::{Does, Row};

pub(super) const PHP: &[Row] = &[
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
