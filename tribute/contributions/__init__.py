"""Who contributed which rows, in which order, and which dataset version they became."""

ROOMS = (
    "licences",
    "terms",
    "schema",
    "rows",
    "intake",
    "screening",
    "registry",
    "releases",
    "rights",
    "sources",
    "cards",
)
"""In order: each knows only those before it."""
