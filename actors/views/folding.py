"""A view's rules made ready: from journal rows to the keys they touch, and from documents to documents.

Used from the store's threads; nothing here has state but the codecs."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from actors.journal.codec import EventCodec
from actors.journal.port import Row
from actors.replies import instant
from actors.views.conditions import Stored
from actors.views.declaration import ViewManifest
from actors.views.port import Change, Failure
from contexts.vocabulary import Event, Origin

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder(order="deterministic").encode
_ESCAPED = re.compile("[%/\0]").search
LONGEST_KEY = 512
"""Bytes of a document's key."""


class Touch(NamedTuple):
    """An event, and the keys of the documents it touches."""

    row: Row
    event: Event
    origin: Origin | None
    keys: tuple[str, ...]


class Unfoldable(Exception):
    """An author's ``key`` or ``fold`` returned what it must not."""


class Folding:
    """The rules of one view, for one context's events."""

    def __init__(self, manifest: ViewManifest, codecs: Mapping[str, EventCodec]) -> None:
        """``codecs`` are those of the context's aggregates, by name."""
        view = manifest.view
        self.manifest = manifest
        self.shape = manifest.shape
        self._key, self._fold = view.key, view.fold
        self._key_takes_origin = manifest.key_takes_origin
        self._fold_takes_origin = manifest.fold_takes_origin
        self._needs_origin = manifest.key_takes_origin or manifest.fold_takes_origin
        self._events = frozenset(manifest.events)
        self._decoders: dict[str, Callable[[str, bytes], Event]] = {n: c.decode for n, c in codecs.items()}
        self._ignored = frozenset(
            (aggregate, EventCodec.name(event))
            for aggregate, events in manifest.all_events.items()
            for event in events
            if event not in self._events
        )
        self._initial = None if view.initial is None else _encode(view.initial)
        self._decode = msgspec.json.Decoder(manifest.document).decode
        self._columns = [(attrgetter(c.name), _CONVERT[c.kind]) for c in manifest.shape.columns]
        self._texts = [attrgetter(name) for name in manifest.shape.search]

    def touches(self, rows: Iterable[Row]) -> tuple[list[Touch], Failure | None]:
        """What each row touches; rows that the view passes over are left out. Up to the first that fails."""
        found: list[Touch] = []
        for row in rows:
            if (row.aggregate, row.type) in self._ignored:
                continue
            try:
                touch = self._touch(row)
            except BaseException as error:  # noqa: BLE001 - an author's code must end no thread of ours
                return found, failure(row, error)
            if touch is not None:
                found.append(touch)
        return found, None

    def _touch(self, row: Row) -> Touch | None:
        decode = self._decoders.get(row.aggregate)
        if decode is None:
            raise Unfoldable(f"the context has no aggregate {row.aggregate!r}")
        event = decode(row.type, row.data)
        if type(event) not in self._events:
            return None
        origin = None
        if self._needs_origin:
            origin = Origin(row.aggregate, row.id, row.version, instant(row.at), row.by)
        named = self._key(event, origin) if self._key_takes_origin else self._key(event)
        if named is None:
            return None
        if type(named) is list:
            # Each once, however often it is named.
            keys = tuple(dict.fromkeys(key_of(one) for one in named))
        else:
            keys = (key_of(named),)
        return Touch(row, event, origin, keys)

    def fold(self, document: Any, touch: Touch, key: str) -> Any:
        """The next document, or None; ``document`` is the present one, or None. Raises whatever fold raises,
        or Unfoldable."""
        if document is None and self._initial is not None:
            document = self._decode(self._initial)
        if self._fold_takes_origin:
            assert touch.origin is not None
            origin = msgspec.structs.replace(touch.origin, key=parts_of(key))
            following = self._fold(document, touch.event, origin)
        else:
            following = self._fold(document, touch.event)
        if following is not None and type(following) is not self.manifest.document:
            raise Unfoldable(
                f"fold returned {type(following).__name__}, not {self.manifest.document.__name__}"
            )
        return following

    def decode(self, document: bytes) -> Any:
        """Raises msgspec.MsgspecError."""
        return self._decode(document)

    def change(self, key: str, document: Any, last: Any) -> Change:
        """What to keep of a document, or of its absence after ``last``. Raises Unfoldable."""
        shown = last if document is None else document
        try:
            columns: tuple[Stored, ...] = tuple([convert(get(shown)) for get, convert in self._columns])
            if document is None:
                return Change(key, None, columns, ("",) * len(self._texts))
            texts = tuple([(get(document) or "").replace("\x00", " ") for get in self._texts])
            data = _encode(document)
        except (OverflowError, RecursionError, UnicodeEncodeError, TypeError) as error:
            raise Unfoldable(f"{type(shown).__name__} cannot be stored: {error}") from error
        return Change(key, data, columns, texts)


def failure(row: Row, error: BaseException) -> Failure:
    """What an operator is told."""
    text = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    return Failure(row.seq, row.type, f"{row.aggregate}/{row.id}", row.version, text)


def key_of(named: Any) -> str:
    """A key as it is stored: its parts joined by ``/``, which is escaped within them. Raises Unfoldable."""
    if type(named) is str:
        if named.isascii() and 0 < len(named) <= LONGEST_KEY and not _ESCAPED(named):
            return named
        parts: tuple[Any, ...] = (named,)
    elif type(named) is tuple and named and all(type(part) is str for part in named):
        parts = named
    else:
        raise Unfoldable(f"a key is text or a tuple of texts, not {named!r}")
    if not all(parts) or any("\x00" in part for part in parts):
        raise Unfoldable(f"a part of the key {named!r} is empty or holds NUL")
    key = "/".join([p if p.isalnum() else p.replace("%", "%25").replace("/", "%2F") for p in parts])
    if len(key.encode()) > LONGEST_KEY:
        raise Unfoldable(f"a key has at most {LONGEST_KEY} bytes")
    return key


def parts_of(key: str) -> tuple[str, ...]:
    """The parts of a stored key."""
    if "%" not in key:
        return tuple(key.split("/"))
    return tuple(p.replace("%2F", "/").replace("%25", "%") for p in key.split("/"))


def _moment(value: datetime | None) -> int | None:
    if value is None:
        return None
    passed = value - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _boolean(value: bool | None) -> int | None:
    return None if value is None else int(value)


def _date(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _integer(value: int | None) -> int | None:
    if value is not None and not -(2**63) <= value < 2**63:
        raise Unfoldable(f"{value} has more than 64 bits")
    return value


def _real(value: float | None) -> float | None:
    if value is None:
        return None
    if not math.isfinite(value):
        raise Unfoldable(f"{value} cannot be found or sorted by")
    return float(value)


def _text(value: Any) -> Any:
    # An enumeration's member need not be text itself.
    text = getattr(value, "value", value)
    if text is not None and "\x00" in text:
        raise Unfoldable("NUL cannot be stored")
    return text


_CONVERT: dict[str, Callable[[Any], Stored]] = {
    "text": _text,
    "integer": _integer,
    "real": _real,
    "boolean": _boolean,
    "moment": _moment,
    "date": _date,
}


def stored(kind: str, value: Any) -> Stored:
    """A field's value as its column holds it."""
    return _CONVERT[kind](value)
