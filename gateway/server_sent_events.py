"""Server-Sent Events (WHATWG HTML, section 9.2): how events and documents look to those who follow.

Each message has an ``id``, the position to come again with; browsers send it back as ``Last-Event-ID``."""

import msgspec

from actors.following.port import Followed

CONTENT_TYPE = b"text/event-stream"
RETRY = b"retry: 1000\n\n"
"""Milliseconds after which a browser that was cut comes again."""

_encode = msgspec.json.Encoder().encode


class EventStreamEncoder:
    """See ``following.port.Encoder``. JSON holds no line break, so each message is one line of data."""

    def event(self, id: str, event: Followed) -> bytes:
        """``event:`` is the event's type, ``data:`` all that is told of it."""
        return b"id: %s\nevent: %s\ndata: %s\n\n" % (id.encode(), event.type.encode(), _encode(event))

    def changed(self, id: str, key: str, document: bytes) -> bytes:
        """``data:`` is ``{"key":...,"document":...}``."""
        return b'id: %s\nevent: changed\ndata: {"key":%s,"document":%s}\n\n' % (
            id.encode(),
            _encode(key),
            document,
        )

    def removed(self, id: str, key: str) -> bytes:
        """``data:`` is ``{"key":...}``."""
        return b'id: %s\nevent: removed\ndata: {"key":%s}\n\n' % (id.encode(), _encode(key))


def heartbeat(id: str) -> bytes:
    """A comment that keeps the connection, and the position, of which browsers make no event."""
    return b":\nid: %s\n\n" % id.encode()


def farewell(why: str) -> bytes:
    """A comment, for people."""
    return b": %s\n\n" % why.replace("\n", " ").encode()
