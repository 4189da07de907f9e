"""The meter: hold before a call, settle after it, correct later; every call is charged once or not at all."""

from tribute.services.meter.agent_calls import Opening, end_call, open_call
from tribute.services.meter.calls import Answer, Call, Hold, Settlement
from tribute.services.meter.corrections import add_addendum, refund
from tribute.services.meter.meter import Meter
from tribute.services.meter.reading import Usage, receipt_bundle, usage
from tribute.services.meter.texts import Texts
from tribute.services.meter.tie_out import tie_out
from tribute.services.meter.tree import CallNode, CallTree, call_tree

__all__ = [
    "Answer",
    "Call",
    "CallNode",
    "CallTree",
    "Hold",
    "Meter",
    "Opening",
    "Settlement",
    "Texts",
    "Usage",
    "add_addendum",
    "call_tree",
    "end_call",
    "open_call",
    "receipt_bundle",
    "refund",
    "tie_out",
    "usage",
]
