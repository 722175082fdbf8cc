"""Observables that a kernel keeps while it runs, one file each.

A file says what it needs of a model (`OPTIONS`: name -> "reaction", "condition" or "flag", which may be left out) and
how a kernel realises it (`REALISED`): "counter", a hidden state row that gains one with each firing of a reaction (in
ODE semantics the integral of its rate), or "passage", the time at which a condition first becomes true, stored as an
event.
"""
