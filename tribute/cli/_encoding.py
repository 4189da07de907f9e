"""How text is shown by a terminal whose encoding does not have all characters: in ASCII, never with a traceback."""

import codecs
import io
import sys
import unicodedata

HANDLER = "tribute"
ASCII = {
    "✓": "ok",
    "…": "...",
    "→": "->",
    "−": "-",
    "–": "-",
    "’": "'",
    "±": "+/-",
    "µ": "u",
    "×": "x",
    "≤": "<=",
    "≥": ">=",
    "\ufffd": "?",
}
"""What Tribute itself prints; a letter loses its accent, and any other character becomes a question mark."""


def adapt_streams() -> None:
    """Let standard output and error replace what their encoding cannot hold."""
    codecs.register_error(HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(ASCII.get(character) or _plain(character) for character in text), error.end


def _plain(character: str) -> str:
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"
