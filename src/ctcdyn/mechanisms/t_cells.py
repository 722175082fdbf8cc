"""T cells: they learn one antigen, divide in a burst and kill what shows it, days later than NK cells.

Cells that show their antigen recruit naive T cells at the rate priming A / (antigen_half + A), A the cells that show it. A recruited
clone goes through four stages, each with the rate 4 / priming_time, so that the time from antigen to effectors is Erlang distributed
(mean priming_time, standard deviation half of it), and then divides eight times: a burst of 256 effectors. These leave at the rate `contraction`,
and kill each cell that shows the antigen at the rate

    h = kill_rate E / full        full = burst priming / contraction, the effectors at full antigen

`full` is what E comes to, so that no unit of a mouse's spleen meets a human's blood. The slowness is in the structure: the rate of
killing grows as the fifth power of time after the first antigen, that of NK cells is there at once. With memory = "kept" a share of the effectors
stays, and gives effectors at once when the antigen comes back, up to `full`.

Antigen is shown by the primary (antigen = "primary", pinned, so that every method can follow it) or by metastases too (antigen = "all"). Cells that hide
have a factor on the process `prime` as on `t_cells`: what hides neither teaches nor is killed. All species here are pinned: with
`direct`, which pins nothing, a burst is 256 effectors one after another, with the right mean and less noise.

Killing is proportional to the number of effectors in the mouse's spleen (doi:10.1371/journal.pone.0015959), but one of them kills 2 to 16 cells a day at
most (S. Halle et al. 2016, doi:10.1016/j.immuni.2016.01.010). For the few cells that circulate, arrest or sleep that is no bound; in a metastasis of n cells each is
killed at h / (1 + n / n0), n0 = capacity full / (kill of one cell at full effectors), so that E effectors kill at most capacity E cells a day there. With limit = "none" they have no such bound, and cells of a pool stay independent of
one another (first_order_leap, backward, moments).
"""

NUMBER = 9
ACTS_ON = ("blood", "cluster", "arrested", "tissue", "dormant", "growing", "lesion", "primary")
REFUTED_BY = "T cells of an animal that never saw the antigen kill as many tumour cells on the first day as those of a primed animal."

