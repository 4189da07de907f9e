"""Whether a message of ISO 20022 keeps to its schema, by the constraints that pyiso20022's classes carry from it.

The classes are generated from the schema and keep every facet (length, pattern, digits, occurrence) as metadata of
their fields, but nothing checks them when a message is built or written.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from decimal import Decimal
from typing import Any

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry."""


def schema_faults(message: Any) -> list[str]:
    """What its schema would refuse in a message of xsdata's classes, each with its path; repeats no text of it."""
    return list(_element(message, type(message).__name__))


def _element(element: Any, path: str) -> Iterator[str]:
    given = 0
    for field in fields(element):
        value = getattr(element, field.name)
        values = value if isinstance(value, list) else [] if value is None else [value]
        where = f"{path}/{field.metadata.get('name', field.name)}"
        given += bool(values)
        yield from (f"{where}: {fault}" for fault in _occurrence(field, len(values)))
        for item in values:
            if is_dataclass(item):
                yield from _element(item, where)
            else:
                yield from (f"{where}: {fault}" for fault in _facets(item, field.metadata))
    # ISO 20022 names every choice so; its class has one optional field per alternative.
    if type(element).__name__.endswith("Choice") and given != 1:
        yield f"{path}: {given} alternatives of a choice, expected 1"


def _occurrence(field: Field[Any], count: int) -> Iterator[str]:
    least = max(int(field.metadata.get("required", False)), field.metadata.get("min_occurs", 0))
    most = field.metadata.get("max_occurs", max(least, count))
    if not least <= count <= most:
        yield f"{count} of it, expected {least} to {most}"


def _facets(value: Any, facets: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(value, str):
        if _NO_XML.search(value):
            yield "a character that XML cannot carry"
        if not facets.get("min_length", 0) <= len(value) <= facets.get("max_length", len(value)):
            yield f"{len(value)} characters, expected {facets.get('min_length', 0)} to {facets.get('max_length')}"
        if "pattern" in facets and not re.fullmatch(facets["pattern"], value):
            yield f"does not match {facets['pattern']}"
    if isinstance(value, Decimal):
        digits, exponent = len(value.as_tuple().digits), -int(value.as_tuple().exponent)
        if digits > facets.get("total_digits", digits) or exponent > facets.get("fraction_digits", exponent):
            yield f"{digits} digits, {exponent} after the point, which are too many"
        if value < facets.get("min_inclusive", value):
            yield f"less than {facets['min_inclusive']}"
