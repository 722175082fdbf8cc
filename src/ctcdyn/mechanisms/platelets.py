"""Platelets: they cloak cells in the blood, which NK cells then do not see.

    naked -> cloaked     cloaking level          (clusters take them on twice as fast)
    cloaked -> naked     uncloaking              (in a capillary too, where none are taken on)

A cloaked cell is killed by NK cells `nk` times, by shear `shear` times and by T cells `t_cells` times as fast as a
naked one, arrests `adhesion` times as fast, and turns mesenchymal `emt` times as fast (platelets give TGF-beta: M.
Labelle et al. 2011, doi:10.1016/j.ccr.2011.09.009). `level` is the number of platelets that can be woken, relative to
normal: aspirin and other antiplatelets lower it. At 1e4 circulating cells among 1e12 platelets none are used up.

In mice without fibrinogen or with platelets that do not wake fewer cells settle, and this benefit vanishes when NK
cells are depleted (J. Palumbo et al. 2005, doi:10.1182/blood-2004-06-2272): with shear = 1 and adhesion = 1 it
vanishes here exactly; with the figures below a small part is left, by stickiness and shear.
"""

NUMBER = 11
ACTS_ON = ("blood", "arrested", "cluster")
REFUTED_BY = "Without platelets as many cells settle as with them while NK cells are there, or the difference stays when NK cells are depleted."

MODEL = """
[parameters]
cloaking = { value = "20 /day", bounds = ["0 /day", "1e5 /day"], source = "assumed: within about an hour", doc = "naked to cloaked at a normal level" }
uncloaking = { value = "2 /day", bounds = ["0 /day", "1e5 /day"], source = "assumed: ten times as slow", doc = "cloaked to naked" }
level = { value = 1, bounds = [0, 10], source = "assumed: normal", doc = "platelets that can be woken, relative" }
nk = { value = 0.2, bounds = [0, 1], source = "assumed: as direction in doi:10.1182/blood-2004-06-2272", doc = "killing of a cloaked cell by NK cells, relative" }
t_cells = { value = 0.7, bounds = [0, 1], source = "assumed: a weak protection", doc = "killing of a cloaked cell by T cells, relative" }
shear = { value = 0.5, bounds = [0, 1], source = "assumed: half", doc = "death of a cloaked cell by shear, relative" }
adhesion = { value = 1.5, bounds = [0, 100], source = "assumed: platelets stick to vessels", doc = "arrest of a cloaked cell, relative" }
emt = { value = 5, bounds = [1, 1000], source = "assumed: as direction in doi:10.1016/j.ccr.2011.09.009", doc = "gain of the mesenchymal state by a cloaked cell, relative" }

[flag.cloaked]
at = ["blood", "arrested"]
gain = { blood = "cloaking * level", cluster = "2 * cloaking * level" }
loss = { blood = "uncloaking", cluster = "uncloaking", arrested = "uncloaking" }
factors = { nk = "nk", t_cells = "t_cells", shear = "shear", arrest = "adhesion", arrest_cluster = "adhesion", mesenchymal = "emt" }
"""
