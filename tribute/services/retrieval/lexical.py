"""BM25 over many texts, whose words are counted once. Knows nothing of rows."""

from collections.abc import Sequence

import numpy as np

K1, B = 1.2, 0.75
"""BM25's usual constants."""


class Bm25:
    """BM25 (Robertson & Zaragoza 2009) of each of `texts` for a query."""

    def __init__(self, texts: Sequence[str]) -> None:
        from scipy.sparse import csr_array
        from sklearn.feature_extraction.text import CountVectorizer

        self._words = CountVectorizer(token_pattern=r"(?u)\b\w+\b")
        # A word that no text has: scikit-learn refuses a vocabulary without words.
        counts = self._words.fit_transform([*texts, "empty"]).tocsr()[: len(texts)].tocoo()
        rarity = np.bincount(counts.col, minlength=counts.shape[1])
        rarity = np.log1p((len(texts) - rarity + 0.5) / (rarity + 0.5))
        length = np.bincount(counts.row, weights=counts.data, minlength=len(texts))
        long = K1 * (1 - B + B * length / max(length.mean(), 1)) if len(texts) else length
        weights = rarity[counts.col] * counts.data * (K1 + 1) / (counts.data + long[counts.row])
        self._weights = csr_array((weights, (counts.row, counts.col)), shape=counts.shape)

    def scores(self, query: str) -> np.ndarray:
        """Float64 [texts]; 0 where no word is shared."""
        asked = self._words.transform([query]).toarray()[0]
        return np.asarray(self._weights @ asked, dtype=np.float64)
