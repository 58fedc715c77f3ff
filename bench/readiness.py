"""How long ``butai up`` takes to be ready."""

from pathlib import Path

from bench import served


def measure(data: Path, quick: bool) -> dict[str, list[float]]:
    """Seconds from the command to its ready line, again and again on the same data; the first one, which
    reads everything from the disk, does not count."""
    times: list[float] = []
    for _ in range(3 if quick else 6):
        with served.butai(data, data.with_suffix(".log")) as butai:
            times.append(butai.ready_seconds)
    return {"ready": times[1:]}
