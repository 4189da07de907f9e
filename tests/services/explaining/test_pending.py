"""Retrieved rows in receipts are found again as their contributors'."""

from tests.services.helpers.market import market
from tribute.services.explaining import Retrieved, retrieved_of
from tribute.services.meter import STEPS, masked


def test_retrieved_rows_are_their_contributors_again(url):
    """Credits of rows of one contributor add up; rows that were only shown count nothing."""
    with market(url) as shop:
        mask = shop.meter.texts.mask("acme")
        credits = (("ada", "0.5", "nats"), ("ada", "0.25", "nats"), ("bob", "-0.125", "nats"), ("cyd", None, None))
        lines = [
            {"rows": ["r:1"], "from": "docs@v1.0.0", "contributor": masked(mask, name), "credit": own, "unit": unit}
            for name, own, unit in credits
        ]
        lines.append({**lines[0], "credit": "0.75", "unit": "probability", "nats": "1.5"})
        told = shop.answer(shop.ask(shop.key()), retrieved=lines).receipt
        plain = shop.call(shop.key()).receipt
        found = retrieved_of(shop.store, [told, plain], [mask, mask], ["bob", "cyd", "ada"])

    eighth = STEPS // 8
    assert found == [Retrieved({"ada": 18 * eighth, "bob": -eighth}, 18 * eighth), Retrieved({}, 0)]
