"""A right model and study, and the form of a wrong input:
(name, file, right text, wrong text, code, what the reported line holds).

Each wrong input differs from a right model and study in one place and has exactly one problem (a set of
codes where one slip breaks two rules).
"""

from __future__ import annotations

MODEL = """schema = 1
name = "toy"
time_unit = "day"

[species]
tumor = { unit = "cells", initial = "start", continuous = true, doc = "primary" }
ctc = { unit = "cells" }
dormant = { unit = "cells", initial = 2 }

[parameters]
growth = { value = "0.1 /day", bounds = ["0 /day", "2 /day"], source = "assumed: test" }
shed = { value = 0.01, unit = "1/day", source = "doi:10.1000/1" }
death = { value = "0.5 /h", source = "assumed: test" }
pair = { value = "1e-3 /day", source = "assumed: test" }
capacity = { value = "1e6 cells", source = "assumed: test" }
start = { value = 100, bounds = [1, 1e6], source = "assumed: test" }
tube = { value = "7.5 mL", source = "assumed: test" }
blood = { value = "5 L", source = "assumed: test" }
life = { expr = "1 / death", unit = "day", source = "derived: mean life" }

[observables]
per_tube = { expr = "ctc * tube / blood", unit = "cells" }

[[reaction]]
name = "grow"
equation = "-> tumor"
rate = "growth * tumor * max(1 - tumor / capacity, 0)"
[[reaction]]
name = "shedding"
equation = "tumor -> ctc"
k = "shed"
[[reaction]]
name = "clear"
equation = "ctc ->"
rate = "death * ctc"
[[reaction]]
name = "pairing"
equation = "2 ctc -> dormant"
k = "pair"

[[published]]
name = "cells in a tube"
observable = "per_tube"
time = "3 days"
value = 5
used_for = "prediction"
source = "doi:10.1000/2"

[test]
t_end = "10 days"
parameters = { shed = "0.2 /day" }
initial = { ctc = 3 }
"""

STUDY = """schema = 1

[model]
file = "toy.model.toml"

[parameters]
shed = "0.02 /day"

[initial]
ctc = 5

[population]
patients = 10
design = "random"
[population.draw]
death = { dist = "lognormal", median = "0.4 /h", cv = 0.5 }
growth = { dist = "uniform", low = "0.05 /day", high = "0.2 /day" }
capacity = { dist = "loguniform", low = 1e5, high = "1e7 cells" }

[simulate]
method = "ode"
t_start = 0
t_end = "30 days"
save = { every = "1 day" }
rtol = 1e-6
atol = 1e-6
window = "1 day"

[ensemble]
replicates = 2
seed = 42

[limits]
max_failed_fraction = 0.01
max_steps_per_trajectory = 100_000
max_events_per_trajectory = 1_000_000
memory = "8 GB"
disk = "1 GB"

[output]
file = "toy.h5"
keep = 5
quantiles = [0.05, 0.5, 0.95]
picture = false
"""

# what cases change
GROW = 'rate = "growth * tumor * max(1 - tumor / capacity, 0)"'
CLEAR = 'rate = "death * ctc"'

Case = tuple[str, str, str, str, str | set[str], str]
