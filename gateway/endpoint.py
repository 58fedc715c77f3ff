"""What answers at a path and method."""

from typing import Protocol

from actors.messages import Answer
from gateway.exchange import Exchange
from gateway.metrics import Recorder


class Endpoint(Protocol):
    """Endpoints never block: what takes time is told to an actor or run in a task that they own."""

    @property
    def recorder(self) -> Recorder:
        """Counts this endpoint's answers."""

    @property
    def limited(self) -> bool:
        """Whether it counts towards the limit of requests in flight; probes do not."""

    @property
    def media_types(self) -> tuple[str, ...]:
        """The forms in which it may answer, beside problems."""

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        """Answer the exchange, now or later; raises Refusal to answer with a problem."""

    def finish(self, exchange: Exchange, answer: Answer) -> None:
        """Turn the actors' answer into the exchange's."""
