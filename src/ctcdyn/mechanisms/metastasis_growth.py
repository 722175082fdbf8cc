"""Growth of metastases: cells of a metastasis divide and die, against a brake, a bottleneck and a size at which it is seen.

metastases = "pool" counts the cells of all metastases together; each of them then grows alike and "size" means all. metastases = "lesions" makes each
an object of its own (docs/lesions.md), founded with one cell, or all of a cluster, at the moment at which a cell begins to grow. Each cell divides and dies at

    divide      death + growth brake(n)         wither      death / w(n)

with death = growth (1 / colony_survival - 1), so that the line of one cell lives on with the chance colony_survival while nothing brakes. Of n cells:

    brake = "none"        1                         exponential growth
    brake = "logistic"    1 - n / capacity          stops at `capacity`
    brake = "gompertz"    1 - ln n / ln capacity    n(t) = capacity ** (1 - exp(-growth t / ln capacity)) from one cell

Births do not fall below 0, so that above `capacity` cells are lost at most at the rate `death`. The Gompertz law slows from the first cell on: 100 cells
grow at 83 % of the pace of one. The bottleneck (lesions only: it depends on the size of the
one metastasis) makes more cells die where few are, w(n) = n ** h / (n ** h + bottleneck_size ** h): births over deaths rise from about nothing to
rho = birth / death of a large one. Of n founders the line lives on with the chance

    sum over i < n of the products over j <= i of d(j) / b(j), over the same sum without end      (from i = 0)

so that a single cell hardly founds what a cluster founds often (E. Szczurek et al. 2020, doi:10.1371/journal.pcbi.1008056: bottlenecks of 10 to 21 cells).

In the pool, detect = "hazard" detects each growing cell at the rate ln 2 growth / detection_size, which gives `detection_size` as the median size of a
metastasis at detection; lesions are detected when they reach it. With spread = "on" metastases shed like a primary of their size: the pool into the
blood, at shed_rate for a cell, lesions by founding others at shed_rate n ** size_exponent times `founding`, the chance that a shed cell founds one.
"""

NUMBER = 23
ACTS_ON = ("growing", "lesion", "tissue", "dormant", "blood")
REFUTED_BY = "Single cells and groups of ten put into a vein found metastases in proportion to their cells (against the bottleneck); metastases keep their doubling time at any size (against brakes)."

