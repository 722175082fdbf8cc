"""Energy saving: a sleeping cell needs a fraction of the energy and oxygen of one that is awake.

Sleeping cells turn over less. What they die of while they sleep (the hazard `lose` of dormancy) is want of energy, and comes at the rate

    h demand        demand: what a sleeping cell needs of what it needed awake

So do deaths by drugs that hit cells at rest (chemotherapy with dormant = "sensitive"). Drugs that hit division do not reach sleeping cells at all
with or without this mechanism, since these do not divide (chemotherapy).
"""

NUMBER = 18
ACTS_ON = ("dormant",)
REFUTED_BY = "In tissue without oxygen sleeping tumour cells die as fast as dividing ones of the same line."

MODEL = """
[parameters]
demand = { value = 0.1, bounds = [0, 1], source = "assumed: a tenth", doc = "energy that a sleeping cell needs, relative to awake" }

[stage.dormant]
factors = { lose = "demand", chemo = "demand" }
"""
