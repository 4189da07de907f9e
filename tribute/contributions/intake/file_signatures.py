"""What a file's first bytes say that it is, whatever its name ends with.

People send what they have: a spreadsheet, a compressed file, a pointer to the data in place of the data. Each of these
gets a line that names it and says how to get a file of rows from it.
"""

import codecs
import re

from tribute.errors import ContributionError

HEAD = 4096
"""Bytes of a file that are looked at."""
SIGNATURES = (
    (b"PK\x03\x04", "a ZIP archive", "unpack it and give the file of rows"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind (.xls)", "export the sheet as CSV (UTF-8)"),
    (b"\x1f\x8b", "compressed with gzip", "unpack it with `gunzip`"),
    (b"BZh", "compressed with bzip2", "unpack it with `bunzip2`"),
    (b"\xfd7zXZ\x00", "compressed with xz", "unpack it with `unxz`"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "unpack it with `unzstd`"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it and give the file of rows"),
    (b"version https://git-lfs", "a Git LFS pointer, not the data", "fetch the data with `git lfs pull`"),
    (b"SQLite format 3\x00", "an SQLite database", "export the table as CSV"),
    (b"ARROW1", "an Arrow file", "save the table as Parquet"),
    (b"ORC", "an ORC file", "save the table as Parquet"),
    (b"Obj\x01", "an Avro file", "save the rows as JSON lines"),
    (b"\x89HDF", "an HDF5 file", "save the rows as Parquet"),
    (b"%PDF", "a PDF document", "export its rows as CSV"),
    (b"{\\rtf", "an RTF document", "save the rows as CSV"),
)
"""How a file begins → what it is, and what to do."""
WORKBOOK = (b"xl/", b"[Content_Types].xml")
OPEN_DOCUMENT = b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"
MARKUP = re.compile(rb"\s*<(?:!doctype|html|\?xml|[a-z]+[\s>])", re.IGNORECASE)
DVC_POINTER = re.compile(rb"(?:#[^\n]*\n|wdir:[^\n]*\n|md5:[^\n]*\n)*outs:\s*\n", re.IGNORECASE)
WIDE = ((codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32"))
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
PARQUET = b"PAR1"


def refuse_other(head: bytes, name: str) -> None:
    """Raise ContributionError where a file that begins with `head` is known to hold no rows that can be read."""
    if known := known_kind(head):
        raise ContributionError(f"{name}: the file is {known[0]}; {known[1]}")
    if DVC_POINTER.match(head):
        raise ContributionError(
            f"{name}: the file is a DVC pointer, not the data; fetch the data with `dvc pull` and give that file"
        )
    if MARKUP.match(head):
        raise ContributionError(
            f"{name}: the file is an HTML or XML page, not rows; download the file itself, or export it as CSV"
        )
    for mark, encoding in WIDE:
        if head.startswith(mark):
            raise ContributionError(f"{name}: the file is in {encoding}; save it as UTF-8")


def known_kind(head: bytes) -> tuple[str, str] | None:
    """What a file that begins with `head` is, and how to get rows from it; None where its first bytes do not tell."""
    for signature, what, remedy in SIGNATURES:
        if head.startswith(signature):
            return _zip_content(head) or (what, remedy) if signature.startswith(b"PK") else (what, remedy)
    return None


def is_utf16(head: bytes) -> bool:
    """Does the file begin with the byte-order mark of UTF-16?"""
    return head.startswith(UTF16)


def refuse_carriage_returns(head: bytes, name: str) -> None:
    """Raise ContributionError where lines end as on old Macintoshes, so that the whole file would be one line."""
    if b"\r" in head.rstrip(b"\r") and b"\n" not in head and b"\x00" not in head:
        raise ContributionError(
            f"{name}: lines end with a carriage return alone, as on old Macintoshes; "
            "save the file with line ends LF or CRLF"
        )


def _zip_content(head: bytes) -> tuple[str, str] | None:
    if any(part in head for part in WORKBOOK):
        return "an Excel workbook (.xlsx)", "export the sheet as CSV (UTF-8)"
    if OPEN_DOCUMENT in head:
        return "an OpenDocument spreadsheet (.ods)", "export the sheet as CSV (UTF-8)"
    return None
