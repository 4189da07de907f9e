"""The thresholds by which a dataset's rows are screened. Stored in the registry as `datasets/<name>/screening.yaml`."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from tribute.settings import Strict, read_yaml, validate

Share = Annotated[float, Field(gt=0, le=1)]


class ScreeningPolicy(Strict):
    """One threshold per check; null turns a check off.

    Exact duplicates, conflicting labels and rows near the evaluation are always looked for.
    """

    near_duplicate: Share | None = 1.0
    """Rows at least this close to an earlier row of another contributor, with the same target, wait for a person.

    Jaccard similarity of the sets of words of the normalised texts (causal-lm: of prompt and response).
    """
    following: Share | None = 0.15
    """If more rows of a contribution follow a row of others, or of the evaluation, than chance explains, it waits.

    Or are joined from two of them. The share of honest rows that do either; each by a binomial test at 0.001.
    """
    evaluation_hits: Annotated[int, Field(ge=0)] | None = None
    """If more than this many of a contributor's rows are near the evaluation, all its rows wait for review."""
    sealed_later: bool | None = None
    """Rows that came in after the evaluation was sealed are out until it is sealed anew, with rows that are all new.

    Credit then comes only from evaluation rows that nobody who contributed could have seen, whatever leaks later. Rows
    near the evaluation of an earlier version are out, too.
    """
    harm_share: Annotated[float, Field(gt=0, le=0.5)] | None = None
    """Groups of rows that a model is worse with, surely, are left out of the training that pays.

    The part of the evaluation that finds them; it pays nobody. For datasets with labels.
    """
    paraphrase: Share | None = 0.9
    """Rows at least this close in meaning to an earlier row of another contributor are flagged.

    Cosine of sentence embeddings; looked for only where an encoder is at hand.
    """
    personal_data: bool | None = True
    """Rows with an e-mail address, phone number, IBAN or payment card number wait for a person."""
    secrets: bool | None = True
    """Rows with a private key, password in a URL or a service's access key wait for a person."""
    language: Share | None = 0.95
    """Rows that are in none of the schema's languages with at least this certainty wait for a person."""
    length: Annotated[float, Field(gt=0)] | None = 6.0
    """Rows wait whose log length lies this many robust standard deviations (1.4826 · MAD) from the dataset's median."""
    compressibility: Share | None = 0.25
    """Rows of 100 bytes or more wait that zlib packs to at most this share of their size: they repeat themselves."""
    label_neighbours: Share | None = 0.9
    """Rows are flagged where at least this share of their ten nearest neighbours by embedding has one other label."""

    def to_yaml(self) -> str:
        """The text of `screening.yaml`."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


BASIC = ScreeningPolicy(
    near_duplicate=None,
    following=None,
    paraphrase=None,
    personal_data=None,
    secrets=None,
    language=None,
    length=None,
    compressibility=None,
    label_neighbours=None,
)
"""The policy of a dataset for which none was set."""


def load_policy(path: Path) -> ScreeningPolicy:
    """Read a policy file. Raises ConfigError listing every fault."""
    return validate(ScreeningPolicy, read_yaml(path), path)
