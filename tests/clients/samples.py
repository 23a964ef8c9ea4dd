"""Secrets for the tests. Made at run time, so that no file of the repository holds one."""

import re
import secrets
import string
import zlib

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def github_pat() -> str:
    """A classic personal access token: 30 random letters and digits, then the CRC-32 in six base-62 digits."""
    body = "".join(secrets.choice(_BASE62) for _ in range(30))
    crc, tail = zlib.crc32(body.encode()), ""
    for _ in range(6):
        crc, digit = divmod(crc, 62)
        tail = _BASE62[digit] + tail
    return "ghp" + "_" + body + tail


def aws_access_key() -> str:
    """An access key id: four fixed letters and 16 of the base-32 alphabet."""
    return "AK" + "IA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))


PAT = github_pat()
AWS = aws_access_key()
PAT_MARK = "[REDACTED:github-pat]"
AWS_MARK = "[REDACTED:aws-access-key]"


def untagged(text: str) -> str:
    """The text without the tags of its marks: their key is random."""
    return re.sub(r"(\[REDACTED:[a-z0-9-]+):[a-z2-7]{8}\]", r"\1]", text)
