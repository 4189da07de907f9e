"""A table of payees, `contributor,name,iban,bic`: it is taken as a whole, or not at all where a line is faulty."""

import csv
import io
from pathlib import Path

from tribute.contributions.intake.submissions import check_id
from tribute.contributions.rights.payees import payee_faults
from tribute.contributions.rights.vault import People
from tribute.errors import ContributionError, RegistryError
from tribute.formatting import counted

CONTRIBUTOR = "contributor"
DETAILS = ("name", "iban", "bic")


def read_payees(path: Path) -> People:
    """Contributor → the details that the file gives; an empty cell gives none.

    CSV in UTF-8 with a header, separated by commas, semicolons or tabs; `contributor` and at least one of `name`,
    `iban` and `bic` are its columns. Raises RegistryError that names every faulty line, and repeats no detail.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RegistryError(f"{path}: not UTF-8 (byte {error.start}); save it as CSV in UTF-8") from error
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    people: People = {}
    faults: list[str] = []
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        _check_header(path, header)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                faults += [f"line {reader.line_num}: {fault}" for fault in _line(cells, header, people)]
    except csv.Error as error:
        raise RegistryError(f"{path}: line {reader.line_num}: {error}; nothing was imported") from error
    if faults:
        raise RegistryError(f"{path}: {counted(len(faults), 'fault')}, nothing was imported: {'; '.join(faults)}")
    if not people:
        raise RegistryError(f"{path}: holds no payee, only the header; give one line per payee")
    return people


def _check_header(path: Path, header: list[str]) -> None:
    expected = f"{CONTRIBUTOR} and some of {', '.join(DETAILS)}"
    if CONTRIBUTOR not in header or len(header) < 2:
        raise RegistryError(f"{path}: columns {', '.join(header) or 'none'}; expected {expected}")
    if unknown := sorted({*header} - {CONTRIBUTOR, *DETAILS}):
        raise RegistryError(f"{path}: unknown columns {', '.join(map(repr, unknown))}; expected {expected}")
    if len({*header}) < len(header):
        raise RegistryError(f"{path}: a column stands twice in {', '.join(header)}; give each once")


def _line(cells: list[str], header: list[str], people: People) -> list[str]:
    """The faults of one line; a good one is added to `people`."""
    if len(cells) != len(header):
        return [f"{len(cells)} fields, the header has {len(header)}; quote a field that holds the separator"]
    details = dict(zip(header, cells, strict=True))
    contributor = details.pop(CONTRIBUTOR).strip()
    details = {key: value for key, value in details.items() if value}
    faults = payee_faults(details)
    try:
        check_id(contributor, "contributor")
    except ContributionError as error:
        faults.insert(0, str(error))
    if contributor in people:
        faults.append(f"{contributor} stands in the file twice")
    people[contributor] = details
    return faults
