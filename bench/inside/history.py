"""Booking histories written straight through the journal's port, as a worker would have written them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from actors.journal.codec import encode_event
from actors.journal.port import Journal, Row
from actors.region import shard_of
from contexts.booking.events import Opened, Reserved

BATCH = 100
"""Events per append, as under load. The journal indexes between appends: larger ones would outrun it."""
OWNER = "bench"
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
"""Before all slots that loads ask for."""
HOUR = timedelta(hours=1)
AT = 1_760_000_000_000_000
"""When everything happened, in microseconds since 1970."""

_opened = encode_event(Opened(16, "UTC", "00:00", "24:00"))


def events(names: Iterable[str], versions: Iterable[int]) -> Iterator[tuple[str, int, str, bytes]]:
    """Version by version, every space's (id, version, type, data): an opening, then hourly reservations."""
    spaces = list(names)
    for version in versions:
        if version == 1:
            yield from ((space, 1, "Opened", _opened) for space in spaces)
            continue
        start = FIRST + version * HOUR
        data = encode_event(Reserved(f"past{version}", "ada", 4, start, start + HOUR))
        yield from ((space, version, "Reserved", data) for space in spaces)


async def write(journal: Journal, happened: Iterable[tuple[str, int, str, bytes]]) -> int:
    """Append them under fresh epochs; how many there were."""
    claims = await journal.claim(range(journal.shards), OWNER)
    epochs = {claim.shard: claim.epoch for claim in claims}
    last = defaultdict(int, {claim.shard: claim.last_seq for claim in claims})
    batch: list[Row] = []
    count = 0
    for id, version, type, data in happened:
        shard = shard_of("space", id, journal.shards)
        last[shard] += 1
        count += 1
        command = count.to_bytes(16, "big")
        batch.append(
            Row(shard, last[shard], "space", id, version, type, command, None, AT, "ada", None, data)
        )
        if len(batch) == BATCH:
            await _append(journal, batch, epochs)
            batch = []
    if batch:
        await _append(journal, batch, epochs)
    return count


async def _append(journal: Journal, batch: list[Row], epochs: dict[int, int]) -> None:
    fenced = await journal.append(batch, {row.shard: epochs[row.shard] for row in batch})
    if fenced:
        raise RuntimeError(f"shards {sorted(fenced)} were fenced while the journal was filled")
