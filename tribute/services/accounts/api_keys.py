"""API keys: issued, narrowed into sub-keys, recognised and revoked. Only a hash of the secret is stored.

A sub-key can do no more than its parent: its models are among the parent's, its budget at most what the parent has
left, its cap at most the parent's, its end not later. A call needs room in every key from the root down, so
sub-keys together never exceed their parent, and revoking or exhausting a key stops all below it at once.
"""

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, Text, bindparam, func, select, update

from tribute.errors import ServiceError
from tribute.services.accounts.accounts import MOST, affiliate, is_listed, need_account, read_agent
from tribute.services.store import Store, parse_time, period_of, tables
from tribute.strict import parse_json

LIVE, TEST = "tribute_sk_", "tribute_tk_"
"""What secrets begin with; test keys are metered and fund nothing."""
DEEPEST = 8
"""The most keys from a root to a sub-key: each is an update per call."""

Window = Literal["total", "month", "day"]
"""Over what a budget is counted: for ever, or anew each month or day in UTC."""
_SECRET = re.compile(rf"(?:{LIVE}|{TEST})[A-Za-z0-9_-]{{43}}")

# Built once, see spending.py.
_BY_SECRET = select(tables.key).where(tables.key.c.sha256 == bindparam("_sha256", type_=Text))
_ON_PATH = select(tables.key).where(tables.key.c.id.in_(bindparam("_path", type_=Text, expanding=True)))


@dataclass(frozen=True)
class Limits:
    """What a key may do. Amounts are in 10⁻⁶ of the currency's unit."""

    budget: int
    """The most that is charged in a window."""
    call_cap: int
    """The most that a single call may cost."""
    expires: str
    """When the key ends, as `as_text` writes it."""
    models: tuple[str, ...] | None = None
    """The models that may be called; None for all."""
    window: Window = "total"


@dataclass(frozen=True)
class Key:
    """A recognised key; `path` is the ids from the root key to this one."""

    id: str
    path: tuple[str, ...]
    payer: str
    agent: str | None
    test: bool
    limits: Limits
    contributor: str | None = None
    """The contributor whose statements the key may read."""

    def allows(self, model: str) -> bool:
        """Whether the key may call a model: its full name is listed, or the part before `@`, for all versions."""
        return is_listed(model, self.limits.models)


