"""Payers and their money, and the agents that they own. Knows nothing of keys, nor of where the money came from."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from tribute.errors import ServiceError
from tribute.ids import ID_IN_WORDS, is_id
from tribute.money import exponent
from tribute.services.store import Store, tables
from tribute.strict import parse_json

MILLION = 10**6
MOST = 10**15
"""The most that any single amount of 10⁻⁶ may be: JSON in RFC 8785 form has integers up to 2⁵³ - 1."""


@dataclass(frozen=True)
class Balance:
    """A payer's money in 10⁻⁶ of the currency's unit: what came in, what calls in flight hold, what was charged."""

    currency: str
    credit: int
    held: int
    spent: int

    @property
    def available(self) -> int:
        """What calls can still hold; below zero after a chargeback of money that was spent."""
        return self.credit - self.held - self.spent


@dataclass(frozen=True)
class Agent:
    """A program that asks models for others: who owns it, which models it may ask, and what it keeps.

    `models` are names as a key lists them, None for all; `margin` is in millionths of what the calls within its own
    cost.
    """

    id: str
    owner: str
    models: tuple[str, ...] | None = None
    margin: int = 0

    def allows(self, model: str) -> bool:
        """Whether the agent may call a model, by full name or the part before `@`."""
        return is_listed(model, self.models)


def is_listed(model: str, models: Sequence[str] | None) -> bool:
    """Whether models (None: all) have this one: its full name, or the part before `@`, which is all its versions."""
    return models is None or model in models or model.partition("@")[0] in models


class Accounts:
    """The payers and agents of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add_payer(self, payer: str, currency: str, *, affiliated: bool = False) -> None:
        """Add a payer without money. An affiliated payer's usage is metered and charged, and funds no pool.

        Raises ServiceError: 409 where the id is taken, 422 where it cannot be one; RewardError for a currency that
        is unknown.
        """
        exponent(currency)
        self._add(payer, {"kind": "payer", "currency": currency, "affiliated": affiliated})

    def add_agent(self, agent: Agent) -> None:
        """Add an agent that a payer owns.

        Raises ServiceError: 404 without that payer, 409 or 422 as for a payer, 422 for a margin that cannot be.
        """
        self.balance(agent.owner)
        if not 0 <= agent.margin <= MILLION:
            raise ServiceError(f"margin of {agent.margin}: expected 0 to {MILLION} millionths", 422)
        models = None if agent.models is None else json.dumps(agent.models)
        values = {"owner": agent.owner, "models": models, "margin": agent.margin}
        self._add(agent.id, {"kind": "agent", "affiliated": False, **values})

    def agent(self, agent: str) -> Agent:
        """A registered agent. Raises ServiceError 404."""
        with self.store.reading() as connection:
            return read_agent(connection, agent)

    def payers(self) -> list[str]:
        """The ids of all payers."""
        with self.store.reading() as connection:
            payers = select(tables.account.c.id).where(tables.account.c.kind == "payer")
            return [str(name) for name in connection.execute(payers.order_by(tables.account.c.id)).scalars()]

    def top_up(self, payer: str, entry: str, micro: int) -> bool:
        """Credit what an entry of the ledger says that a payer paid or earned, or, below zero, took back.

        Returns whether it was new: the same entry counts once, however often it is told. Raises ServiceError: 404
        without that payer, 409 where the entry counted with another payer or amount, 422 for an amount that cannot be.
        """
        if not 0 < abs(micro) <= MOST:
            raise ServiceError(f"top-up of {micro}: expected an amount of at most {MOST}, and not 0", 422)
        values = {"entry": entry, "account": payer, "micro": micro}
        with self.store.writing() as connection:
            # Locked before a row that refers to it, see `tables.hold`.
            _payer(connection, payer, lock=True)
            new = self.store.insert(tables.topup).values(time=self.store.now(), **values).on_conflict_do_nothing()
            if connection.execute(new).rowcount:
                credit = tables.account.c.credit + micro
                connection.execute(update(tables.account).where(tables.account.c.id == payer).values(credit=credit))
                return True
            [there] = connection.execute(select(tables.topup).where(tables.topup.c.entry == entry))
        if (there.account, there.micro) != (payer, micro):
            raise ServiceError(
                f"entry {entry} topped {there.account} up by {there.micro} already, now {payer} by {micro}", 409
            )
        return False

    def affiliate(self, payer: str) -> None:
        """Let what a payer uses from now on fund no pool. Raises ServiceError 404."""
        with self.store.writing() as connection:
            _payer(connection, payer)
            affiliate(connection, payer)

    def pays_from(self, payer: str, account: str) -> None:
        """Remember by its keyed hash a bank account that a payer pays from. Raises ServiceError 404."""
        new = self.store.insert(tables.bank_account).values(fingerprint=account, payer=payer).on_conflict_do_nothing()
        with self.store.writing() as connection:
            _payer(connection, payer)
            connection.execute(new)

    def affiliate_who_pay_from(self, accounts: Collection[str]) -> list[str]:
        """Affiliate the payers whose bank accounts have these keyed hashes: those who were not, sorted."""
        paying = select(tables.bank_account.c.payer).where(tables.bank_account.c.fingerprint.in_(accounts))
        row = tables.account.c
        affiliated = update(tables.account).where(row.id.in_(paying), ~row.affiliated).values(affiliated=True)
        with self.store.writing() as connection:
            return sorted(connection.execute(affiliated.returning(row.id)).scalars())

    def balance(self, payer: str) -> Balance:
        """A payer's money now. Raises ServiceError 404."""
        with self.store.reading() as connection:
            return _payer(connection, payer)

    def _add(self, account: str, values: dict[str, object]) -> None:
        if not is_id(account):
            raise ServiceError(f"account {account!r}: expected {ID_IN_WORDS}", 422)
        new = {"id": account, "credit": 0, "held": 0, "spent": 0, **values}
        with self.store.writing() as connection:
            if not connection.execute(self.store.insert(tables.account).values(new).on_conflict_do_nothing()).rowcount:
                raise ServiceError(f"account {account} is there already; choose another id", 409)


