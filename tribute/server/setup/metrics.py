"""What a server counts for Prometheus: calls, tokens, money and seconds, by model, and never by payer."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        requests = ("tribute_requests", "Requests by path and HTTP status.", ("path", "status"))
        self.requests = Counter(*requests, registry=self._registry)
        settled = ("tribute_settled_calls", "Calls that were answered and charged.", ("model",))
        self.calls = Counter(*settled, registry=self._registry)
        tokens = ("tribute_tokens", "Tokens read and written.", ("model", "direction"))
        self.tokens = Counter(*tokens, registry=self._registry)
        micro = ("tribute_charged_micro", "Charged, in 10⁻⁶ of the currency's unit.", ("model", "currency"))
        self.micro = Counter(*micro, registry=self._registry)
        self.in_flight = Gauge("tribute_calls_in_flight", "Calls being answered.", registry=self._registry)
        seconds = ("tribute_request_seconds", "Seconds until a response ended.", ("path",))
        self.seconds = Histogram(*seconds, registry=self._registry, buckets=SECONDS)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
