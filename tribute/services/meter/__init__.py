"""The meter: hold before a call, settle after it, correct later; every call is charged once or not at all."""

from tribute.services.meter.agent_calls import Opening, end_call, open_call
from tribute.services.meter.calls import AT_ONCE, EXPLAIN, LATER, NEVER, Answer, Call, Hold, Pair, Settlement
from tribute.services.meter.corrections import (
    STEPS,
    Figures,
    Training,
    add_addendum,
    append_addendum,
    left_of,
    nats,
    refund,
)
from tribute.services.meter.meter import Meter
from tribute.services.meter.reading import Usage, bundle_of, receipt_bundle, usage
from tribute.services.meter.texts import Text, Texts, masked
from tribute.services.meter.tie_out import tie_out
from tribute.services.meter.tree import CallNode, CallTree, call_tree

__all__ = [
    "AT_ONCE",
    "EXPLAIN",
    "LATER",
    "NEVER",
    "STEPS",
    "Answer",
    "Call",
    "CallNode",
    "CallTree",
    "Figures",
    "Hold",
    "Meter",
    "Opening",
    "Pair",
    "Settlement",
    "Text",
    "Texts",
    "Training",
    "Usage",
    "add_addendum",
    "append_addendum",
    "bundle_of",
    "call_tree",
    "end_call",
    "left_of",
    "masked",
    "nats",
    "open_call",
    "receipt_bundle",
    "refund",
    "tie_out",
    "usage",
]
