"""The meter: hold before a call, settle after it, correct later; every call is charged once or not at all."""

from tribute.services.meter.calls import Answer, Call, Hold, Settlement
from tribute.services.meter.corrections import add_addendum, refund
from tribute.services.meter.meter import Meter
from tribute.services.meter.reading import Usage, receipt_bundle, usage
from tribute.services.meter.texts import Texts
from tribute.services.meter.tie_out import tie_out

__all__ = [
    "Answer",
    "Call",
    "Hold",
    "Meter",
    "Settlement",
    "Texts",
    "Usage",
    "add_addendum",
    "receipt_bundle",
    "refund",
    "tie_out",
    "usage",
]
