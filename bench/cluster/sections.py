"""The sections by name, and all that can go wrong in them."""

from bench.cluster import Measure, costs, deaths, handover, probes, watching
from bench.proof import NotStored

SECTIONS: dict[str, Measure] = {
    "postgres": costs.postgres,
    "workers": costs.workers,
    "hop": costs.hop,
    "killed": deaths.killed,
    "lost": deaths.lost,
    "handover": handover.measure,
}
WITH_WRK = ("postgres", "workers", "hop")
"""Those that load with wrk."""
FAILURES = (NotStored, probes.NotBack, watching.Unsettled, handover.Refused)
