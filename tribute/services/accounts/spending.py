"""Money on its way: reserved on the payer and on every key of a path, released, or spent.

Each is one UPDATE per row, the payer first, then the keys from the root down. The condition is in the UPDATE, so no
number of calls at once can pass a budget; the order is always the same, so no two transactions wait for each other.
A test key's calls never touch the payer's money.
"""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Case, Connection, Text, bindparam, case, update

from tribute.errors import ServiceError
from tribute.services.accounts.api_keys import check_valid, path_rows
from tribute.services.store import period_of, tables

_account, _key = tables.account.c, tables.key.c
_WINDOWS = ("day", "month")
_MICRO, _HELD = bindparam("_micro", type_=BigInteger), bindparam("_held", type_=BigInteger)
_ID, _NOW = bindparam("_id", type_=Text), bindparam("_now", type_=Text)


def _in_window() -> tuple[Case[int], Case[str]]:
    """SQL: what a key spent in the window of this time, and that window. A window that has begun never goes back."""
    window = case({name: bindparam(f"_{name}", type_=Text) for name in _WINDOWS}, value=_key.window, else_="")
    later = _key.period < window
    return case((later, 0), else_=_key.spent), case((later, window), else_=_key.period)


_SPENT, _PERIOD = _in_window()
# Statements are built once: building one takes longer than the database takes to do it.
_RESERVE_MONEY = (
    update(tables.account)
    .where(_account.id == _ID, _account.credit - _account.held - _account.spent >= _MICRO)
    .values(held=_account.held + _MICRO)
)
_RESERVE = (
    update(tables.key)
    .where(_key.id == _ID, _key.revoked.is_(None), _key.expires > _NOW, _key.call_cap >= _MICRO)
    .where(_key.held + _SPENT + _MICRO <= _key.budget)
    .values(held=_key.held + _MICRO, spent=_SPENT, period=_PERIOD)
)
_RELEASE_MONEY = update(tables.account).where(_account.id == _ID).values(held=_account.held - _MICRO)
_RELEASE = update(tables.key).where(_key.id == _ID).values(held=_key.held - _MICRO)
_SPEND_MONEY = (
    update(tables.account).where(_account.id == _ID).values(held=_account.held - _HELD, spent=_account.spent + _MICRO)
)
_SPEND = update(tables.key).where(_key.id == _ID).values(held=_key.held - _HELD, spent=_SPENT + _MICRO, period=_PERIOD)


def reserve(connection: Connection, path: Sequence[str], micro: int, now: str, payer: str | None) -> None:
    """Hold an amount on a path of keys, and on the payer's money unless it is None.

    Raises ServiceError, after which the transaction has to be rolled back: 401 where a key is revoked or ended, 402
    where a cap, a budget or the money does not suffice.
    """
    if payer is not None and not connection.execute(_RESERVE_MONEY, {"_id": payer, "_micro": micro}).rowcount:
        raise ServiceError(f"this call may cost {micro}, and the payer has less; top up", 402)
    for key_id in path:
        if not connection.execute(_RESERVE, {"_id": key_id, "_micro": micro, "_now": now} | _windows(now)).rowcount:
            check_valid(path_rows(connection, path), now)
            raise ServiceError(f"this call may cost {micro}, more than the cap or the rest of key {key_id} allows", 402)


def release(connection: Connection, path: Sequence[str], micro: int, payer: str | None) -> None:
    """Give back what was held: nothing is charged."""
    if payer is not None:
        connection.execute(_RELEASE_MONEY, {"_id": payer, "_micro": micro})
    for key_id in path:
        connection.execute(_RELEASE, {"_id": key_id, "_micro": micro})


def spend(connection: Connection, path: Sequence[str], held: int, micro: int, now: str, payer: str | None) -> None:
    """Charge `micro` of what was held and give back the rest; it counts in the window in which it is charged."""
    charged = {"_held": held, "_micro": micro}
    if payer is not None:
        connection.execute(_SPEND_MONEY, charged | {"_id": payer})
    for key_id in path:
        connection.execute(_SPEND, charged | {"_id": key_id} | _windows(now))


def _windows(now: str) -> dict[str, str]:
    return {f"_{name}": period_of(name, now) for name in _WINDOWS}
