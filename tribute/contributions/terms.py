"""What a contributor allows to be done with a contribution, and until when."""

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from tribute.errors import ContributionError
from tribute.settings import Strict, read_yaml, validate

Purpose = Literal["fine-tuning", "evaluation", "research", "retrieval"]
LEARNING: Purpose = "fine-tuning"
RETRIEVING: Purpose = "retrieval"
"""To show the rows' text in answers: a consent of its own, which a licence alone does not give."""


class Terms(Strict):
    """Consent to certain purposes. Without terms the licence alone says what is allowed."""

    consent: Annotated[str, Field(pattern=r"\S")]
    """The text that the contributor agreed to."""
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1)] = (LEARNING,)
    """What the rows may be used for."""
    expires: date | None = None
    """The last day on which they may; None: no end."""

    def meta(self) -> dict[str, Any]:
        """As the registry keeps them, with the hash of the consent's text."""
        digest = hashlib.sha256(self.consent.encode()).hexdigest()
        return {**self.model_dump(mode="json"), "consent_sha256": digest}


def load_terms(path: Path) -> Terms:
    """Read a terms file. Raises ConfigError listing every fault."""
    return validate(Terms, read_yaml(path), path)


def refuse_expired(terms: Terms, today: date) -> None:
    """Raise ContributionError for terms that have ended."""
    if terms.expires is not None and terms.expires < today:
        raise ContributionError(
            f"the terms expired on {terms.expires}; today is {today} (UTC). "
            "Ask the contributor for terms that still hold"
        )


def refusal(terms: Mapping[str, Any] | None, today: date, purpose: Purpose = LEARNING) -> str:
    """Why rows under these terms may not be used for a purpose today; empty where they may."""
    if terms is None:
        return "" if purpose != RETRIEVING else f"it has no terms, and {purpose} needs some that name it"
    if purpose not in terms["purposes"]:
        return f"its terms allow {', '.join(terms['purposes']) or 'nothing'}, not {purpose}"
    if terms["expires"] is not None and date.fromisoformat(terms["expires"]) < today:
        return f"its terms expired on {terms['expires']}"
    return ""
