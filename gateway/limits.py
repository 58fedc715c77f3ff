"""What a request may measure, as far as it has arrived."""

from math import inf

from aiohttp.http import HttpProcessingError
from aiohttp.http_exceptions import LineTooLong

from actors.settings import GatewaySettings
from gateway.exchange import Exchange
from gateway.header_names import CONTENT_LENGTH, EXPECT
from gateway.problems import BODY_TOO_LARGE, EXPECTATION_FAILED, HEADERS_TOO_LARGE, MALFORMED_REQUEST, Refusal

LINE = 8190
"""Bytes of one line of a request's head; aiohttp's own limit."""


def head_too_large(settings: GatewaySettings) -> Refusal:
    return Refusal(
        HEADERS_TOO_LARGE, f"The request's line and headers may have {settings.header_bytes} bytes."
    )


def excess(exchange: Exchange, settings: GatewaySettings) -> Refusal | None:
    """Why the newest request must not go on; a declared size counts before its bytes have come."""
    message = exchange.message
    if sum(len(name) + len(value) + 4 for name, value in message.raw_headers) > settings.header_bytes:
        return head_too_large(settings)
    declared = message.headers.get(CONTENT_LENGTH, "0")
    size = int(declared) if len(declared) < 20 else inf
    if max(size, exchange.payload.total_bytes) > settings.body_bytes:
        return Refusal(BODY_TOO_LARGE, f"A body may have {settings.body_bytes} bytes.")
    expected = message.headers.get(EXPECT)
    if expected is not None and expected.strip().lower() != "100-continue":
        return Refusal(EXPECTATION_FAILED)
    return None


def malformed(error: HttpProcessingError) -> Refusal:
    """What the parser could not read."""
    if isinstance(error, LineTooLong):
        return Refusal(HEADERS_TOO_LARGE, f"A line of the request may have {LINE} bytes.")
    # aiohttp's message quotes what was sent, over several lines; its first line names the fault.
    return Refusal(MALFORMED_REQUEST, str(error.message).split("\n", 1)[0].rstrip(": "))
