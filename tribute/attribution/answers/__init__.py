"""Which rows shaped one answer: the row index and `tribute explain`."""

from tribute.attribution.answers.damping import Damping
from tribute.attribution.answers.explain import Explanation, Question, explain_answer, parse_question
from tribute.attribution.answers.index_artifact import Removal, damping_of, index, picking_jobs, removals
from tribute.attribution.answers.lexical import shared_spans
from tribute.attribution.answers.page import nats, render

__all__ = [
    "Damping",
    "Explanation",
    "Question",
    "Removal",
    "damping_of",
    "explain_answer",
    "index",
    "nats",
    "parse_question",
    "picking_jobs",
    "removals",
    "render",
    "shared_spans",
]
