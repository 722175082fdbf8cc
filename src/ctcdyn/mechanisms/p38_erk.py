"""p38 and ERK: the ratio of two signals in a niche decides between sleep and growth.

With r = ERK / p38 activity, in units of the ratio at which half of the effect is reached,

    wake  ~ r ** n / (1 + r ** n)           sleep, resleep  ~ 1 / (1 + r ** n)

both relative to the undisturbed niche (r = ratio), so that switching the mechanism on changes nothing until something moves r:

    r = ratio erk / p38 (1 + fibrosis_effect fibrosis)

`p38` and `erk` are the activities relative to normal, which treatments scale (p38_inhibitor takes p38 away), `fibrosis` is collagen I in the niche, 0 in
a healthy one. Far below the threshold waking grows as r ** n: halving p38 multiplies it by 2 ** n. A niche that drives cells towards growth also
makes them visible: killing by NK cells and T cells asleep is multiplied with 1 + (seen - 1) w, w the effect of r from 0 in the undisturbed niche to
1 at full growth.

J. Aguirre-Ghiso et al. 2003; A. Ranganathan et al. 2006; M. Sosa et al. 2011, Clin Cancer Res 17:5850.
"""

NUMBER = 20
ACTS_ON = ("dormant", "tissue")
REFUTED_BY = "An inhibitor of p38 leaves the number of sleeping cells that begin to divide as it was."

MODEL = """
[parameters]
ratio = { value = 0.1, bounds = [1e-3, 1e3], source = "assumed: a tenth of the threshold, a niche that keeps cells asleep", doc = "ERK / p38 of the undisturbed niche, in units of the ratio of half effect" }
steepness = { value = 4, bounds = [1, 16], source = "assumed: a switch", doc = "Hill exponent" }
erk = { value = 1, bounds = [0, 1e3], source = "derived: 1 is normal", doc = "ERK activity relative to normal" }
p38 = { value = 1, bounds = [1e-3, 1e3], source = "derived: 1 is normal", doc = "p38 activity relative to normal" }
fibrosis = { value = 0, bounds = [0, 1], source = "assumed: a healthy niche", doc = "collagen I in the niche, 1 in a scar" }
fibrosis_effect = { value = 3, bounds = [0, 100], source = "assumed: ERK fourfold in a scar", doc = "by how much a scar raises ERK / p38" }
seen = { value = 20, bounds = [1, 1e3], source = "derived: 1 / 0.05, the whole of what immune_avoidance spares sleeping cells", doc = "killing of a sleeping cell by NK cells and T cells in a niche that drives growth, relative to the undisturbed one" }
drive = { expr = "hill(ratio, 1, steepness)", unit = "1", source = "derived: r = ratio", doc = "share of the full effect in the undisturbed niche" }
effect = { expr = "hill(ratio * erk / p38 * (1 + fibrosis_effect * fibrosis), 1, steepness)", unit = "1", source = "derived: from r", doc = "share of the full effect" }
visible = { expr = "1 + (seen - 1) * max(effect - drive, 0) / (1 - drive)", unit = "1", source = "derived: from effect", doc = "killing of a sleeping cell by NK cells and T cells relative to the undisturbed niche" }

[scale]
wake = "effect / drive"
sleep = "(1 - effect) / (1 - drive)"
resleep = "(1 - effect) / (1 - drive)"

[stage.dormant]
factors = { nk = "visible", t_cells = "visible" }
"""
