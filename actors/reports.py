"""What a worker tells its node: one JSON object per line, on a pipe that nothing else writes to."""

import os

import msgspec


class Report(msgspec.Struct, frozen=True, tag_field="report"):
    """One line from a worker."""


class Ready(Report, frozen=True, tag="ready"):
    """The worker serves."""

    address: str
    """host:port that it really listens on."""
    contexts: tuple[str, ...]
    journal: str
    """What holds the events, and where, in a few words."""


class Pulse(Report, frozen=True, tag="pulse"):
    """The worker's loop turns."""


class Refusal(Report, frozen=True, tag="refusal"):
    """The worker cannot start as it is configured; another try would end the same way."""

    message: str


class Failure(Report, frozen=True, tag="failure"):
    """The worker is about to die of this."""

    message: str


Line = Ready | Pulse | Refusal | Failure

_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def send(descriptor: int, report: Line) -> None:
    """Write one line; a node that is gone hears nothing, and the lifeline deals with that."""
    try:
        os.write(descriptor, msgspec.json.encode(report) + b"\n")
    except (BrokenPipeError, BlockingIOError):
        return


def receive(line: bytes) -> Line:
    """The report on a line; ValueError if it is none."""
    return _decoder.decode(line)
