"""What is left of rows in a workspace, by content and not by place: texts, token ids, vectors, in whatever file."""

import gzip
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

INTEGERS = ("int16", "int32", "int64")
SAME = 1 - 1e-6
"""Cosine from which on two vectors are the same one, computed twice."""


@dataclass(frozen=True)
class Rows:
    """What to look for: texts, sequences of token ids, the bytes of stored vectors, and vectors up to their length."""

    texts: Sequence[str]
    ids: Sequence[Sequence[int]]
    stored: Sequence[bytes]
    vectors: np.ndarray
    """float [rows, width]."""

    @property
    def needles(self) -> set[bytes]:
        """Every form in which bytes can hold them."""
        texts = {form.encode() for text in self.texts for form in (text, json.dumps(text)[1:-1])}
        ids = {np.array(row, dtype=kind).tobytes() for row in self.ids for kind in INTEGERS}
        return texts | ids | {*self.stored}


def remains(folder: Path, rows: Rows) -> set[Path]:
    """The files below a folder that hold anything of the rows, packed or not."""
    needles = rows.needles
    unit = rows.vectors / np.linalg.norm(rows.vectors, axis=1, keepdims=True)
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path for path in files if _holds(path, needles, unit)}


def _holds(path: Path, needles: set[bytes], unit: np.ndarray) -> bool:
    for content in _contents(path):
        if isinstance(content, bytes):
            if any(needle in content for needle in needles):
                return True
        elif content.shape[-1:] == unit.shape[1:] and content.size:
            flat = content.reshape(-1, unit.shape[1]).astype(float)
            length = np.linalg.norm(flat, axis=1, keepdims=True)
            if ((flat / np.where(length == 0, 1, length)) @ unit.T).max() >= SAME:
                return True
    return False


def _contents(path: Path) -> Iterator[Any]:
    """A file's bytes, plain and unpacked, and the arrays of numbers in it."""
    content = path.read_bytes()
    yield content
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    if path.suffix == ".parquet":
        yield from _columns(path)
    elif path.suffix == ".npy":
        yield np.load(path)
    elif path.suffix == ".safetensors" and len(content) > 8:
        from safetensors.numpy import load

        yield from load(content).values()
    elif path.suffix == ".json":
        yield from _values(json.loads(content))
    elif content.startswith(b"SQLite format 3"):
        yield from _cells(path)


def _columns(path: Path) -> Iterator[Any]:
    import pandas as pd

    frame = pd.read_parquet(path)
    yield from (array for name in frame for array in _values(list(frame[name])))
    yield frame.select_dtypes("number").to_numpy()


def _values(value: Any) -> Iterator[Any]:
    """Texts as bytes, lists of whole numbers as bytes, other lists of numbers as arrays, however deep."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, str):
        yield value.encode()
    elif isinstance(value, np.ndarray):
        yield value
        yield value.astype("int64").tobytes() if value.dtype.kind in "iu" else b""
    elif isinstance(value, list) and value and all(type(item) in (int, float) for item in value):
        numbers = np.array(value)
        yield numbers
        yield numbers.tobytes()
    elif isinstance(value, list):
        for item in value:
            yield from _values(item)


def _cells(path: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in database.execute(f'select * from "{table}"'):
                yield from (str(cell).encode() if not isinstance(cell, bytes) else cell for cell in row)
