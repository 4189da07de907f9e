"""Which rows and contributors improved the model, by how much, and how far the numbers can be trusted."""

ROOMS = (
    "measurement",
    "gradients",
    "retraining",
    "credit",
    "effects",
    "shares",
    "plan",
    "workload",
    "own_work",
    "card",
    "answers",
    "content",
    "combine",
)
"""In order: each knows only those before it."""
