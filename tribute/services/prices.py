"""Price lists: signed, versioned, in integers of 10⁻⁶ of the currency's unit. A model without a price is not for sale.

The registry's key signs a list; versions are 1, 2, 3 … and a published list never changes, so a receipt that names a
version names a price.
"""

from collections.abc import Collection
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy import func, select

from tribute.digests import canonical
from tribute.dsse import Envelope, envelope, pae
from tribute.errors import RewardError, ServiceError
from tribute.keys import Key, public_half, sign
from tribute.money import exponent
from tribute.services.accounts import MOST
from tribute.services.store import Store, tables

PAYLOAD_TYPE = "application/vnd.tribute.price-list.v1+json"
TOKENS = 1000
"""The number of tokens that a price per token is for."""

Micro = Annotated[int, Field(strict=True, ge=0, le=MOST)]
_FORM = ConfigDict(frozen=True, extra="forbid", strict=True)


class Price(BaseModel):
    """What a model costs: a part per request, and parts per thousand tokens read and written."""

    model_config = _FORM
    request: Micro = 0
    input: Micro = 0
    output: Micro = 0


class PriceList(BaseModel):
    """All prices at a time. A model is priced by its full name, or by the part before `@` for all its versions."""

    model_config = _FORM
    version: Annotated[int, Field(strict=True, ge=1)]
    currency: str
    models: dict[str, Price]

    @field_validator("currency")
    @classmethod
    def _known(cls, currency: str) -> str:
        try:
            exponent(currency)
        except RewardError as error:
            raise ValueError(str(error)) from error
        return currency

    def cost(self, model: str, input_tokens: int, output_tokens: int) -> int:
        """What a call costs; a part of a unit of 10⁻⁶ counts as a whole one. Raises ServiceError.

        404 for a model without a price, 422 for tokens that cannot be or cost more than any amount may be.
        """
        price = self.models.get(model) or self.models.get(model.partition("@")[0])
        if price is None:
            raise ServiceError(f"model {model!r} has no price in list {self.version}; ask for one that has", 404)
        if min(input_tokens, output_tokens) < 0:
            raise ServiceError(f"found {input_tokens} and {output_tokens} tokens, expected none below 0", 422)
        cost = price.request - (-(price.input * input_tokens + price.output * output_tokens) // TOKENS)
        if cost > MOST:
            raise ServiceError(f"a call of {input_tokens} and {output_tokens} tokens costs more than {MOST}", 422)
        return cost


def sign_prices(prices: PriceList, key: Key) -> bytes:
    """The list in its envelope, signed by the registry's key."""
    payload = canonical(prices.model_dump())
    return envelope(PAYLOAD_TYPE, payload, [(public_half(key), sign(key, pae(PAYLOAD_TYPE, payload)))])


def read_prices(content: bytes, registry: Collection[str]) -> PriceList:
    """A signed list. Raises IntegrityError unless a key of the registry (public halves) signed it."""
    payload = Envelope.parse(content, "price list").check_any(PAYLOAD_TYPE, registry, "price list")
    try:
        return PriceList.model_validate_json(payload)
    except ValidationError as error:
        raise ServiceError(f"price list: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}", 422) from error


_LATEST = select(func.max(tables.price.c.version))


class Prices:
    """The published lists of a store; `registry` has the public halves of the registry's keys."""

    def __init__(self, store: Store, registry: Collection[str]) -> None:
        self.store, self.registry = store, registry
        self._lists: dict[int, PriceList] = {}

    def publish(self, content: bytes) -> PriceList:
        """Publish a signed list, which is current from now on.

        Raises IntegrityError for another signature, ServiceError 409 unless its version follows on the current one.
        """
        prices = read_prices(content, self.registry)
        with self.store.writing() as connection:
            expected = connection.execute(select(func.coalesce(func.max(tables.price.c.version), 0) + 1)).scalar_one()
            new = self.store.insert(tables.price).values(version=prices.version, envelope=content)
            if prices.version != expected or not connection.execute(new.on_conflict_do_nothing()).rowcount:
                raise ServiceError(f"found a price list of version {prices.version}, expected {expected}", 409)
        return prices

    def current(self) -> PriceList:
        """The latest list. Raises ServiceError 503 where none is published."""
        with self.store.reading() as connection:
            version = connection.execute(_LATEST).scalar()
        if version is None:
            raise ServiceError("no price list is published yet; publish one", 503)
        return self.version(version)

    def version(self, version: int) -> PriceList:
        """A published list. Raises ServiceError 404."""
        if version not in self._lists:
            with self.store.reading() as connection:
                stored = select(tables.price.c.envelope).where(tables.price.c.version == version)
                content = connection.execute(stored).scalar()
            if content is None:
                raise ServiceError(f"price list {version} is unknown", 404)
            self._lists[version] = read_prices(content, self.registry)
        return self._lists[version]
