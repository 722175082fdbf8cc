"""Cumulative flux: how often a reaction has fired since the start; in ODE semantics the integral of its rate.

Exact, because the count is a state of the process like any other. Cells shed so far, cells killed so far:
`[observables] shed = { use = "flux", reaction = "shedding", unit = "cells" }`.
"""

OPTIONS = {"reaction": "reaction"}
REALISED = "counter"
