"""Which rows shaped one answer: the row index and `tribute explain`."""

from tribute.attribution.answers.damping import Damping
from tribute.attribution.answers.explain import Explanation, Question, explain_answer, parse_question
from tribute.attribution.answers.index_artifact import Removal, damping_of
from tribute.attribution.answers.page import nats, render

__all__ = [
    "Damping",
    "Explanation",
    "Question",
    "Removal",
    "damping_of",
    "explain_answer",
    "nats",
    "parse_question",
    "render",
]
