"""The sections by name, and all that can go wrong in them."""

from bench.cluster import Measure, costs, deaths, handover, probes, watching
from bench.proof import NotStored
from bench.views import catch_up, followers, visible
from bench.views import costs as view_costs

SECTIONS: dict[str, Measure] = {
    "postgres": costs.postgres,
    "workers": costs.workers,
    "hop": costs.hop,
    "killed": deaths.killed,
    "lost": deaths.lost,
    "handover": handover.measure,
    "catch-up": catch_up.sqlite,
    "catch-up-postgres": catch_up.postgres,
    "views-cost": view_costs.cost,
    "document": view_costs.document,
    "visible": visible.measure,
    "followers": followers.measure,
}
WITH_WRK = ("postgres", "workers", "hop", "views-cost", "document", "visible")
"""Those that load with wrk."""
FAILURES = (
    NotStored,
    probes.NotBack,
    watching.Unsettled,
    handover.Refused,
    catch_up.NotCaughtUp,
    followers.NotFollowed,
)