class Keys:
    """The keys of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def issue(
        self,
        payer: str,
        limits: Limits,
        *,
        agent: str | None = None,
        test: bool = False,
        contributor: str | None = None,
    ) -> tuple[str, Key]:
        """A new root key of a payer, and its secret, which is shown this once.

        Who holds the key of a contributor is that contributor, so the payer is affiliated from then on: its use funds
        no pool. Sub-keys read no contributor's statements. Raises ServiceError: 404 where payer or agent is unknown,
        422 where the limits cannot be.
        """
        with self.store.writing() as connection:
            need_account(connection, payer, "payer")
            if contributor is not None:
                affiliate(connection, payer)
            return self._issue(connection, Key("", (), payer, agent, test, limits, contributor))

    def narrow(self, parent: Key, limits: Limits, *, agent: str | None = None) -> tuple[str, Key]:
        """A new sub-key, and its secret; without an agent of its own it acts for its parent's.

        Raises ServiceError: 401 where the parent is revoked or has ended, 403 where the sub-key asks for more than
        the parent has, 404 for an unknown agent, 422 where the limits cannot be.
        """
        with self.store.writing() as connection:
            now = self.store.now()
            rows = path_rows(connection, parent.path)
            check_valid(rows, now)
            excess = _excess(rows, limits, now)
            if excess:
                raise ServiceError(f"a sub-key of {parent.id} cannot have {excess}; ask for less", 403)
            if len(parent.path) >= DEEPEST:
                raise ServiceError(f"{parent.id} is {DEEPEST} keys below its root; make the sub-key further up", 403)
            new = Key("", parent.path, parent.payer, agent or parent.agent, parent.test, limits)
            return self._issue(connection, new)

    def recognise(self, secret: str) -> Key:
        """The key with this secret. Raises ServiceError 401 where it is unknown, ended, or revoked up its path."""
        digest = sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        with self.store.reading() as connection:
            row = connection.execute(_BY_SECRET, {"_sha256": digest}).one_or_none()
            if row is None:
                shape = "no key is like this" if _SECRET.fullmatch(secret) else f"keys begin with {LIVE} or {TEST}"
                raise ServiceError(f"unknown API key ({shape}); ask whoever issued it", 401)
            key = _key(row)
            check_valid([row] if len(key.path) == 1 else path_rows(connection, key.path), self.store.now())
            return key

    def find(self, key_id: str) -> Key:
        """The key with this id, whether it is valid or not. Raises ServiceError 404."""
        with self.store.reading() as connection:
            row = connection.execute(select(tables.key).where(tables.key.c.id == key_id)).one_or_none()
        if row is None:
            raise ServiceError(f"key {key_id!r} is unknown", 404)
        return _key(row)

    def revoke(self, key_id: str) -> None:
        """End a key and all below it, for good; calls in flight are settled. Raises ServiceError 404."""
        with self.store.writing() as connection:
            time = func.coalesce(tables.key.c.revoked, self.store.now())
            done = connection.execute(update(tables.key).where(tables.key.c.id == key_id).values(revoked=time))
        if not done.rowcount:
            raise ServiceError(f"key {key_id!r} is unknown", 404)

    def remaining(self, key: Key) -> int:
        """What calls with this key can still hold: the least that any key on its path has left in its window."""
        with self.store.reading() as connection:
            return min(_left(row, self.store.now()) for row in path_rows(connection, key.path))

    def _issue(self, connection: Connection, draft: Key) -> tuple[str, Key]:
        """Store a key below the path of a draft without an id."""
        limits, key_id = draft.limits, f"key-{secrets.token_hex(8)}"
        _check_possible(limits)
        if draft.agent is not None:
            limits = _within_agent(connection, draft.agent, limits)
        secret = (TEST if draft.test else LIVE) + secrets.token_urlsafe(32)
        key = replace(draft, id=key_id, path=(*draft.path, key_id), limits=limits)
        values = {
            "id": key_id,
            "sha256": sha256(secret.encode()).hexdigest(),
            "path": "/".join(key.path),
            "payer": key.payer,
            "agent": key.agent,
            "contributor": key.contributor,
            "models": None if limits.models is None else json.dumps(limits.models),
            "budget": limits.budget,
            "window": limits.window,
            "period": period_of(limits.window, self.store.now()),
            "call_cap": limits.call_cap,
            "expires": limits.expires,
            "test": key.test,
            "held": 0,
            "spent": 0,
        }
        connection.execute(tables.key.insert().values(values))
        return secret, key


def path_rows(connection: Connection, path: Sequence[str]) -> list[Row[Any]]:
    """The rows of the keys on a path, root first."""
    rows = connection.execute(_ON_PATH, {"_path": list(path)})
    return sorted(rows, key=lambda row: len(row.path))


def check_valid(rows: Sequence[Row[Any]], now: str) -> None:
    """Raise ServiceError 401 where a key on the path is revoked or has ended."""
    for row in rows:
        which = "the API key" if row is rows[-1] else f"key {row.id}, which the API key is below of,"
        if row.revoked is not None:
            raise ServiceError(f"{which} was revoked at {row.revoked}; ask whoever issued it", 401)
        if row.expires <= now:
            raise ServiceError(f"{which} ended at {row.expires}; ask whoever issued it", 401)


def _key(row: Row[Any]) -> Key:
    models = None if row.models is None else tuple(parse_json(row.models))
    limits = Limits(row.budget, row.call_cap, row.expires, models, row.window)
    return Key(row.id, tuple(row.path.split("/")), row.payer, row.agent, row.test, limits, row.contributor)


def _left(row: Row[Any], now: str) -> int:
    """What a key has left in the window of this time."""
    spent = row.spent if row.period >= period_of(row.window, now) else 0
    return int(row.budget - row.held - spent)


def _excess(rows: Sequence[Row[Any]], limits: Limits, now: str) -> str:
    """What a sub-key asks for beyond its parent, in words; empty where it is less."""
    parent = _key(rows[-1]).limits
    left = min(_left(row, now) for row in rows)
    more = [
        (limits.budget > left, f"a budget of {limits.budget}, {left} are left"),
        (limits.call_cap > parent.call_cap, f"a cap of {limits.call_cap}, the parent's is {parent.call_cap}"),
        (limits.expires > parent.expires, f"its end at {limits.expires}, the parent's is {parent.expires}"),
        (
            parent.models is not None and not all(map(_key(rows[-1]).allows, limits.models or ["*"])),
            f"other models than {', '.join(parent.models or ())}",
        ),
    ]
    return "; ".join(words for exceeds, words in more if exceeds)


def _check_possible(limits: Limits) -> None:
    """Raise ServiceError 422 for limits that no key can have."""
    for name, amount in (("budget", limits.budget), ("call_cap", limits.call_cap)):
        if not isinstance(amount, int) or not 0 <= amount <= MOST:
            raise ServiceError(f"{name} {amount!r}: expected an integer from 0 to {MOST}", 422)
    if limits.window not in get_args(Window):
        raise ServiceError(f"window {limits.window!r}: expected one of {', '.join(get_args(Window))}", 422)
    try:
        parse_time(limits.expires)
    except (ValueError, TypeError) as error:
        raise ServiceError(
            f"expires {limits.expires!r}: expected a time like 2026-12-31T23:59:59.000000Z", 422
        ) from error


def check_path(connection: Connection, path: Sequence[str], now: str) -> None:
    """Raise ServiceError 401 where a key on the path is revoked or has ended."""
    check_valid(path_rows(connection, path), now)


def _within_agent(connection: Connection, agent_id: str, limits: Limits) -> Limits:
    """The limits with the agent's models where they name none. Raises ServiceError 403 for other models, 404."""
    agent = read_agent(connection, agent_id)
    if limits.models is None:
        return replace(limits, models=agent.models)
    others = [model for model in limits.models if not agent.allows(model)]
    if others:
        raise ServiceError(f"agent {agent_id} may not call {', '.join(others)}; ask for fewer models", 403)
    return limits
