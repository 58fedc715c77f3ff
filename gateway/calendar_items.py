"""What reading a calendar file gives, and what its times mean in a space's zone.

- A time with a zone, be it UTC, an IANA or Windows name or a VTIMEZONE of the file's own, is that instant.
- A floating time, and a whole day, are those of the space's zone.
- A time that the clocks leave out is read with the offset before the change (RFC 5545 section 3.3.5).
"""

import re
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

import msgspec

_SPACES = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


class Occurrence(msgspec.Struct, frozen=True):
    """One stretch of time that an event takes up."""

    uid: str
    reservation: str
    """The same for the same occurrence whenever the file is read, also after it was moved."""
    start: datetime
    end: datetime
    """Both with a fixed offset: the event's own, or the space's for floating times and whole days."""
    summary: str
    guest: str

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M%z} {self.summary}"


class Skipped(msgspec.Struct, frozen=True):
    """What takes up no time, or was not understood."""

    what: str
    why: str
    failed: bool = False
    """It may well take up time, but cannot be read."""


Item = Occurrence | Skipped


class Reading(msgspec.Struct, frozen=True):
    """How a file is read."""

    zone: ZoneInfo
    """Of floating times and whole days."""
    until: date
    """The last day, in ``zone``, on which an occurrence may start."""
    guest: str | None = None
    """Who reserves; None: the event's organizer, or else what it is about."""

    def instant(self, value: date) -> datetime:
        """A date or time of the file as an instant with a fixed offset of whole minutes."""
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        offset = moment.utcoffset()
        if offset is None:
            moment = moment.replace(tzinfo=self.zone)
            offset = moment.utcoffset()
        assert offset is not None
        if offset % timedelta(minutes=1):  # local mean time, before there were time zones
            return moment.astimezone(UTC)
        return datetime.fromisoformat(moment.isoformat())

    def day(self, value: date) -> date:
        """The day on the space's calendar."""
        return self.instant(value).astimezone(self.zone).date()

    def is_left_out(self, value: date) -> bool:
        """Whether the clocks leave this time out."""
        if not isinstance(value, datetime):
            return False
        moment = value if value.utcoffset() is not None else value.replace(tzinfo=self.zone)
        there = moment.astimezone(UTC).astimezone(moment.tzinfo)
        return there.replace(tzinfo=None, fold=0) != moment.replace(tzinfo=None, fold=0)


def one_line(text: object, limit: int = 200) -> str:
    """Text from a file as one printable line."""
    return _SPACES.sub(" ", str(text)).strip()[:limit].strip()


def reservation_id(uid: str, *parts: str) -> str:
    """The id under which an occurrence is reserved."""
    return "ical-" + sha256("\0".join((uid, *parts)).encode(errors="replace")).hexdigest()[:40]
