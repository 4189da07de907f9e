"""The address to which a Prefect server sends messages, refused where no service answers to it."""

import os

from tribute.errors import WorkspaceError

ADDRESS = "TRIBUTE_NOTIFY"
"""An Apprise address: a chat webhook, json://host/path for any other, mailto://user:password@host for e-mail."""


def address_of_messages() -> str:
    """The address in TRIBUTE_NOTIFY, or "" where none is set.

    Raises WorkspaceError, without the address's secrets, where Apprise knows no service of this kind.
    """
    from apprise import Apprise

    address = os.environ.get(ADDRESS, "").strip()
    if address and not Apprise().add(address):
        kind = address.split("://", maxsplit=1)[0][:20]
        raise WorkspaceError(
            f"{ADDRESS}: found an address ({kind}://…) that Apprise does not take; expected a chat's webhook, "
            "json://HOST/PATH or mailto://USER:PASSWORD@HOST"
        )
    return address
