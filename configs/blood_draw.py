"""Blood draw: a tube is taken, its tumour cells are isolated, and what is found is counted.

    found  Poisson with mean  recovery blood sample_volume / blood_volume, gamma mixed where the laboratory scatters

At each saved time a tube of its own. `recovery` is the share that isolation keeps.
"""

NUMBER = 0
ACTS_ON = ()
REFUTED_BY = "Two tubes of one moment differ by more than chance and the laboratory's own scatter."

MODEL = """
[parameters]
recovery = { value = 0.8, bounds = [0, 1], source = "assumed: cells that are spiked into blood and found again, 70 to 90 %", doc = "share of the cells in a tube that is found" }
scatter = { value = 0.1, bounds = [0, 10], source = "assumed: a coefficient of variation of 0.3 between tubes", doc = "squared coefficient of variation of that share" }

[observables]
ctc_found = { use = "sample", expr = "blood * sample_volume / blood_volume", recovery = "recovery", dispersion = "scatter", unit = "cells", doc = "tumour cells found in a tube of blood" }
"""
