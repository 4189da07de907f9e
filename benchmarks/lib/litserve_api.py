"""A workspace's classifier under LitServe, which batches what waits; for the Python that has it."""

from pathlib import Path
from typing import Any

import litserve
import torch

from lib.bare_classifier import BATCH, BareClassifier


class Api(litserve.LitAPI):
    """Some texts a request."""

    def __init__(self, root: Path) -> None:
        super().__init__(max_batch_size=BATCH, batch_timeout=0.002)
        self.root = root

    def setup(self, device: str) -> None:
        """Load the model in the worker."""
        torch.set_num_threads(1)
        self.bare = BareClassifier(self.root)

    def decode_request(self, request):  # an annotation would become a query parameter
        """The texts."""
        return request["input"]

    def predict(self, inputs: list[list[str]]) -> list[Any]:
        """The answers to all requests of a batch."""
        answers = iter(self.bare.predict([text for texts in inputs for text in texts]))
        return [[next(answers) for _ in texts] for texts in inputs]

    def encode_response(self, output: Any) -> Any:
        """As JSON."""
        return {"probs": output}


def serve(root: Path, port: int) -> None:
    """Serve until the process is killed."""
    # It looks for an MCP package of another version than Tribute's.
    litserve.server._MCP_AVAILABLE = False
    server = litserve.LitServer(Api(root), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")
