"""Between an ask of this process and its form on the wire.

Commands and rejections travel by class name and are looked up in the manifest of their context. A name or
fields of another release are told, never raised: two releases run side by side while one replaces the other.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from actors.fabric.envelope import Kind, WireAnswer, WireAsk, WirePrincipal
from actors.journal.codec import encode_event
from actors.manifest import ContextManifest
from actors.messages import Absent, Accepted, Answer, Ask, Reason, Refused, Rejected, Shown
from contexts.vocabulary import ANONYMOUS, Aggregate, Command, Event, Get, Principal, Rejection, Value

PATIENCE = 3_600_000
"""Milliseconds a deadline may be away at most."""

_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Aggregate:
    """What may be asked of one aggregate and how it may say no."""

    def __init__(
        self, commands: Mapping[str, type[Command]], rejections: Mapping[str, type[Rejection]]
    ) -> None:
        self.commands = {name: msgspec.msgpack.Decoder(kind).decode for name, kind in commands.items()}
        self.rejections = {name: msgspec.msgpack.Decoder(kind).decode for name, kind in rejections.items()}
        self.parts: dict[str, Callable[..., Any]] = {}


class EnvelopeCodec:
    """The asks and answers of these contexts."""

    def __init__(self, manifests: Mapping[str, ContextManifest]) -> None:
        self._aggregates: dict[tuple[str, str], _Aggregate] = {}
        self._paths: dict[tuple[str, str, Any], str] = {}
        for context, manifest in manifests.items():
            for name, found in manifest.aggregates.items():
                self._aggregates[context, name] = _Aggregate(
                    {kind.__name__: kind for kind in found.commands},
                    {kind.__name__: kind for kind in found.rejections},
                )
            for route in manifest.context.routes:
                if isinstance(route, Get) and route.part is not None and isinstance(route.source, Aggregate):
                    name = route.source.name
                    self._aggregates[context, name].parts[route.path] = route.part
                    self._paths[context, name, route.part] = route.path

    def to_wire(self, number: int, context: str, shard: int, ask: Ask, now: float) -> WireAsk:
        """The ask as it travels at ``now`` (seconds on the deadline's clock).

        Raises ``Unstorable`` for a command that no journal could store either, KeyError for a part without
        a route, ValueError for a command without an id: it may come twice, so its owner must know it again.
        """
        command = ask.command
        if command is not None and ask.command_id is None:
            raise ValueError("a command that travels needs an id")
        return WireAsk(
            number,
            context,
            shard,
            ask.aggregate,
            ask.id,
            None if command is None else type(command).__name__,
            b"" if command is None else _fields(command),
            min(PATIENCE, max(0, int((ask.deadline - now) * 1000))),
            None if ask.by is ANONYMOUS else _principal(ask.by),
            ask.key,
            ask.fingerprint,
            ask.command_id,
            ask.expected,
            ask.trace,
            None if ask.part is None else self._paths[context, ask.aggregate, ask.part],
            ask.arguments,
            ask.attempt,
        )

    def from_wire(self, wire: WireAsk, now: float, reply: Callable[[Answer], object]) -> Ask | Refused:
        """The ask as this worker takes it at ``now``, or why it cannot; nothing is done then."""
        aggregate = self._aggregates.get((wire.context, wire.aggregate))
        if aggregate is None:
            return _unknown(f"{wire.context}/{wire.aggregate}")
        command: Command | None = None
        part: Callable[..., Any] | None = None
        if wire.command is not None:
            decode = aggregate.commands.get(wire.command)
            if decode is None:
                return _unknown(wire.command)
            if wire.command_id is None:
                return Refused(Reason.FAILED, f"{wire.command} came without an id")
            try:
                command = decode(wire.data)
            except _ERRORS as error:
                return _unknown(f"these fields of {wire.command} ({error})")
        elif wire.part is not None:
            part = aggregate.parts.get(wire.part)
            if part is None:
                return _unknown(wire.part)
        by = wire.by
        return Ask(
            aggregate=wire.aggregate,
            id=wire.id,
            command=command,
            deadline=now + wire.patience / 1000,
            reply=reply,
            by=ANONYMOUS if by is None else Principal(by.subject, frozenset(by.roles), by.claims),
            key=wire.key,
            fingerprint=wire.fingerprint,
            expected=wire.expected,
            trace=wire.trace,
            part=part,
            arguments=wire.arguments,
            command_id=wire.command_id,
            attempt=wire.attempt,
            relayed=True,
        )

    def answer_to_wire(self, number: int, answer: Answer) -> WireAnswer:
        """The answer to the ask that its sender numbered so. Raises ``Unstorable``."""
        match answer:
            case Accepted(version, body, changed, replayed):
                return WireAnswer(number, Kind.ACCEPTED, version, body, changed=changed, replayed=replayed)
            case Shown(version, body):
                return WireAnswer(number, Kind.SHOWN, version, body)
            case Rejected(version, rejection, replayed):
                name = type(rejection).__name__
                return WireAnswer(number, Kind.REJECTED, version, _fields(rejection), name, replayed=replayed)
            case Absent(version):
                return WireAnswer(number, Kind.ABSENT, version)
            case Refused(reason, detail, retry_after):
                return WireAnswer(number, Kind.REFUSED, 0, b"", reason.value, detail, retry_after)

    def answer_from_wire(self, context: str, aggregate: str, wire: WireAnswer) -> Answer:
        """The answer to an ask of this aggregate. One that only another release understands leaves the
        outcome open: asked again with the same key, a worker of that release will tell it."""
        match wire.kind:
            case Kind.ACCEPTED:
                return Accepted(wire.version, wire.body, wire.changed, wire.replayed)
            case Kind.SHOWN:
                return Shown(wire.version, wire.body)
            case Kind.REJECTED:
                return self._rejected(context, aggregate, wire)
            case Kind.ABSENT:
                return Absent(wire.version)
            case Kind.REFUSED:
                try:
                    return Refused(Reason(wire.name), wire.detail, wire.retry_after)
                except ValueError:
                    return _not_understood(f"the refusal {wire.name!r}")
            case _:
                return _not_understood(f"an answer of kind {wire.kind}")

    def _rejected(self, context: str, aggregate: str, wire: WireAnswer) -> Answer:
        known = self._aggregates.get((context, aggregate))
        decode = None if known is None else known.rejections.get(wire.name)
        if decode is None:
            return _not_understood(f"the rejection {wire.name!r}")
        try:
            return Rejected(wire.version, decode(wire.body), wire.replayed)
        except _ERRORS:
            return _not_understood(f"these fields of the rejection {wire.name!r}")


def _fields(value: Value) -> bytes:
    """As the journal encodes an event, so that instants keep their offset."""
    return encode_event(cast(Event, value))


def _principal(by: Principal) -> WirePrincipal:
    return WirePrincipal(by.subject, tuple(sorted(by.roles)), by.claims)


def _unknown(what: str) -> Refused:
    """``MOVED``, because that is what helps: the shard may move to a worker of the sender's release."""
    return Refused(Reason.MOVED, f"the worker's release does not know {what[:200]}", 1.0)


def _not_understood(what: str) -> Refused:
    return Refused(Reason.OUTCOME_UNKNOWN, f"{what} is of another release: retry with the same key")
