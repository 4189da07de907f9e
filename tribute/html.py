"""One Jinja environment for every page. Knows nothing of what a page shows.

Pages are self-contained: a template puts the shared `base.css` and its own style sheet inline, with `include`.
"""

from collections.abc import Callable
from functools import cache

import jinja2


@cache
def template(package: str, name: str, **filters: Callable[..., object]) -> jinja2.Template:
    """A template of a package, such as `tribute.report` and `report.html`, with filters of its own.

    All that it shows is escaped. A name that the caller did not pass is an error (jinja2.UndefinedError), never an
    empty text.
    """
    loaders = [jinja2.PackageLoader(package, ""), jinja2.PackageLoader("tribute", "assets")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(name)
