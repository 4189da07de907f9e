"""Customers of a demo: what they ask a served model over HTTP, and an agent whose budget runs out.

They know nothing but an address and a key, as any client does. Every call is named, so that customers who come a second
time, because the demo was interrupted, get the answers that they paid for and pay nothing.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus

import httpx

from tribute.errors import ServiceError
from tribute.progress import Progress, ignore

QUESTIONS = {
    "plotting": (
        "Draw a histogram with twenty bins and a legend",
        "Put two axes with a shared x scale into one figure",
        "Rotate the tick labels of a bar chart",
        "Save the figure as a PNG file with a transparent background",
        "Colour the markers of a scatter plot by a third column",
        "Add an arrow with a text to a point of the line",
    ),
    "statistics": (
        "Test whether two samples have the same mean",
        "Estimate the variance of a small sample",
        "Draw random numbers from a gamma distribution",
        "Compute the confidence interval of a proportion",
        "Fit a normal distribution by maximum likelihood",
        "Rank correlation of two lists of numbers",
    ),
    "symbolic mathematics": (
        "Simplify an expression with square roots",
        "Solve a quadratic equation for x and give both roots",
        "Differentiate the product of two functions",
        "Expand a polynomial and collect the powers of y",
        "Find the limit of a quotient at zero",
        "Factor an integer polynomial over the rationals",
    ),
    "neural networks": (
        "Apply dropout to the hidden layer during training",
        "Average the gradients over a batch before the optimizer's step",
        "A transformer block with eight attention heads",
        "Initialise the weights of a convolution",
        "Load a tokenizer and the weights of a pretrained model",
        "Cross entropy between logits and the target class",
    ),
    "databases": (
        "Join two tables on a foreign key",
        "Roll the transaction back when an insert fails",
        "Map a class to a table with a primary key",
        "Create an index on the column if there is none",
        "Stream the rows of a large query from the server",
        "Open a connection from the pool and close it",
    ),
    "networking": (
        "Send a POST request with a JSON body and a timeout",
        "Accept connections on a socket without blocking",
        "Keep a web socket open and answer its pings",
        "Follow redirects at most three times",
        "Read the headers of the response before its body",
        "Resolve the name of the host to its addresses",
    ),
}
"""Topic → what somebody wants to know. Written for the demo; no row that is trained on and none of the evaluation."""


@dataclass(frozen=True)
class Customer:
    """Who pays, for questions about which topics, and up to which budget; `agent` is who asks in the payer's place."""

    payer: str
    topics: tuple[str, ...]
    budget: str
    agent: str = ""
    model: str = "docs"

    @property
    def name(self) -> str:
        """How people call the customer."""
        return f"{self.agent}, for {self.payer}" if self.agent else self.payer

    @property
    def micro(self) -> int:
        """The budget in 10⁻⁶ of the currency's unit."""
        return int(Decimal(self.budget) * 10**6)

    @property
    def questions(self) -> list[str]:
        """What is asked, in order."""
        return [question for topic in self.topics for question in QUESTIONS[topic]]


CUSTOMERS = (
    Customer("acme", ("plotting", "statistics"), "20.00"),
    Customer("lab", ("symbolic mathematics", "neural networks"), "20.00"),
    Customer("acme", ("databases", "networking"), "1.00", agent="scout"),
)
AGENT_OWNER, AGENT_MARGIN = "maker", "0.05"
"""Who owns the agent, and what it keeps of what the calls within its own cost."""


@dataclass
class Visit:
    """What became of a customer's questions; `refusal` is what the server said when the budget had run out."""

    customer: Customer
    labels: list[str] = field(default_factory=list)
    micro: int = 0
    refusal: str = ""


def visit(client: httpx.Client, customer: Customer, month: str, progress: Progress = ignore) -> Visit:
    """Ask everything that a customer wants to know; `client` has the server's address and the customer's key.

    Raises ServiceError where the server refuses for another reason than money.
    """
    done, name = Visit(customer), f"{month}-{customer.agent or customer.payer}"
    if not customer.agent:
        done.micro = _ask(client, done, {}, name, progress)
        return done
    opened = client.post("/v1/calls", json={"micro": customer.micro}, headers={"Idempotency-Key": name})
    if _is_refused(opened, done):
        return done
    if opened.headers.get("Idempotent-Replayed"):
        done.micro = int(opened.headers["Tribute-Cost"])
        return done
    call = opened.json()["id"]
    _ask(client, done, {"Tribute-Parent": call}, name, progress)
    ended = client.post(f"/v1/calls/{call}/end", json={"answer": ", ".join(done.labels)})
    if not _is_refused(ended, done):
        done.micro = int(ended.headers["Tribute-Cost"])
    return done


def _ask(client: httpx.Client, done: Visit, headers: dict[str, str], name: str, progress: Progress) -> int:
    """Ask one question after the other until the money is gone; what the answers cost."""
    cost, questions = 0, done.customer.questions
    for number, question in enumerate(questions, 1):
        named = headers | {"Idempotency-Key": f"{name}-{number}"}
        body = {"model": done.customer.model, "input": question, "truncate_prompt_tokens": -1}
        answer = client.post("/classify", json=body, headers=named)
        if _is_refused(answer, done):
            break
        done.labels.append(answer.json()["data"][0]["label"])
        cost += int(answer.headers["Tribute-Cost"])
        progress(number, len(questions))
    return cost


def _is_refused(answer: httpx.Response, done: Visit) -> bool:
    """Whether the money does not suffice, which is noted. Raises ServiceError for any other refusal."""
    if answer.is_success:
        return False
    if answer.status_code != HTTPStatus.PAYMENT_REQUIRED:
        raise ServiceError(f"{answer.request.url} says {answer.status_code}: {answer.text[:300]}", answer.status_code)
    done.refusal = f"402: {answer.json()['error']['message']}"
    return True