MODEL = """
[options]
metastases = ["pool", "lesions"]
brake = ["none", "logistic", "gompertz"]
bottleneck = ["off", "on"]
detect = ["size", "hazard"]
spread = ["off", "on"]

[[refused]]
if = { metastases = "pool", bottleneck = "on" }
why = "a bottleneck depends on the size of one metastasis, and a pool has only the sum of all"
fix = 'write metastases = "lesions"'
[[refused]]
if = { metastases = "lesions", detect = "hazard" }
why = "a lesion has a size, and is detected when that reaches detection_size"
fix = 'leave detect out'

[species]
growing = { unit = "cells", stage = "growing", doc = "cells of all growing metastases", if = { metastases = "pool" } }
detected = { unit = "1", doc = "metastases detected", if = { metastases = "pool", detect = "hazard" } }

[parameters]
growth = { value = "0.0134 /day", bounds = ["0 /day", "2 /day"], source = "assumed: as the primary, doubling in 51.7 days (doi:10.1186/1471-2407-13-283)", doc = "net growth of a small metastasis" }
colony_survival = { value = 0.193, bounds = [1e-6, 1], source = "assumed: births of 0.0694 /day and deaths of 0.0560 /day beside a growth of 0.0134 /day", doc = "chance that the line of one cell lives on, 1 - death / birth" }
capacity = { value = "1e12 cells", bounds = ["2 cells", "1e30 cells"], source = "doi:10.1186/1471-2407-13-283", doc = "size at which growth stops", if = { brake = ["logistic", "gompertz"] } }
bottleneck_size = { value = "8 cells", bounds = ["0.01 cells", "1e3 cells"], source = "derived: a chance of 4.7e-8 for a single cell (doi:10.1371/journal.pcbi.1008056: of the order of 1e-8)", doc = "size at which deaths are twice those of a large metastasis", if = { bottleneck = "on" } }
bottleneck_steepness = { value = 2, bounds = [0.5, 8], source = "assumed: h of the Hill law", doc = "how sharply deaths rise below bottleneck_size", if = { bottleneck = "on" } }
detection_size = { value = "1e9 cells", bounds = ["1 cells", "1e13 cells"], source = "assumed: 1 cm3 at 1e9 cells/cm3, seen by imaging", doc = "size at detection" }
shed_rate = { value = "0.0445 /day", bounds = ["0 /day", "1e3 /day"], source = "derived: as of a primary of one cell, calibrated to 9 +- 6 cells/L at 2.7 mm (doi:10.1186/1471-2407-13-283)", doc = "cells shed in a day by a metastasis of one cell", if = { spread = "on" } }
size_exponent = { value = 0.663, bounds = [0, 1], source = "doi:10.1006/jtbi.2000.1075", doc = "how shedding grows with the size of a lesion", if = { spread = "on", metastases = "lesions" } }
founding = { value = 7.8e-8, bounds = [0, 1], source = "derived: 1.5e-8 lasting metastases per shed cell (doi:10.1186/1471-2407-13-283) over a colony_survival of 0.193", doc = "chance of a shed cell to found a metastasis", if = { spread = "on", metastases = "lesions" } }
death = { expr = "growth / colony_survival - growth", unit = "1/day", source = "derived: birth - growth", doc = "death of a cell of a metastasis" }

[[reaction]]
name = "divide"
equation = "growing -> 2 growing"
k = "death + growth"
if = { metastases = "pool", brake = "none" }
[[reaction]]
name = "divide"
equation = "growing -> 2 growing"
k = "max(death + growth * (1 - growing / capacity), 0)"
if = { metastases = "pool", brake = "logistic" }
[[reaction]]
name = "divide"
equation = "growing -> 2 growing"
k = "max(death + growth * (1 - log(max(growing, 1)) / log(capacity)), 0)"
if = { metastases = "pool", brake = "gompertz" }
[[reaction]]
name = "wither"
equation = "growing ->"
k = "death"
if = { metastases = "pool" }
[[reaction]]
name = "detect"
equation = "growing -> growing + detected"
k = "log(2) * growth / detection_size"
if = { metastases = "pool", detect = "hazard" }
[[reaction]]
name = "spread"
equation = "growing -> growing + blood"
k = "shed_rate"
fate = "shed"
if = { metastases = "pool", spread = "on" }

[lesion]
detection = "cells >= detection_size"
if = { metastases = "lesions" }

[lesion.species]
cells = { unit = "cells", doc = "cells of one metastasis" }

[[lesion.reaction]]
name = "divide"
equation = "cells -> 2 cells"
k = "death + growth"
if = { brake = "none" }
[[lesion.reaction]]
name = "divide"
equation = "cells -> 2 cells"
k = "max(death + growth * (1 - cells / capacity), 0)"
if = { brake = "logistic" }
[[lesion.reaction]]
name = "divide"
equation = "cells -> 2 cells"
k = "max(death + growth * (1 - log(max(cells, 1)) / log(capacity)), 0)"
if = { brake = "gompertz" }
[[lesion.reaction]]
name = "wither"
equation = "cells ->"
k = "death"
if = { bottleneck = "off" }
[[lesion.reaction]]
name = "wither"
equation = "cells ->"
k = "death * (1 + (bottleneck_size / max(cells, 1)) ** bottleneck_steepness)"
if = { bottleneck = "on" }
[[lesion.reaction]]
name = "spread"
equation = "cells -> cells + lesion"
k = "founding * shed_rate * max(cells, 1) ** (size_exponent - 1)"
if = { spread = "on" }
"""
