"""LoRA fine-tuning on a dataset version, with a recorded trace that attribution can walk."""

ROOMS = (
    "ranks",
    "stopping",
    "children",
    "workers",
    "encoding",
    "models",
    "optimizers",
    "recording",
    "evaluation",
    "preparation",
    "training",
    "adapters",
    "tracking",
)
"""In order: each knows only those before it."""
