"""Bring a published dataset into a folder, from its authors' own repository at a pinned commit.

The only module here that uses the network. A folder appears whole or not at all.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from tribute.contributions.sources import tldr_git
from tribute.contributions.sources.jsonl import write_jsonl
from tribute.errors import ContributionError, IntegrityError
from tribute.files import making
from tribute.strict import parse_json

CLINC150_URL = "https://raw.githubusercontent.com/clinc/oos-eval/828f8093932c8fe6ca7936c3d2e52903b1c523de/data/"
CLINC150_SHA256 = {
    "train": "0856ad7c64d62f91e954aeeda88ebdf3610ed0424d0800cd077d9505d17e1f32",
    "val": "77bede87c93623d68da94ef400bcfcde38271a5f5545b39c8c90ab2056413fe8",
    "test": "eef7b4310742db442b538e59075834ad8de678cdc899d227483f26bde3557232",
    "oos_test": "2b112f0d9d1eb832dec813a948ad4e3cea8f73c2cd757eae3a4708283741c93d",
}
"""Split → sha256 of the file that the conversion must produce."""
TLDR_URL = "https://github.com/tldr-pages/tldr.git"
TLDR_COMMIT = "08e345f42639f67d99282813247ac670dc6e87cb"
TLDR_PAIRS = 40
"""Authors with fewer pairs are left out."""
DOWNLOAD_SECONDS = 60.0


def fetch(kind: str, folder: Path) -> Path:
    """Get `clinc150` or `tldr` into a new or empty folder; returns it. Raises ContributionError."""
    refuse_filled(kind, folder)
    return fetch_clinc150(folder) if kind == "clinc150" else fetch_tldr(folder)


def refuse_filled(kind: str, folder: Path) -> None:
    """Raise ContributionError where `fetch` would; uses no network."""
    if kind not in ("clinc150", "tldr"):
        raise ContributionError(f"unknown dataset {kind!r}; clinc150 and tldr can be fetched")
    _refuse_filled(folder.resolve())


def fetch_clinc150(folder: Path, url: str = CLINC150_URL) -> Path:
    """Download two JSON files, join labels with their domains, check the sha256 of every file written."""

    def fill(folder: Path) -> None:
        full, domains = (_download(url + name) for name in ("data_full.json", "domains.json"))
        domain_of = {label: domain for domain, labels in domains.items() for label in labels}
        for split, expected in CLINC150_SHA256.items():
            rows = [_joined(text, label, domain_of) for text, label in full[split]]
            content = write_jsonl(folder / f"{split}.jsonl", rows).read_bytes()
            found = hashlib.sha256(content).hexdigest()
            if found != expected:
                raise IntegrityError(
                    f"{url}: {split}.jsonl made from it has sha256 {found}, expected {expected}; "
                    "the download is not the published dataset; try again later"
                )

    return _fill(folder, fill)


def fetch_tldr(folder: Path, url: str = TLDR_URL, commit: str = TLDR_COMMIT, least_pairs: int = TLDR_PAIRS) -> Path:
    """Clone the pages with their history and write `pairs.jsonl`.

    Git itself is the check: a commit id is a hash of the commit's whole content and history.
    """

    def fill(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".clone-") as clone:
            tldr_git.clone(url, commit, Path(clone))
            write_jsonl(folder / "pairs.jsonl", tldr_git.pairs(Path(clone), commit, least_pairs))

    return _fill(folder, fill)


def _joined(text: str, label: str, domain_of: dict[str, str]) -> dict[str, str]:
    # Rows out of scope have the label "oos", which belongs to no domain.
    row = {"text": text, "label": label}
    return row | {"domain": domain_of[label]} if label in domain_of else row


def _download(url: str) -> Any:
    try:
        with urlopen(url, timeout=DOWNLOAD_SECONDS) as response:
            return parse_json(response.read())
    except (URLError, TimeoutError) as error:
        raise ContributionError(f"{url}: cannot be downloaded ({error}); check the network and try again") from error
    except ValueError as error:
        raise IntegrityError(f"{url}: expected a JSON file, found something else ({error})") from error


def _refuse_filled(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ContributionError(f"{folder} is not empty; give a new folder")


def _fill(folder: Path, fill: Callable[[Path], None]) -> Path:
    folder = folder.resolve()
    _refuse_filled(folder)
    with making(folder) as beside:
        fill(beside)
    return folder
