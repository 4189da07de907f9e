"""Money on its way: reserved on the payer and on every key of a path, released, or spent.

Each is one UPDATE per row, the payer first, then the keys from the root down. The condition is in the UPDATE, so no
number of calls at once can pass a budget; the order is always the same, so no two transactions wait for each other.
A test key's calls never touch the payer's money.
"""

from collections.abc import Sequence

from sqlalchemy import Case, Connection, case, update

from tribute.errors import ServiceError
from tribute.services.accounts.api_keys import check_valid, path_rows
from tribute.services.store import period_of, tables

_account, _key = tables.account.c, tables.key.c


def reserve(connection: Connection, path: Sequence[str], micro: int, now: str, payer: str | None) -> None:
    """Hold an amount on a path of keys, and on the payer's money unless it is None.

    Raises ServiceError, after which the transaction has to be rolled back: 401 where a key is revoked or ended, 402
    where a cap, a budget or the money does not suffice.
    """
    if payer is not None:
        enough = _account.credit - _account.held - _account.spent >= micro
        taken = update(tables.account).where(_account.id == payer, enough).values(held=_account.held + micro)
        if not connection.execute(taken).rowcount:
            raise ServiceError(f"this call may cost {micro}, and the payer has less; top up", 402)
    for key_id in path:
        spent, period = _in_window(now)
        valid = _key.revoked.is_(None) & (_key.expires > now) & (_key.call_cap >= micro)
        taken = (
            update(tables.key)
            .where(_key.id == key_id, valid, _key.held + spent + micro <= _key.budget)
            .values(held=_key.held + micro, spent=spent, period=period)
        )
        if not connection.execute(taken).rowcount:
            check_valid(path_rows(connection, path), now)
            raise ServiceError(f"this call may cost {micro}, more than the cap or the rest of key {key_id} allows", 402)


def release(connection: Connection, path: Sequence[str], micro: int, payer: str | None) -> None:
    """Give back what was held: nothing is charged."""
    if payer is not None:
        connection.execute(update(tables.account).where(_account.id == payer).values(held=_account.held - micro))
    for key_id in path:
        connection.execute(update(tables.key).where(_key.id == key_id).values(held=_key.held - micro))


def spend(connection: Connection, path: Sequence[str], held: int, micro: int, now: str, payer: str | None) -> None:
    """Charge `micro` of what was held and give back the rest; it counts in the window in which it is charged."""
    if payer is not None:
        charged = {"held": _account.held - held, "spent": _account.spent + micro}
        connection.execute(update(tables.account).where(_account.id == payer).values(charged))
    for key_id in path:
        spent, period = _in_window(now)
        charged = {"held": _key.held - held, "spent": spent + micro, "period": period}
        connection.execute(update(tables.key).where(_key.id == key_id).values(charged))


def _in_window(now: str) -> tuple[Case[int], Case[str]]:
    """SQL: what a key spent in the window of this time, and that window. A window that has begun never goes back."""
    window = case({name: period_of(name, now) for name in ("day", "month")}, value=_key.window, else_="")
    later = _key.period < window
    return case((later, 0), else_=_key.spent), case((later, window), else_=_key.period)
