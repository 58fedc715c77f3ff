"""Where ``.../events`` of one route is the name of a thing for another: a space may be called ``events``.

The literal path goes before the one with a parameter. So that the thing can still be reached, everything but
a request that names event streams takes the way it would have taken without them."""

import re
from collections.abc import Mapping

from actors.messages import Answer
from gateway.endpoint import Endpoint
from gateway.exchange import Exchange
from gateway.negotiation import EVENT_STREAM
from gateway.queries import wants
from gateway.router import Router

_PARAMETER = re.compile(r"\{[^}]*\}")


class Detour:
    """An endpoint at a path of another shape: its parameters are those of the path, or literal parts."""

    def __init__(
        self, endpoint: Endpoint, parameters: tuple[str | int, ...], stream: Endpoint | None
    ) -> None:
        """``parameters``: the numbers of the path's own, and texts; ``stream`` answers who wants events."""
        self._endpoint = endpoint
        self._parameters = parameters
        self._stream = stream
        self.limited = endpoint.limited
        self.media_types = endpoint.media_types + (stream.media_types if stream is not None else ())
        self.recorder = endpoint.recorder

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        if self._stream is not None and wants(exchange, EVENT_STREAM):
            exchange.endpoint = self._stream
            self._stream.handle(exchange, parameters, query)
            return
        theirs = tuple(parameters[one] if isinstance(one, int) else one for one in self._parameters)
        exchange.endpoint = self._endpoint
        self._endpoint.handle(exchange, theirs, query)

    def finish(self, exchange: Exchange, answer: Answer) -> None:
        raise TypeError("a detour hands the exchange on")


def at_events(router: Router[Endpoint], template: str, stream: Endpoint) -> Mapping[str, Endpoint]:
    """What is to answer at ``template`` by method, where ``stream`` follows what is there."""
    names = iter(range(len(_PARAMETER.findall(template))))
    marked = _PARAMETER.sub(lambda _: f"parameter-{next(names)}", template)
    found = router.find(marked)
    if found is None:
        return {"GET": stream}
    numbers = {f"parameter-{number}": number for number in range(len(_PARAMETER.findall(template)))}
    parameters = tuple(numbers.get(one, one) for one in found.parameters)
    detours: dict[str, Endpoint] = {
        method: Detour(endpoint, parameters, stream if method == "GET" else None)
        for method, endpoint in found.endpoints.items()
    }
    return {"GET": stream, **detours}
