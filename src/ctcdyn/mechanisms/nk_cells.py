"""NK cells: they kill circulating, arrested and settled cells at once, without learning.

Each cell is killed at the rate

    h = kill_rate (N / N0) f

with f the product of the protections that it carries (a platelet cloak, hiding, a cluster).
"""

NUMBER = 8
ACTS_ON = ("blood", "arrested", "tissue")
REFUTED_BY = "Depleting NK cells (anti-asialo GM1) leaves the number of extravasated cells as it was."

MODEL = """
[parameters]
kill_rate = { value = "8 /day", bounds = ["0 /day", "1e4 /day"], source = "assumed: 8 of 36 losses a day", doc = "killing of a cell in the blood" }
activity = { value = 1, bounds = [0, 100], source = "assumed: normal", doc = "NK cells relative to normal" }

[[hazard]]
name = "nk"
at = { blood = "kill_rate * activity" }
fate = "nk"
"""
