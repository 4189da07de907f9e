"""Who contributed which rows, in which order, and which dataset version they became."""

ROOMS = (
    "licences",
    "terms",
    "schema",
    "normal_form",
    "word_sets",
    "conversations",
    "rows",
    "dataset",
    "text_places",
    "intake",
    "screening",
    "registry",
    "releases",
    "rights",
    "sources",
    "cards",
)
"""In order: each knows only those before it."""
