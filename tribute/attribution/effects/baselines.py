"""The simple scores that influence must beat: BM25, embedding similarity, gradient dot products."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tribute.attribution.gradients.capture import capture, stream_gradients
from tribute.finetuning.models.embeddings import embed_rows
from tribute.finetuning.preparation.preparation import Prepared

K1, B = 1.2, 0.75
"""BM25's usual constants."""


def gradient_dots(ready: Prepared, directions: Tensor) -> np.ndarray:
    """Each training row's gradient at the model's present parameters times each direction, [rows, directions]."""
    dots = np.zeros((len(ready.train), len(directions)))
    with capture(ready.model) as opened:
        for chunk in ready.train.chunks(range(len(ready.train))):
            products = torch.zeros(len(chunk), len(directions), device=directions.device)

            def score(name: str, part: slice, gradients: Tensor, products: Tensor = products) -> None:
                products[part] += gradients.flatten(1) @ directions[:, opened.places[name]].T

            stream_gradients(ready.model, opened, ready.train.collate(chunk), score)
            dots[list(chunk)] = products.double().cpu().numpy()
    return dots


def mean_bm25(texts: Sequence[str], queries: Sequence[str]) -> np.ndarray:
    """Mean BM25 score (Robertson & Zaragoza 2009) of each text over the queries, [texts]."""
    from sklearn.feature_extraction.text import CountVectorizer

    words = CountVectorizer(token_pattern=r"(?u)\b\w+\b")
    counts = words.fit_transform(texts).tocoo()
    asked = np.asarray(words.transform(queries).mean(axis=0)).ravel()
    holding = np.bincount(counts.col, minlength=counts.shape[1])
    rarity = np.log1p((len(texts) - holding + 0.5) / (holding + 0.5))
    length = np.bincount(counts.row, weights=counts.data, minlength=len(texts))
    long = K1 * (1 - B + B * length / length.mean())
    weight = rarity[counts.col] * asked[counts.col] * counts.data * (K1 + 1) / (counts.data + long[counts.row])
    return np.bincount(counts.row, weights=weight, minlength=len(texts))


def similarity(ready: Prepared) -> np.ndarray:
    """Mean cosine of each training row's embedding with the evaluation rows' before any training, [rows]."""
    train, evaluation = (embed_rows(ready.model.embed, rows) for rows in (ready.train, ready.evaluation))
    return np.asarray((train @ evaluation.mean(0)).numpy())
