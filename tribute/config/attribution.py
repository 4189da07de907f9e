"""How much is measured to attribute the improvement to rows."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from tribute.settings import Positive, Strict


class AttributionConfig(Strict):
    """In-run credit along the trainings and a probe, corrected and checked by retraining on parts of the rows."""

    sample: Positive = 256
    """Evaluation rows used for evaluation gradients, stratified by slice and fixed for all seeds."""
    validation: Literal["off", "quick", "full"] = "quick"
    """What the attribution card measures. `off`: seeds against each other. `quick`: also a few contributors left out
    by real retraining and planted controls. `full`: also random removals, coalitions and every contributor of
    size left out, some hundred trainings. Without a measurement the policy's gate does not pass."""
    budget: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Trainings (on all rows; smaller ones cost less) to spend on rate designs that correct the shares."""
    precision: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05
    """No more rate designs once what is not known of the shares, in standard deviations, sums to this."""
    proxy: bool = False
    """Retrain only the last layer, whatever the run itself adapts: cheaper, and the card says how well it ranks."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    """Coverage of the intervals on shares."""

    @field_validator("validation", mode="before")
    @classmethod
    def _off_is_a_word(cls, validation: Any) -> Any:
        return "off" if validation is False else validation  # YAML 1.1 reads a bare off as false