def read_agent(connection: Connection, agent: str) -> Agent:
    """A registered agent. Raises ServiceError 404."""
    is_agent = (tables.account.c.id == agent) & (tables.account.c.kind == "agent")
    # PostgreSQL's texts hold no zero byte, and asking for one would be an error.
    row = connection.execute(select(tables.account).where(is_agent)).one_or_none() if is_id(agent) else None
    if row is None:
        raise ServiceError(f"agent {agent!r} is unknown; add the agent first", 404)
    return Agent(row.id, row.owner, None if row.models is None else tuple(parse_json(row.models)), row.margin)


def _payer(connection: Connection, payer: str, *, lock: bool = False) -> Balance:
    is_payer = (tables.account.c.id == payer) & (tables.account.c.kind == "payer")
    stored = select(tables.account).where(is_payer)
    row = connection.execute(stored.with_for_update(key_share=True) if lock else stored).one_or_none()
    if row is None:
        raise ServiceError(f"payer {payer!r} is unknown; add the payer first", 404)
    return Balance(row.currency, row.credit, row.held, row.spent)


def need_account(connection: Connection, account: str, kind: str) -> None:
    """Raise ServiceError 404 unless there is an account of this kind."""
    is_it = (tables.account.c.id == account) & (tables.account.c.kind == kind)
    if connection.execute(select(tables.account.c.id).where(is_it)).one_or_none() is None:
        raise ServiceError(f"{kind} {account!r} is unknown; add the {kind} first", 404)


def affiliate(connection: Connection, payer: str) -> None:
    """Let what a payer uses from now on fund no pool."""
    connection.execute(update(tables.account).where(tables.account.c.id == payer).values(affiliated=True))
