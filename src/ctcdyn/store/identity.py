"""What a run is, as plain data: its schema, and what must be the same for another process to go on with it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ctcdyn.reduction import bin_edges, sketch_bits
from ctcdyn.store.layout import SCHEMA_VERSION, Schema

# Keys of a study that may change in between
_FREE = {("output", "file"), ("output", "picture"), ("limits", "max_failed_fraction")}


def identity(schema: Schema) -> dict[str, Any]:
    """What must be the same for two processes to write into one result; where the result goes is not part of it."""
    of = schema.provenance
    same = ("kernel_sha256", "model_source", "seed", "ctcdyn_version", "numpy_version", "numba_version")
    found: dict[str, Any] = {name: of[name] for name in same if name in of}
    found |= {name: as_json(schema)[name] for name in ("first", "count", "total", "keep", "method", "times")}
    study = json.loads(str(of.get("config_resolved_json", "{}")))
    for table, values in study.items():
        for key, value in values.items() if isinstance(values, dict) else ():
            if (table, key) not in _FREE:
                found[f"{table}.{key}"] = value
    return found | {"schema": SCHEMA_VERSION}


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Sentences on what differs between two identities; an empty list where nothing does."""
    told = []
    for name in sorted(set(one) | set(other)):
        before, now = one.get(name), other.get(name)
        if before != now:
            shown = [str(value) for value in (before, now)]
            brief = all(len(text) < 60 for text in shown)
            told.append(f"{name} was {shown[0]}, is {shown[1]}" if brief else f"{name} differs")
    return told


def as_json(schema: Schema) -> dict[str, Any]:
    """A schema as plain data, and back by `from_json`; floats come back bit for bit."""
    found = {field.name: getattr(schema, field.name) for field in dataclasses.fields(schema)}
    found["times"] = [float(x).hex() for x in found["times"]]
    del found["bin_edges"]  # they follow from the rest
    found["provenance"] = dict(schema.provenance)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def from_json(plain: Mapping[str, Any]) -> Schema:
    """The schema that `as_json` wrote."""
    found: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
    }
    found["times"] = np.array([float.fromhex(text) for text in found["times"]])
    schema = Schema(**found)
    if not schema.quantiles:
        return schema
    columns = len(schema.species) + len(schema.observables)
    bits = sketch_bits(len(schema.arms) * len(schema.times) * columns)
    return dataclasses.replace(schema, bin_edges=bin_edges(bits))
