"""Logging, configured once per process: one record per line, readable or JSON.

Structure travels as fields: ``log.warning("worker died", extra={"fields": {"pid": 7}})``.
"""

import asyncio
import json
import logging
import sys
import time
from typing import Any, TextIO


def configure(style: str, stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send all records from ``level`` on to ``stream`` (stderr) as ``text`` or ``json``."""
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level)
    # A reader of the log that went away must not become an error of the service.
    logging.raiseExceptions = False


class TextFormatter(logging.Formatter):
    """``2026-11-25T09:00:00.123Z INFO actors.node: worker started pid=7``; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_instant(record)} {record.levelname} {record.name}: {_flat(record.getMessage())}"
        for key, value in fields(record).items():
            line += f" {key}={_quoted(value)}"
        trace = self._trace(record)
        return line if trace is None else line + "\n  " + trace.replace("\n", "\n  ")

    def _trace(self, record: logging.LogRecord) -> str | None:
        return self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else None


class JsonFormatter(TextFormatter):
    """One object per line: ``ts``, ``level``, ``logger``, ``message``, the fields, ``exception``."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "ts": _instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for key, value in fields(record).items():
            entry.setdefault(key, value)
        trace = self._trace(record)
        if trace is not None:
            entry["exception"] = trace
        return json.dumps(entry, default=str)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What the record says beside its message."""
    stated = getattr(record, "fields", None)
    return stated if isinstance(stated, dict) else {}


def report_uncaught(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A loop's exception handler: what nobody caught becomes one record."""
    error = context.get("exception")
    fields = {
        key: repr(value) for key, value in context.items() if key in ("task", "future", "handle", "transport")
    }
    logging.getLogger("asyncio").error(
        context.get("message") or "unhandled error in the event loop",
        exc_info=(type(error), error, error.__traceback__) if error is not None else None,
        extra={"fields": fields},
    )


def _instant(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


def _flat(text: str) -> str:
    """One line: what a client sent must not be able to forge the next one."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _quoted(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and text and not any(c in text for c in ' "=')
    return text if plain else json.dumps(text)
