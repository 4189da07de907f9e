"""What may be read: models, receipts, usage and budget with a key, and health, metrics and public keys without."""

import json
from base64 import b64decode, urlsafe_b64encode
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tribute.dsse import Envelope
from tribute.errors import ServiceError
from tribute.ids import is_id
from tribute.months import is_period
from tribute.server.reading.receipt_page import render
from tribute.server.requests.bodies import QuoteBody
from tribute.server.requests.problems import RequestError
from tribute.server.setup.setup import Services
from tribute.services.accounts import Accounts, Key
from tribute.services.catalogue import CatalogueEntry
from tribute.services.meter import receipt_bundle, usage
from tribute.services.seal import Proofs
from tribute.services.store import month_of
from tribute.strict import parse_json


def json_response(data: Any) -> Response:
    """An answer as JSON."""
    return Response(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"), media_type="application/json")


def models(services: Services, key: Key, _: Request) -> dict[str, Any]:
    """OpenAI's list of models: those that the key may call, with card and price."""
    entries = (entry for _, entry in sorted(services.catalogue.entries.items()))
    return {"object": "list", "data": [_shown(services, entry) for entry in entries if key.allows(entry.model.name)]}


def model(services: Services, key: Key, request: Request) -> dict[str, Any]:
    """One of them, by full name or alias. Raises ServiceError 404."""
    entry = services.catalogue.resolve(request.path_params["name"])
    if not key.allows(entry.model.name):
        raise ServiceError(f"key {key.id} may not call {entry.model.name}; ask for a key that may", 403)
    return _shown(services, entry)


def receipt(services: Services, key: Key, request: Request) -> dict[str, Any] | Response:
    """A receipt's bundle, as tools/verify_receipt.py reads it, with its salt while the texts are kept; or its page."""
    name = request.path_params["receipt"]
    if "text/html" in request.headers.get("accept", ""):
        return receipt_page(services, key, request)
    bundle: dict[str, Any] = dict(receipt_bundle(services.store, key, name))
    try:
        bundle["salt"] = services.meter.texts.open(name).salt.hex()
    except ServiceError as error:
        if error.status != 410:
            raise
    return bundle


def credits(services: Services, key: Key, request: Request) -> dict[str, Any]:
    """Who moved an answer: the retrieved rows with their credits, and the training's contributors, or `pending`."""
    name = request.path_params["receipt"]
    bundle = receipt_bundle(services.store, key, name)
    body = _payload(bundle["receipt"])
    training = _payload(bundle["addendum"])["training"] if "addendum" in bundle else body.get("training")
    return {"receipt": name, "retrieved": body.get("retrieved", []), "training": training}


def quote(services: Services, key: Key, body: QuoteBody) -> dict[str, Any]:
    """The most that a call may cost by the present price list, and whether the key has room for it."""
    entry = services.catalogue.resolve(body.model)
    if not key.allows(entry.model.name):
        raise ServiceError(f"key {key.id} may not call {entry.model.name}; ask for a key that may", 403)
    prices, tokens = services.prices.current(), len(services.engine.encode(entry.model.artifact, body.text))
    micro = prices.cost(entry.model.name, tokens, body.max_tokens)
    room = min(services.keys.remaining(key), key.limits.call_cap)
    price = {"micro": micro, "currency": prices.currency, "price_version": prices.version}
    return {"model": entry.model.name, "input_tokens": tokens, **price, "fits": micro <= room}


def statement(services: Services, key: Key, request: Request) -> dict[str, Any]:
    """A month's statement of the contributor whose key asks. Raises ServiceError 403 for other keys, 404."""
    month = request.path_params["month"]
    if key.contributor is None:
        raise ServiceError(f"key {key.id} is no contributor's; ask whoever issues keys for one", 403)
    if not is_period(month):
        raise RequestError(f"month: found {month[:20]!r}, expected one like 2026-11", param="month")
    path = services.workspace.statements / month / f"{key.contributor}.json"
    if not is_id(key.contributor) or not path.is_file():
        raise ServiceError(f"there is no statement of {month}; the operator writes it with `tribute statement`", 404)
    content: dict[str, Any] = parse_json(path.read_bytes())
    return content


def _payload(envelope: str) -> dict[str, Any]:
    content: dict[str, Any] = parse_json(Envelope.parse(envelope.encode(), "receipt").payload)
    return content


def receipt_page(services: Services, key: Key, request: Request) -> Response:
    """The same receipt as a page, with question and answer while they are kept."""
    name = request.path_params["receipt"]
    bundle = receipt_bundle(services.store, key, name)
    body = _payload(bundle["receipt"])
    training = _payload(bundle["addendum"])["training"] if "addendum" in bundle else body.get("training", "unpaid")
    try:
        kept = services.meter.texts.open(name)
        texts = [text.decode("utf-8", "replace") for text in (kept.request.partition(b"\n")[2], kept.answer)]
        shown = (texts[0], texts[1])
    except ServiceError as error:
        if error.status != 410:
            raise
        shown = None
    headers = {"Cache-Control": "no-store"}
    return Response(render(body, training, shown), media_type="text/html; charset=utf-8", headers=headers)


def proof(services: Services, key: Key, request: Request) -> dict[str, Any]:
    """`proof` and, if there is an addendum, `addendum_proof`: the ways to the root of the receipt's sealed month.

    Raises ServiceError 404 where the month is not sealed yet.
    """
    name = request.path_params["receipt"]
    bundle = receipt_bundle(services.store, key, name)
    month = _payload(bundle["receipt"])["month"]
    folder = services.workspace.usage / month
    if not folder.exists():
        raise ServiceError(f"{month} is not sealed yet; the proof exists when it is", 404)
    proofs = proofs_of(folder)
    ways = {"proof": proofs(name), "addendum_proof": proofs(f"{name}-addendum")}
    return {kind: way for kind, way in ways.items() if way is not None}


@lru_cache(maxsize=2)
def proofs_of(folder: Path) -> Proofs:
    """The proofs of a sealed month, which never changes."""
    return Proofs(folder)


def usage_of_key(services: Services, key: Key, request: Request) -> dict[str, Any]:
    """A month's usage of the key and of those below it, per model. Amounts in 10⁻⁶ of the unit."""
    month = request.query_params.get("month", month_of(services.store.now()))
    if not is_period(month):
        raise RequestError(f"month: found {month[:20]!r}, expected one like 2026-11", param="month")
    lines = [vars(line) for line in usage(services.store, key, month)]
    return {"object": "list", "month": month, "data": lines, "micro": sum(line["micro"] for line in lines)}


def budget(services: Services, key: Key, _: Request) -> dict[str, Any]:
    """What the key can still spend; the payer's money where the key is a root key and not a test key."""
    limits = key.limits
    state: dict[str, Any] = {
        "key": key.id,
        "test": key.test,
        "budget": limits.budget,
        "window": limits.window,
        "remaining": services.keys.remaining(key),
        "call_cap": limits.call_cap,
        "expires": limits.expires,
        "models": limits.models,
    }
    if len(key.path) == 1 and not key.test:
        balance = Accounts(services.store).balance(key.payer)
        state |= {"currency": balance.currency, "credit": balance.credit, "available": balance.available}
    return state


def health(services: Services) -> Response:
    """200 while the store answers and a model is served, else 503; names what is not served."""
    served, refused = len(services.catalogue.entries), services.catalogue.refused
    try:
        with services.store.reading():
            pass
        status, words = (200, "ok") if served else (503, "no model is served")
    except ServiceError as error:
        status, words = 503, str(error)
    response = json_response({"status": words, "models": served, "refused": sorted(refused)})
    response.status_code = status
    return response


def metrics(services: Services) -> Response:
    """Prometheus' text format."""
    return Response(services.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def jwks(services: Services) -> Response:
    """The registry's public keys, and the serving key with its certificate, as RFC 8037 writes Ed25519 keys."""
    signer = services.signer
    keys = [_jwk(public, public) for public in services.registry_keys]
    serving = _jwk(signer.certificate.public, signer.id) | {"certificate": signer.content.decode()}
    return json_response({"keys": [*keys, serving]})


def _jwk(public: str, name: str) -> dict[str, str]:
    x = urlsafe_b64encode(b64decode(public)).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": name, "use": "sig", "alg": "EdDSA"}


def _shown(services: Services, entry: CatalogueEntry) -> dict[str, Any]:
    """A model as OpenAI's clients read it, with `root` and `parent` as vLLM has them."""
    return {
        "id": entry.model.name,
        "object": "model",
        "created": entry.created,
        "owned_by": "tribute",
        "root": entry.model.artifact,
        "parent": entry.base_name,
        "base": entry.model.base,
        "dataset": entry.tag,
        "task": entry.task,
        "labels": list(entry.labels),
        "card": entry.model.verdict,
        "champion": entry.champion,
        "max_model_len": entry.context,
        "price": _price(services, entry),
    }


def _price(services: Services, entry: CatalogueEntry) -> dict[str, Any] | None:
    """The price now, in 10⁻⁶ of the unit: per request, and per thousand tokens; None where there is none."""
    try:
        prices = services.prices.current()
    except ServiceError:
        return None
    price = prices.models.get(entry.model.name) or prices.models.get(entry.dataset)
    return None if price is None else {**price.model_dump(), "currency": prices.currency, "version": prices.version}
