import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from actors import logs

log = logging.getLogger("butai.test")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The test runner's own handlers come back."""
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)


def logged(style: str) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(style, stream)
    return stream


def fail() -> None:
    raise RuntimeError("no")


def test_text_is_one_readable_line_with_its_fields() -> None:
    stream = logged("text")
    log.warning(
        "worker %s", "died", extra={"fields": {"pid": 7, "reason": "disk full", "name": "", "quote": 'a"b'}}
    )
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING butai\.test: worker died "
        r'pid=7 reason="disk full" name="" quote="a\\"b"\n',
        stream.getvalue(),
    )


def test_json_is_one_object_per_line() -> None:
    stream = logged("json")
    log.info("ready", extra={"fields": {"url": "http://x", "pid": 7, "odd": {1}}})
    entry = json.loads(stream.getvalue())
    assert entry.pop("ts").endswith("Z")
    assert entry == {
        "level": "info",
        "logger": "butai.test",
        "message": "ready",
        "url": "http://x",
        "pid": 7,
        "odd": "{1}",
    }


@pytest.mark.parametrize("style", ["text", "json"])
def test_what_a_client_sent_cannot_forge_a_line(style: str) -> None:
    stream = logged(style)
    log.info("bad\n2026 INFO forged", extra={"fields": {"path": "/\r\nforged\x1b[2J\u2028x"}})
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_failed_task_is_one_record_with_its_traceback(style: str) -> None:
    stream = logged(style)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(logs.report_uncaught)
        loop.call_soon(fail)
        await asyncio.sleep(0)

    asyncio.run(main())
    text = stream.getvalue()
    assert text.count("RuntimeError: no") == 1
    if style == "json":
        entry = json.loads(text)
        assert entry["logger"] == "asyncio"
        assert "test_logs" in entry["exception"]
    else:
        assert [line for line in text.splitlines() if not line.startswith("  ")] == text.splitlines()[:1]


def test_records_below_the_level_and_former_handlers_are_left_out() -> None:
    former, stream = logged("text"), logged("text")
    log.debug("detail")
    log.info("once")
    assert former.getvalue() == ""
    assert stream.getvalue().count("\n") == 1


def test_a_log_that_nobody_reads_harms_nothing() -> None:
    stream = logged("text")
    stream.close()
    log.info("unheard")
