"""What banks wrap their messages in: a ZIP, an envelope, several documents one after the other, any encoding.

Nothing is unpacked to disk. A document type is refused before anything is parsed, so no entity ever expands; and no
more than `LARGEST` bytes are unpacked, whatever a ZIP says of itself.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, ParseError, XMLParser

from tribute.errors import RewardError

LARGEST = 2**28
"""Bytes of a bank's file, packed or not: 256 MiB, more than a million entries."""
_DECLARATION = re.compile(r"<\?xml\s[^>]*\?>")
_ENCODING = re.compile(rb"""<\?xml\s[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_WEB_PAGE = re.compile(r"\s*(?:<!doctype\s+html|<html)", re.IGNORECASE)
_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def files_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """(Name, content) of a file, or of every file in a ZIP. Raises RewardError."""
    if path.stat().st_size > LARGEST:
        raise RewardError(f"{path}: larger than {LARGEST >> 20} MiB; give the bank's messages one by one")
    content = path.read_bytes()
    if content[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
        yield str(path), content
        return
    try:
        yield from _unpacked(path, content)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise RewardError(f"{path}: a ZIP that cannot be unpacked ({error}); give what is in it") from error


def _unpacked(path: Path, content: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        # Archivers of some systems add folders and hidden files of their own.
        members = [
            member
            for member in packed.infolist()
            if not member.is_dir() and not member.filename.startswith("__MACOSX/")
            if not PurePosixPath(member.filename).name.startswith(".")
        ]
        if any(member.filename == "[Content_Types].xml" for member in members):
            raise RewardError(f"{path}: the file is an Office document; give the bank's message, or save it as CSV")
        if not members:
            raise RewardError(f"{path}: a ZIP that holds no file; give the file that the bank sent")
        if sum(member.file_size for member in members) > LARGEST:
            raise RewardError(f"{path}: unpacks to more than {LARGEST >> 20} MiB; give the messages one by one")
        for member in sorted(members, key=lambda member: member.filename):
            inner = packed.read(member)
            if inner[:4] == b"PK\x03\x04":
                raise RewardError(f"{path}: {member.filename} is a ZIP in a ZIP; give what is in it")
            yield f"{path}: {member.filename}", inner


def is_xml(content: bytes) -> bool:
    """Whether it begins with a tag, behind a byte order mark and blanks, in UTF-16, too."""
    head = content[:1000].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return head.startswith(b"<")


def documents_of(content: bytes) -> list[Element]:
    """The roots of all XML documents that stand in a file one after the other.

    Raises RewardError for a document type, and ParseError, LookupError or UnicodeDecodeError for what is no XML.
    """
    text = "".join(_decoded(content)).replace("\ufeff", "")
    if _WEB_PAGE.match(text):
        raise RewardError("the file is a web page, not the bank's message; download the message itself")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise RewardError("holds a DOCTYPE, which no bank's message does; ask for the file as the bank sent it")
    parser = XMLParser()
    parser.feed(f"<messages>{_DECLARATION.sub('', text)}</messages>")
    roots = list(parser.close())
    if not roots:
        raise ParseError("no element")
    return roots


def _decoded(content: bytes) -> Iterator[str]:
    """Each document by its own declaration; UTF-16 as a whole."""
    start = content.lstrip(b" \t\r\n")
    wide = _MARKS.get(content[:2]) or {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}.get(start[:2])
    if wide:
        yield content.decode(wide)
        return
    for document in re.split(rb"(?=<\?xml\s)", content):
        declared = _ENCODING.match(document)
        name = declared[1].decode("ascii").lower() if declared else "utf-8"
        # Some programs declare the UTF-16 of their own strings and write UTF-8.
        yield document.decode("utf-8" if name.startswith(("utf-16", "utf-8")) else name)
