"""Decimals, days and parts as a policy writes them: exact, and refused in words where they are not."""

import re
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _exact_decimal(value: Any, field: ValidationInfo) -> Any:
    if isinstance(value, int | float):
        raise ValueError(f'{value} is a number; write it in quotes, {field.field_name}: "{value}", to keep it exact')
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ValueError(f'found "{value}", expected 0 or more with at most 6 decimals, such as "1" or "1.96"')
    return value


def plain_day(value: Any) -> Any:
    """Neither a time, whose day depends on a time zone, nor a number, which would be read as seconds."""
    if value is None or type(value) is date or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError(f"found {value}, expected a day such as 2026-01-01, without time or time zone")


def check_whole(parts: Iterable[str]) -> None:
    """Raise ValueError unless the parts sum to exactly 1."""
    parts = list(parts)
    total = sum(map(Fraction, parts))
    if total != 1:
        raise ValueError(f"parts {' + '.join(parts)} sum to {float(total):.10g}, expected exactly 1")


Exact = Annotated[str, BeforeValidator(_exact_decimal)]
"""A decimal in quotes, so that no float touches it."""
