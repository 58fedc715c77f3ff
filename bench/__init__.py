"""Figures of this machine, from one run: see ``docs/benchmarks.md`` for how to read them.

A *load* is one kind of request; a *slice* is a few seconds of it; a *round* is a slice of every load, with
slices of a bare aiohttp handler around them. A machine gets faster and slower by the minute, so a load is
only ever compared with the bare slices next to it.
"""
