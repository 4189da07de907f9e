"""Answers that their payer wants explained at once: right after they are settled, one by one, beside the calls."""

from tribute.pipeline.usage.explain import Batch, add_all, explain_batch
from tribute.server.setup.setup import Services
from tribute.services.explaining import PendingAnswer
from tribute.services.meter import AT_ONCE, STEPS, Hold


def explain_soon(services: Services, held: Hold) -> None:
    """Explain a settled call in the background; what the server does not get to, `tribute usage explain` does."""
    answer = PendingAnswer(held.receipt, "", held.key.payer, held.call.model.artifact, AT_ONCE, 0)

    def work() -> None:
        try:
            batch = Batch(held.call.model.artifact, [(answer, STEPS)])
            url = services.store.engine.url.render_as_string(hide_password=False)
            add_all(services.meter, explain_batch(services.workspace, batch, url))
        except Exception as error:
            # The call is answered and paid; that nobody explained it yet is seen in its receipt.
            services.log.warning("%s could not be explained at once: %s", held.receipt, type(error).__name__)

    services.background.submit(work)
