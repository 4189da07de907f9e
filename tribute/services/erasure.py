"""The usage store as a place that an erasure walks: of paid calls the texts that quote erased rows."""

import os
from collections.abc import Iterator
from typing import Any

from tribute.contributions.text_places import Erasure, TextPlace
from tribute.errors import ServiceError
from tribute.services.meter import Text
from tribute.services.opening import open_texts, store_url
from tribute.services.store import Store
from tribute.strict import parse_json
from tribute.workspace import Workspace

EVENT = b"data: {"


def erase_call_texts(workspace: Workspace, erasure: Erasure) -> list[str]:
    """Forget question and answer of every call in which one of them quotes a row; receipt and charge stay.

    Returns the receipts' ids. Raises ServiceError where the store is in a database that TRIBUTE_STORE does not name.
    """
    url = os.environ.get("TRIBUTE_STORE")
    if not erasure.texts or not (workspace.keys / "store.key").exists():
        return []
    if not url and not (workspace.root / "services" / "usage.db").exists():
        raise ServiceError("the usage store is not in the workspace; set TRIBUTE_STORE to its URL and erase again", 503)
    with Store.attach(store_url(workspace, url)) as store:
        return open_texts(workspace, store).forget_where(lambda text: _quotes(erasure, text))


def _quotes(erasure: Erasure, text: Text) -> bool:
    request = text.request.partition(b"\n")[2]
    bodies = (request, text.answer)
    return any(erasure.is_quoted_in(quote) for body in bodies for quote in _texts_of(body))


def _texts_of(body: bytes) -> Iterator[str]:
    """The texts of a body in JSON; those of a stream's events joined where they stand at the same place."""
    lines = body.splitlines() if body.startswith(EVENT) else [EVENT[:-1] + body]
    joined: dict[str, str] = {}
    for line in lines:
        if line.startswith(EVENT[:-1]):
            for place, text in _placed(_parsed(line[len(EVENT) - 1 :])):
                joined[place] = joined.get(place, "") + text
    yield from joined.values()


def _parsed(content: bytes) -> Any:
    """JSON as its value, anything else as it stands: what cannot be parsed may quote a row, too."""
    try:
        return parse_json(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")


def _placed(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """(Where it stands, text) of every text in a JSON value."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            yield from _placed(item, f"{place}/{name}")


PLACES = (TextPlace("calls", "questions and answers in the usage store, for retries", erase_call_texts),)
