"""Primary growth: births and deaths of tumour cells, with births braked by size.

Cells of the primary divide and die, one by one. Deaths keep their rate; births fall with size until they equal the
deaths, so that the tumour stops at its limit and is renewed there, as a tumour is:

    births = deaths + growth                                 exponential
    births = deaths + growth (1 - n / capacity)              logistic
    births = deaths + slowing log(limit / n)                 Gompertz: n = limit^(1 - exp(-slowing t)) from one cell
    births = deaths + growth (1 - (n / capacity)^(1/4))      Spratt: n = capacity / (1 + (capacity^(1/4) - 1) exp(-growth t / 4))^4

per cell, never below 0. `growth` and `colony_survival` = 1 - deaths / births of a small tumour give deaths = growth
(1 / colony_survival - 1). Births above 0 at the limit are what EMT, hiding and resistance arise from: their chances
count divisions, not net growth.

Sources: doubling in 52 days (F. Coumans et al. 2013, doi:10.1186/1471-2407-13-283, of 38715 tumours, whose law is
that of J. Spratt et al. 1993, doi:10.1002/1097-0142(19930315)71:6<2020::aid-cncr2820710616>3.0.co;2-#); L. Norton
1988, Cancer Research 48:7067, for Gompertz. One tumour is not another: from 10 to 20 mm takes 1.7 years on average,
1.2 months in one of twenty, 6.3 years in another (H. Weedon-Fekjaer et al. 2008, doi:10.1186/bcr2092); draw `growth`
in [population].
"""

NUMBER = 1
ACTS_ON = ("primary",)
REFUTED_BY = "Doubling times of untreated tumours, measured twice in each, do not lengthen with size where a brake is chosen, or do under exponential."

MODEL = """
[options]
law = ["logistic", "exponential", "gompertz", "spratt"]

[species]
tumor = { unit = "cells", initial = 1, continuous = true, stage = "primary", doc = "primary tumour" }

[parameters]
growth = { value = "0.0134 /day", bounds = ["0 /day", "1 /day"], source = "doi:10.1186/1471-2407-13-283", doc = "net growth of a small tumour: doubles in 51.7 days (1.7 months)" }
colony_survival = { value = 0.193, bounds = [1e-6, 1], source = "assumed: births of 0.0694 /day and deaths of 0.0560 /day beside a growth of 0.0134 /day", doc = "1 - deaths / births of a small tumour: chance that the line of one cell lives on" }
death = { expr = "growth / colony_survival - growth", unit = "1/day", source = "derived: births - growth", doc = "death of a cell" }
capacity = { value = "1e12 cells", bounds = ["1 cells", "1e30 cells"], source = "doi:10.1186/1471-2407-13-283", doc = "size at which births equal deaths", if = { law = ["logistic", "spratt"] } }
limit = { value = "3.1e12 cells", bounds = ["2 cells", "1e30 cells"], source = "assumed: the lethal size of Norton 1988, Cancer Research 48:7067", doc = "size at which births equal deaths", if = { law = "gompertz" } }
slowing = { value = "0.0283 /month", bounds = ["0 /day", "1 /day"], source = "assumed: the median of Norton 1988, Cancer Research 48:7067", doc = "rate at which growth itself falls", if = { law = "gompertz" } }

[[reaction]]
name = "grow"
equation = "primary -> 2 primary"
k = "max(death + growth * (1 - primary / capacity), 0)"
if = { law = "logistic" }
[[reaction]]
name = "grow"
equation = "primary -> 2 primary"
k = "death + growth"
if = { law = "exponential" }
[[reaction]]
name = "grow"
equation = "primary -> 2 primary"
k = "max(death + slowing * log(limit / max(primary, 1)), 0)"
if = { law = "gompertz" }
[[reaction]]
name = "grow"
equation = "primary -> 2 primary"
k = "max(death + growth * (1 - (max(primary, 0) / capacity) ** 0.25), 0)"
if = { law = "spratt" }
[[reaction]]
name = "shrink"
equation = "primary ->"
k = "death"
"""
