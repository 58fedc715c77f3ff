"""Endpoints that tell commands to entities."""

from urllib.parse import quote

from actors.manifest import ContextManifest, path_parameters
from actors.messages import Absent, Accepted, Answer, Ask, Refused, Rejected, Shown
from actors.settings import GatewaySettings
from contexts.vocabulary import Command, CommandRoute
from gateway.body import BodyDecoder
from gateway.conditions import expected_version
from gateway.exchange import Exchange
from gateway.header_names import (
    CONTENT_ENCODING,
    CONTENT_TYPE,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    TRACEPARENT,
)
from gateway.idempotency import fingerprint, key_of, scoped
from gateway.identity import principal
from gateway.metrics import Recorder
from gateway.negotiation import JSON_ALONE, is_json
from gateway.problems import (
    INVALID_QUERY,
    PRECONDITION_FAILED,
    UNEXPECTED_BODY,
    UNSUPPORTED_ENCODING,
    UNSUPPORTED_MEDIA_TYPE,
    Refusal,
    refusal,
)
from gateway.regions import Region
from gateway.rejections import rejected
from gateway.responses import respond, versioned
from gateway.trace import trace_of


class CommandEndpoint:
    """One command route of a context."""

    limited = True
    media_types = JSON_ALONE

    def __init__(
        self, region: Region, manifest: ContextManifest, route: CommandRoute, settings: GatewaySettings
    ) -> None:
        self.route = route
        self.manifest = manifest
        self.aggregate = manifest.of_command(route.command)
        self.template = f"/{manifest.name}{route.path}"
        self.recorder = Recorder(route.method, self.template)
        aggregate = self.aggregate.name
        names = path_parameters(route.path)
        self.decoder = BodyDecoder(
            route.command, tuple(name for name in names if name != aggregate), settings.nesting
        )
        self.takes_body = route.method != "DELETE"
        if self.decoder.needs_body and not self.takes_body:
            raise ValueError(f"{route.method} {self.template} has no body to fill {route.command.__name__}")
        self._region = region
        self._identity = names.index(aggregate)
        self._only_identity = len(names) == 1
        self._creates = _Location(manifest.name, aggregate, route) if route.creates else None

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        if query:
            raise Refusal(INVALID_QUERY, "A command takes no query parameters.")
        body = exchange.body
        if body:
            self._check_body_headers(exchange)
        identity = self._identity
        filled = () if self._only_identity else parameters[:identity] + parameters[identity + 1 :]
        command = self.decoder.decode(body, filled)
        by = principal(exchange)
        ask = exchange.ask = Ask(
            self.aggregate.name, parameters[identity], command, exchange.deadline, exchange.reply, by
        )
        headers = exchange.message.headers
        if IDEMPOTENCY_KEY in headers:
            key = key_of(exchange.header(IDEMPOTENCY_KEY) or "")
            ask.key = scoped(key, by.subject, self.route.method, self.template, parameters)
            ask.fingerprint = fingerprint(command)
        if TRACEPARENT in headers:
            ask.trace = trace_of(headers[TRACEPARENT])
        if IF_MATCH in headers or IF_NONE_MATCH in headers:
            if_match = exchange.header(IF_MATCH)
            ask.expected = expected_version(if_match, exchange.header(IF_NONE_MATCH))
            if if_match is not None and ask.expected is None:
                self._tell_if_it_exists(exchange, ask)
                return
        self._region.tell(ask)

    def _check_body_headers(self, exchange: Exchange) -> None:
        if not self.takes_body:
            raise Refusal(UNEXPECTED_BODY)
        headers = exchange.message.headers
        kind = headers.get(CONTENT_TYPE)
        if kind != "application/json" and (kind is None or not is_json(kind)):
            raise Refusal(UNSUPPORTED_MEDIA_TYPE, headers=(("Accept-Post", "application/json"),))
        if CONTENT_ENCODING in headers:
            encoding = exchange.header(CONTENT_ENCODING) or ""
            if encoding.strip().lower() not in ("", "identity"):
                raise Refusal(UNSUPPORTED_ENCODING, headers=(("Accept-Encoding", "identity"),))

    def _tell_if_it_exists(self, exchange: Exchange, ask: Ask) -> None:
        """``If-Match: *``. Looking first is enough: an entity that exists never ceases to."""

        def found(answer: Answer) -> None:
            if isinstance(answer, Shown):
                self._region.tell(ask)
            elif isinstance(answer, Absent):
                exchange.refuse(Refusal(PRECONDITION_FAILED, "It does not exist."))
            else:
                self.finish(exchange, answer)

        self._region.tell(
            Ask(ask.aggregate, ask.id, None, ask.deadline, found, ask.by, part=lambda state: True)
        )

    def finish(self, exchange: Exchange, answer: Answer) -> None:
        if type(answer) is Accepted:
            self._accepted(exchange, answer)
        elif isinstance(answer, Rejected):
            headers = (("Idempotency-Replayed", "true"),) if answer.replayed else ()
            exchange.respond(rejected(answer.rejection, exchange.path, headers))
        elif isinstance(answer, Refused):
            exchange.refuse(refusal(answer))
        else:
            raise TypeError(f"a command was answered with {answer!r}")

    def _accepted(self, exchange: Exchange, answer: Accepted) -> None:
        created = self._creates is not None and answer.changed
        if not created and not answer.replayed:
            exchange.respond(versioned(answer.version, answer.body))
            return
        headers = [("ETag", f'"{answer.version}"')]
        if created:
            ask = exchange.ask
            assert self._creates is not None
            assert ask is not None
            assert ask.command is not None
            headers.append(("Location", self._creates.of(ask.id, ask.command)))
        if answer.replayed:
            headers.append(("Idempotency-Replayed", "true"))
        exchange.respond(respond(201 if created else 200, answer.body, headers=tuple(headers)))


class _Location:
    """Fills the path of what a command brought to life."""

    def __init__(self, context: str, aggregate: str, route: CommandRoute) -> None:
        assert route.creates is not None
        by_wire = {name: name for name in route.command.__struct_encode_fields__}
        by_wire.update(
            zip(route.command.__struct_encode_fields__, route.command.__struct_fields__, strict=True)
        )
        self._parts: list[tuple[bool, str]] = []
        for segment in f"/{context}{route.creates}"[1:].split("/"):
            if not segment.startswith("{"):
                self._parts.append((False, segment))
            elif segment[1:-1] == aggregate:
                self._parts.append((True, ""))
            else:
                self._parts.append((True, by_wire[segment[1:-1]]))

    def of(self, id: str, command: Command) -> str:
        path = ""
        for filled, text in self._parts:
            if not filled:
                path += "/" + text
                continue
            value = str(getattr(command, text)) if text else id
            path += "/" + (value if value.isascii() and value.isalnum() else quote(value, safe=""))
        return path
