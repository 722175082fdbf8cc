"""Observables that a kernel keeps or draws while it runs, one file each.

A file says what it needs of a model (`OPTIONS`: name -> "reaction", "condition" or "expression"; a "flag", a "share"
from 0 to 1 and a "spread" from 0 on may be left out, and the last two may be expressions) and how a kernel realises it
(`REALISED`): "counter", a hidden state row that gains one with each firing of a reaction (in ODE semantics the
integral of its rate), "passage", the time at which a condition first becomes true, stored as an event, or "sample", a
count drawn at each save.
"""
