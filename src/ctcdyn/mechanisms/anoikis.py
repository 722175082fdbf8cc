"""Anoikis: a cell without anything to hold on to kills itself.

law = "exponential": a circulating cell dies at the rate `kill_rate`. law = "erlang": the programme has two steps of
the rate 2 / delay each, so that the time to death has the mean `delay` and half the variance of an exponential one
(an Erlang law of shape 2); a cell that has just been shed is `fresh`, and does not die of it until the first step is
done. It costs a second variant of every circulating cell. Cells that are arrested hold on to the vessel: they do not
die of it, and begin anew when they come back into the blood, past the first step. Where cells leave the blood within
an hour, the delayed law kills few: of cells that all else removes at the rate h the exponential law kills kill_rate /
(kill_rate + h), the delayed one (2 / (2 + h delay))^2.

Half of detached epithelial cells are dead within 8 to 17 hours; the figure is assumed. Adapted cells and clusters
multiply the rate.
"""

NUMBER = 6
ACTS_ON = ("blood", "cluster")
REFUTED_BY = "Cells kept in suspension for days live as long as attached ones (Bcl-2 or not)."

MODEL = """
[options]
law = ["exponential", "erlang"]

[parameters]
kill_rate = { value = "2 /day", bounds = ["0 /day", "1e3 /day"], source = "assumed: half of detached cells die within 8 to 17 hours", doc = "death of a cell without hold", if = { law = "exponential" } }
delay = { value = "0.5 days", bounds = ["1 min", "100 days"], source = "assumed: the mean of the exponential law", doc = "mean time to death without hold", if = { law = "erlang" } }

[[hazard]]
name = "anoikis"
at = { blood = "kill_rate" }
fate = "anoikis"
if = { law = "exponential" }
[[hazard]]
name = "anoikis"
at = { blood = "2 / delay" }
fate = "anoikis"
if = { law = "erlang" }

[flag.fresh]
at = ["blood"]
loss = "2 / delay"
share = { shed = 1, disaggregate = 1 }
factors = { anoikis = 0 }
if = { law = "erlang" }
"""
