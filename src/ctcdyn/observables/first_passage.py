"""First passage: the time (days) at which a condition on the state is true for the first time, with censoring.

In jump semantics the time of the event that made it true; in ODE semantics located within the step by bisection of
the dense output. It has no column in the output but a row of `event_time` and `event_observed`:
`[observables] detection = { use = "first_passage", when = "tumor >= 1e9", unit = "day" }`. With `stop = true` the
trajectory ends there, with the status stopped: later saves are missing values, the time of the event stays.
"""

OPTIONS = {"when": "condition", "stop": "flag"}
REALISED = "passage"
