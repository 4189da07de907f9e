"""Licences as SPDX expressions: is one known, and does a dataset take it?"""

import re
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from tribute.errors import ContributionError

GNU = re.compile(r"\b((?:[AL]?GPL|GFDL)-[0-9](?:\.[0-9])*)(\+)?(?![-.\w+])")
"""The GNU licences' names before SPDX 3.0, which left open whether later versions are meant."""

NOT_FOR_SALE = re.compile(r"LicenseRef-|(?i:-NC(?![a-z])|non-?commercial)")
"""In the names of licences that forbid commercial use, or of which nothing is known."""


def canonical_licence(expression: str) -> str:
    """The SPDX expression in its canonical spelling. Raises ContributionError where SPDX knows none such."""
    try:
        return GNU.sub(_present_name, canonicalize_license_expression(expression))
    except InvalidLicenseExpression as error:
        raise ContributionError(
            f"unknown licence {expression!r}; expected an SPDX expression such as CC-BY-4.0 or MIT "
            "(https://spdx.org/licenses)"
        ) from error


def _present_name(deprecated: re.Match[str]) -> str:
    return f"{deprecated[1]}-or-later" if deprecated[2] else f"{deprecated[1]}-only"


def licence_reference(licence: str) -> str:
    """The address of a licence's text where SPDX has one; a compound expression or LicenseRef stands for itself."""
    is_listed = " " not in licence and not licence.startswith(("LicenseRef-", "DocumentRef-", "AdditionRef-"))
    return f"https://spdx.org/licenses/{licence}.html" if is_listed else licence


def check_licence(expression: str, allowed: tuple[str, ...], dataset: str) -> str:
    """The canonical expression, if the dataset takes it (`allowed` empty: any). Raises ContributionError."""
    licence = canonical_licence(expression)
    if allowed and licence not in allowed and not is_compatible(licence, allowed):
        raise ContributionError(f"licence {licence} is not one that dataset {dataset} takes: {', '.join(allowed)}")
    return licence


def is_compatible(licence: str, allowed: tuple[str, ...]) -> bool:
    """Does a canonical expression leave no obligation beyond the allowed ones? Of OR one side, of AND both must fit."""
    from license_expression import Licensing

    return _fits(Licensing().parse(licence), allowed)


def allows_sale(licence: str) -> bool:
    """Whether a canonical expression lets answers be sold: of OR one side has to, of AND both.

    A licence that is not SPDX's own (LicenseRef) says nothing that can be read here, so it does not.
    """
    from license_expression import Licensing

    return _sells(Licensing().parse(licence))


def _sells(node: Any) -> bool:
    kind = type(node).__name__
    if kind in ("OR", "AND"):
        parts = [_sells(part) for part in node.args]
        return any(parts) if kind == "OR" else all(parts)
    return not NOT_FOR_SALE.search(str(node))


def _fits(node: Any, allowed: tuple[str, ...]) -> bool:
    kind = type(node).__name__
    if kind == "OR":
        return any(_fits(part, allowed) for part in node.args)
    if kind == "AND":
        return all(_fits(part, allowed) for part in node.args)
    return str(node) in allowed
