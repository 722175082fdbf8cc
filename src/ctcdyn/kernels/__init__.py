"""What every solver is built from: the decorators, lane arithmetic, random streams and the contract.

These modules are concatenated by the linker into one self-contained module, so each of them holds only
imports, constants and decorated functions, and no top-level name is defined twice among them.
"""
