"""Pages of results whose sections are measured one by one."""

import re
from collections.abc import Sequence
from pathlib import Path


def put_section(page: Path, title: str, text: str, order: Sequence[str] = ()) -> None:
    """Write the section `## title` of a page in place of the one that is there, and leave the others as they are.

    Sections that `order` names come in this order, after those that it does not.
    """
    head, *parts = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}
    sections[title] = text.strip()
    names = sorted(sections, key=lambda name: order.index(name) if name in order else -1)
    page.write_text(head + "\n".join(f"## {name}\n\n{sections[name]}\n" for name in names), encoding="utf-8")
