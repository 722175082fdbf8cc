"""Shear stress: the flow of blood tears cells apart.

Each circulating cell dies at the rate

    kill_rate (stress / 15 dyn/cm2)^steepness

`stress` is in units of 15 dyn/cm2, arteries at rest; four of these, as in hard exercise, killed 90 % of cells in 4
hours in a flow chamber, 13.8 a day and more, 15 dyn/cm2 far fewer (S. Regmi et al. 2017, doi:10.1038/srep39975).
Brief pulses kill a part and then no more (J. Barnes et al. 2012, doi:10.1371/journal.pone.0050973): the soft ones
stay, which is the flag `flexible` of deformability. Clusters, platelet cloaks and soft cells multiply the rate.
"""

NUMBER = 5
ACTS_ON = ("blood", "cluster")
REFUTED_BY = "Cells circulated at 60 dyn/cm2 for hours live on like those at 15."

MODEL = """
[parameters]
kill_rate = { value = "6 /day", bounds = ["0 /day", "1e4 /day"], source = "assumed: 6 of 36 losses a day, of which the sum is known", doc = "death of a cell at a stress of 15 dyn/cm2" }
stress = { value = 1, bounds = [0, 20], source = "assumed: arteries at rest", doc = "shear stress in units of 15 dyn/cm2" }
steepness = { value = 1.5, bounds = [0, 6], source = "assumed: many at 60 dyn/cm2, few at 15 (doi:10.1038/srep39975)", doc = "how deaths grow with stress" }

[[hazard]]
name = "shear"
at = { blood = "kill_rate * stress ** steepness" }
fate = "shear"
"""