MODEL = """
[options]
antigen = ["primary", "all"]
memory = ["none", "kept"]
limit = ["capacity", "none"]

[species]
t_primed_1 = { unit = "cells", continuous = true, doc = "T cells in the first stage of priming" }
t_primed_2 = { unit = "cells", continuous = true, doc = "T cells in the second stage of priming" }
t_primed_3 = { unit = "cells", continuous = true, doc = "T cells in the third stage of priming" }
t_primed_4 = { unit = "cells", continuous = true, doc = "T cells in the last stage of priming" }
t_effectors = { unit = "cells", continuous = true, doc = "T cells that kill" }
t_memory = { unit = "cells", continuous = true, doc = "T cells that remember", if = { memory = "kept" } }

[parameters]
priming = { value = "1000 cells/day", bounds = ["0 cells/day", "1e9 cells/day"], source = "assumed: of 1e12 T cells a part in 1e6 fits an antigen, a thousandth of these is recruited in a day", doc = "naive T cells recruited in a day at full antigen; cancels in E / full" }
antigen_half = { value = "1e6 cells", bounds = ["1 cells", "1e12 cells"], source = "assumed: 1 mm3 of tumour", doc = "cells with antigen that give half of the recruitment" }
priming_time = { value = "6 days", bounds = ["0.5 days", "60 days"], source = "assumed: 4 to 8 days in mouse and man", doc = "mean time from antigen to effectors" }
burst = { value = 256, bounds = [1, 1e6], source = "derived: 2 ** 8, eight divisions", doc = "effectors of one primed cell" }
contraction = { value = "0.1 /day", bounds = ["0.001 /day", "10 /day"], source = "assumed: effectors stay for ten days, 0.02 to 0.2 /day in use", doc = "effectors that leave in a day" }
kill_rate = { value = "1 /day", bounds = ["0 /day", "1e3 /day"], source = "assumed: 1 of 36 losses a day in the blood", doc = "killing of a circulating cell at full effectors" }
tissue = { value = 0.1, bounds = [0, 10], source = "assumed: a tenth of the blood's", doc = "killing of a cell in tissue or in a capillary, relative to the blood" }
dormant = { value = 2e-3, bounds = [0, 10], source = "assumed: 2e-3 /day, as NK cells kill sleeping cells that do not hide", doc = "killing of a sleeping cell without protection, relative to the blood" }
metastasis = { value = 2e-3, bounds = [0, 10], source = "assumed: as of a sleeping cell; below the growth of 0.0134 /day of a human metastasis, which would never appear otherwise", doc = "killing of a cell of a small metastasis, relative to the blood" }
capacity = { value = "5 /day", bounds = ["0.01 /day", "1e3 /day"], source = "derived: within 2 to 16 a day (mouse, doi:10.1016/j.immuni.2016.01.010)", doc = "cells of a metastasis that one effector kills in a day at most", if = { limit = "capacity" } }
full = { expr = "burst * priming / contraction", unit = "cells", source = "derived: stationary effectors at full antigen", doc = "effectors at full antigen" }
remembered = { value = 0.05, bounds = [0, 1], source = "assumed: 5 % of effectors survive contraction", doc = "share of effectors that become memory", if = { memory = "kept" } }
forgetting = { value = "1e-3 /day", bounds = ["0 /day", "1 /day"], source = "assumed: memory lasts for years", doc = "loss of memory", if = { memory = "kept" } }
recall = { value = "1 /day", bounds = ["0 /day", "100 /day"], source = "assumed: a division a day, without priming", doc = "effectors from one memory cell in a day at full antigen", if = { memory = "kept" } }

[[reaction]]
name = "prime"
equation = "primary -> primary + t_primed_1"
k = "priming / (antigen_half + primary)"
if = { antigen = "primary" }
[[reaction]]
name = "prime"
equation = "primary -> primary + t_primed_1"
k = "priming / (antigen_half + primary + growing)"
if = { antigen = "all" }
[[reaction]]
name = "prime_by_metastases"
process = "prime"
equation = "growing -> growing + t_primed_1"
k = "priming / (antigen_half + primary + growing)"
needs = "growing"
if = { antigen = "all" }
[[reaction]]
name = "prime_2"
equation = "t_primed_1 -> t_primed_2"
k = "4 / priming_time"
[[reaction]]
name = "prime_3"
equation = "t_primed_2 -> t_primed_3"
k = "4 / priming_time"
[[reaction]]
name = "prime_4"
equation = "t_primed_3 -> t_primed_4"
k = "4 / priming_time"
[[reaction]]
name = "t_arm"
equation = "t_primed_4 ->"
k = "4 / priming_time"
[[reaction]]
name = "t_burst"
equation = "t_primed_4 -> t_primed_4 + t_effectors"
k = "burst * 4 / priming_time"
[[reaction]]
name = "t_contract"
equation = "t_effectors ->"
k = "contraction"
if = { memory = "none" }
[[reaction]]
name = "t_contract"
equation = "t_effectors ->"
k = "(1 - remembered) * contraction"
if = { memory = "kept" }
[[reaction]]
name = "t_remember"
equation = "t_effectors -> t_memory"
k = "remembered * contraction"
if = { memory = "kept" }
[[reaction]]
name = "t_forget"
equation = "t_memory ->"
k = "forgetting"
if = { memory = "kept" }
[[reaction]]
name = "t_recall"
equation = "t_memory -> t_memory + t_effectors"
k = "recall * primary / (antigen_half + primary) * max(1 - t_effectors / full, 0)"
if = { memory = "kept", antigen = "primary" }
[[reaction]]
name = "t_recall"
equation = "t_memory -> t_memory + t_effectors"
k = "recall * (primary + growing) / (antigen_half + primary + growing) * max(1 - t_effectors / full, 0)"
if = { memory = "kept", antigen = "all" }

[[hazard]]
name = "t_cells"
fate = "t_cells"

[hazard.at]
blood = "kill_rate * t_effectors / full"
cluster = "kill_rate * t_effectors / full"
arrested = "tissue * kill_rate * t_effectors / full"
arrested_cluster = "tissue * kill_rate * t_effectors / full"
tissue = "tissue * kill_rate * t_effectors / full"
dormant = "dormant * kill_rate * t_effectors / full"

[[hazard]]
name = "t_cells"
fate = "t_cells"
if = { limit = "capacity" }

[hazard.at]
growing = "metastasis * kill_rate * t_effectors / full / (1 + growing * metastasis * kill_rate / (capacity * full))"
lesion = "metastasis * kill_rate * t_effectors / full / (1 + lesion * metastasis * kill_rate / (capacity * full))"

[[hazard]]
name = "t_cells"
at = { growing = "metastasis * kill_rate * t_effectors / full", lesion = "metastasis * kill_rate * t_effectors / full" }
fate = "t_cells"
if = { limit = "none" }
"""
