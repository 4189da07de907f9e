"""Which contributors are paid to one and the same: names of an organisation, and names with one bank account.

Tells who belongs together and nothing about anybody: a payee is called by the first of its contributors' ids.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from tribute.contributions.registry import read_identity
from tribute.contributions.rights.vault import People
from tribute.iban import normalise


def same_payees(tree: Mapping[str, bytes], people: People, contributors: Collection[str]) -> dict[str, str]:
    """Contributor → payee, of those among `contributors` whose payee has several of them.

    `tree` is the registry's; `people` are the vault's, or nobody where it is not at hand.
    """
    payees: list[set[str]] = []
    for group in _groups(tree, people):
        joined = [payee for payee in payees if payee & group]
        payees = [payee for payee in payees if not payee & group] + [group.union(*joined)]
    several = [names for payee in payees if len(names := sorted(payee & set(contributors))) > 1]
    return {name: names[0] for names in sorted(several) for name in names}


def _groups(tree: Mapping[str, bytes], people: People) -> Iterator[set[str]]:
    """Of several names each; most contributors' files name no member, and are not parsed."""
    for path in sorted(path for path in tree if path.startswith("contributors/") and b"members:" in tree[path]):
        name = Path(path).stem
        yield {name, *read_identity(tree, name).get("members", [])}
    accounts: dict[str, set[str]] = {}
    for name, details in people.items():
        if account := details.get("iban"):
            accounts.setdefault(account, set()).add(name)
    yield from (names for names in accounts.values() if len(names) > 1)


def account_holders(people: People, iban: str) -> list[str]:
    """The contributors who are paid to a bank account, sorted; the IBAN may be typed in any form."""
    return sorted(name for name, details in people.items() if details.get("iban") == normalise(iban))
