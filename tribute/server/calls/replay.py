"""A receipt checked by its operator: signatures, its place in the sealed month, and the model run again on a text.

An answer that is drawn with a temperature and no seed comes out otherwise each time, and is not compared.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tribute.contributions.registry import Registry, verify_keys
from tribute.dsse import Envelope
from tribute.errors import IntegrityError, ServiceError
from tribute.merkle import leaf, proves
from tribute.server.calls import inference
from tribute.server.requests.bodies import ChatBody, CompletionBody, TextsBody, parse_body
from tribute.server.setup.models import load_served
from tribute.services.engines import LocalEngine
from tribute.services.meter import bundle_of
from tribute.services.opening import store_url
from tribute.services.receipts import ADDENDUM, KINDS, RECEIPT, read_certificate
from tribute.services.seal import Proofs
from tribute.services.store import Store
from tribute.strict import parse_json
from tribute.workspace import Workspace

TOLERANCE = 1e-3
"""By how much a probability may differ: another processor sums otherwise."""
ENDPOINTS: dict[str, tuple[Any, Any]] = {
    "list": (TextsBody, inference.classify),
    "text_completion": (CompletionBody, inference.complete),
    "chat.completion": (ChatBody, inference.chat),
}
"""`object` of an answer → how its request is read and answered."""


def verify_receipt(workspace: Workspace, receipt: str, url: str | None = None) -> list[str]:
    """What holds of a receipt, a sentence each. Raises IntegrityError, ServiceError 404 for an unknown receipt."""
    registry = verify_keys(Registry.open(workspace).snapshot().tree)
    with Store.attach(store_url(workspace, url)) as store:
        bundle = bundle_of(store, receipt)
    body = _checked(bundle, RECEIPT, "certificate", registry)
    checks = [f"receipt {receipt} is signed by a key that the registry certified for receipts"]
    if ADDENDUM in bundle:
        if _checked(bundle, ADDENDUM, "addendum_certificate", registry)["receipt"] != receipt:
            raise IntegrityError(f"{receipt}: its addendum is of another receipt; restore the store")
        checks.append("its addendum is, too")
    folder = workspace.usage / body["month"]
    return [*checks, _included(folder, receipt, bundle) if folder.exists() else f"{body['month']} is not sealed yet"]


def replay(workspace: Workspace, receipt: str, request: Path, answer: Path, url: str | None = None) -> list[str]:
    """Run the model of a receipt again on a request's body, and compare it with the answer that was received.

    Raises IntegrityError where they differ, ServiceError where the model, or such a request, cannot be run again.
    """
    with Store.attach(store_url(workspace, url)) as store:
        model = parse_json(Envelope.parse(bundle_of(store, receipt)[RECEIPT].encode(), RECEIPT).payload)["model"]
    given = parse_json(answer.read_bytes())
    if given.get("object") not in ENDPOINTS:
        raise ServiceError(
            f"{answer}: expected a whole answer of {', '.join(ENDPOINTS)}; of a stream there is none", 422
        )
    form, prepare = ENDPOINTS[given["object"]]
    body = parse_body(form, request.read_bytes())
    if getattr(body, "temperature", None) and getattr(body, "seed", None) is None:
        raise ServiceError("the answer was drawn with a temperature and without a seed, and comes out otherwise", 422)
    engine = LocalEngine()
    try:
        entry = load_served(workspace, engine, model["artifact"])
        work = prepare(engine, entry, body)
        again = work.answer(work, SimpleNamespace(id=receipt))[0]
    finally:
        engine.close()
    if _differ(given, again):
        raise IntegrityError(f"{model['name']} answers otherwise than {answer} says; it is not this receipt's answer")
    return [f"{model['name']}, run again, gives this answer"]


def _differ(given: dict[str, Any], again: dict[str, Any]) -> bool:
    """Whether two answers say something else: another label or text, or a probability that is too far off."""
    if "choices" in given:
        texts = [answer["choices"][0].get("text", answer["choices"][0].get("message")) for answer in (given, again)]
        return bool(texts[0] != texts[1])
    lines = list(zip(given["data"], again["data"], strict=False))
    if len(given["data"]) != len(again["data"]) or any(before["label"] != after["label"] for before, after in lines):
        return True
    probabilities = [pair for before, after in lines for pair in zip(before["probs"], after["probs"], strict=True)]
    return any(abs(before - after) > TOLERANCE for before, after in probabilities)


def _checked(bundle: Mapping[str, str], kind: str, signer: str, registry: Sequence[str]) -> dict[str, Any]:
    """What a signed record says. Raises IntegrityError unless a certified key signed it when and where it may."""
    certificate = read_certificate(bundle[signer].encode(), registry)
    envelope = Envelope.parse(bundle[kind].encode(), kind)
    body: dict[str, Any] = parse_json(envelope.check(KINDS[kind], certificate.public, kind))
    if not certificate.covers(body["time"]) or body["instance"] != certificate.instance:
        raise IntegrityError(f"{kind}: signed when or where its key may not sign")
    return body


def _included(folder: Path, receipt: str, bundle: Mapping[str, str]) -> str:
    """That a receipt, and its addendum, are under the root of their month. Raises IntegrityError."""
    proofs = Proofs(folder)
    for kind, name in ((RECEIPT, receipt), (ADDENDUM, f"{receipt}-{ADDENDUM}")):
        if kind not in bundle:
            continue
        way = proofs(name)
        payload = Envelope.parse(bundle[kind].encode(), kind).payload
        path = [bytes.fromhex(sibling) for sibling in way["path"]] if way else []
        if way is None or not proves(leaf(b"", payload), way["index"], way["size"], path, bytes.fromhex(way["root"])):
            raise IntegrityError(f"{folder}: {name} is not under its root; restore the folder or the store")
    return f"it is under the root {proofs.tree.root.hex()[:12]}… of {folder.name}"
