"""Hiding: cells that lost what immune cells know them by.

loss = "antigen": cells without the antigen (flag `hidden`) are killed less by T cells, which know only that and learn
less from them, and less by NK cells. loss = "mhc": cells without MHC-I (flag `mhc_low`) can show nothing to T cells,
and NK cells, which the missing MHC-I wakes, kill them more: missing self (K. Karre et al. 1986,
doi:10.1038/319675a0). loss = "both": either, or both.

They arise by `mutation` at a division where the flag lives on dividing cells (growing cells by default; the primary
with at = ["primary", ...]), and of cells that reach tissue the share `arriving` hides already: those of the primary
that editing left (G. Dunn et al. 2002, doi:10.1038/ni1102-991). Daughters hide as their mother does. A cell that
hides in one stage and comes into one where the flag does not live has it no more: at = ["primary", "blood",
"arrested", "tissue", "growing"] for the whole way, at the price of twice the variants on each.
"""

NUMBER = 10
ACTS_ON = ("tissue", "growing", "blood", "primary")
REFUTED_BY = "Clones without the antigen are not enriched in metastases of hosts with T cells beside hosts without."

MODEL = """
[options]
loss = ["antigen", "mhc", "both"]

[parameters]
mutation = { value = 1e-6, bounds = [0, 1], source = "assumed: loss of one gene, 1e-8 to 1e-5 at a division", doc = "chance of a daughter to hide" }
arriving = { value = 0.01, bounds = [0, 1], source = "assumed: a small clone of the primary", doc = "share of hidden cells among those that reach tissue, where the flag does not live on the way" }
nk = { value = 0.5, bounds = [0, 1], source = "assumed: half", doc = "killing of a cell without antigen by NK cells, relative", if = { loss = ["antigen", "both"] } }
t_cells = { value = 0.3, bounds = [0, 1], source = "assumed: a third", doc = "killing of a cell without antigen by T cells, relative", if = { loss = ["antigen", "both"] } }
missing_self = { value = 2, bounds = [1, 100], source = "assumed: as direction in doi:10.1038/319675a0", doc = "killing of a cell without MHC-I by NK cells, relative", if = { loss = ["mhc", "both"] } }
unseen = { value = 0.05, bounds = [0, 1], source = "assumed: T cells see next to nothing", doc = "killing of a cell without MHC-I by T cells, relative", if = { loss = ["mhc", "both"] } }

[flag.hidden]
at = ["tissue", "growing"]
gain = { primary = "mutation * division", growing = "mutation * division" }
share = { extravasate = "arriving" }
factors = { nk = "nk", t_cells = "t_cells", prime = "t_cells" }
if = { loss = ["antigen", "both"] }

[flag.mhc_low]
at = ["tissue", "growing"]
gain = { primary = "mutation * division", growing = "mutation * division" }
share = { extravasate = "arriving" }
factors = { nk = "missing_self", t_cells = "unseen", prime = "unseen" }
if = { loss = ["mhc", "both"] }
"""
