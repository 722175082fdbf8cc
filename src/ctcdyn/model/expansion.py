"""Stages and flags written out: from the parts of a composed model to species and reactions.

A species may stand in a `stage` ("blood"); hazards act on all that stand in one, or in a stage that is `like` it. A
flag ("cloaked") lives on stages: each species there has a variant for every set of its flags, and carries flags through
reactions as far as they live. One rule gives every rate: the sum of independent hazards, each times the product of the
factors of the flags that the cell carries, of its stage, and of the mechanisms that scale the process. Variants that no
reaction reaches are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ctcdyn.model.composition import Entry, Parts
from ctcdyn.model.mechanism import product, renamed, words
from ctcdyn.model.shapes import PLAIN

_TERM = re.compile(r"(?:([0-9]+)\s*\*?\s*|(members)\s+)?([A-Za-z_]\w*)")
MEMBERS = 0  # a count that stands for as many as the reactant has cells
_PRODUCT = re.compile(r"[\w.]+(?: [*/] [\w.]+)*")
Flags = frozenset[str]
Side = tuple[tuple[int, str], ...]  # (count, species or stage)


class Variant(NamedTuple):
    """A species with the flags that its cells carry."""

    species: str
    flags: Flags = frozenset()


@dataclass(frozen=True)
class Act:
    """A reaction before it is written out. `moves`: the flag that it gives (+) or takes (-)."""

    name: str
    process: str
    left: Side
    right: Side
    key: str  # "k" or "rate"
    text: str
    entry: Entry
    moves: str = ""
    spread: bool = False  # whether it stands for several: then each is named after its cells
    share: tuple[tuple[str, str], ...] = ()  # flags given to some of what arises: (flag, share)
    founders: int = 1  # cells of a lesion that it founds


@dataclass
class Written:
    """Species and reactions of the composed model; `dropped`: variants that nothing reaches."""

    species: dict[str, Entry] = field(default_factory=dict)
    reactions: list[Entry] = field(default_factory=list)
    lesion_reactions: list[Entry] = field(default_factory=list)
    founders: dict[str, list[str]] = field(default_factory=dict)  # reaction as declared -> as written out
    groups: dict[str, int] = field(default_factory=dict)  # reactions that found a lesion with several cells
    dropped: list[str] = field(default_factory=list)


class Expansion:
    """One composed model on its way."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.stages: dict[str, list[str]] = {}
        for name, entry in parts.species.items():
            if isinstance(entry.get("stage"), str):
                self.stages.setdefault(entry["stage"], []).append(name)
        self.flags = {name: self._carriers(flag) for name, flag in parts.flags.items()}
        self.own = {s: frozenset(f for f, on in self.flags.items() if s in on) for s in parts.species}
        lesion = parts.lesion.get("species", {})
        self.inner = parts.lesion.get("size", next(iter(lesion), ""))

    def _carriers(self, flag: Entry) -> frozenset[str]:
        """Species that can carry a flag: those of its stages, or named themselves."""
        found = set()
        for place in flag.get("at", ()) if isinstance(flag.get("at"), list) else ():
            found |= {place} & self.parts.species.keys() | set(self.stages.get(place, ()))
        return frozenset(found)

    def name(self, variant: Variant) -> str:
        """blood_plain, blood_cloaked, ...; a species that can carry no flag keeps its name."""
        if not self.own[variant.species]:
            return variant.species
        carried = [f for f in self.flags if f in variant.flags]
        return "_".join([variant.species, *(carried or [PLAIN])])

    def written(self) -> Written:
        acts = list(self._acts())
        result = Written()
        reached = self._reached(acts)
        for species, entry in self.parts.species.items():
            variants = [v for v in self._variants(species) if v in reached]
            result.dropped += [self.name(v) for v in self._variants(species) if v not in reached]
            for variant in variants:
                result.species[self.name(variant)] = self._species(entry, species, variant)
        births: dict[Variant, list[str]] = {}
        ordered = [a for a in acts if not self._asks(a, "division")] + [a for a in acts if self._asks(a, "division")]
        for act in ordered:
            for variant in self._starts(act, reached):
                for entry, grows in self._write(act, variant, births):
                    result.reactions.append(entry)
                    result.founders.setdefault(act.name, []).append(entry["name"])
                    if act.founders > 1:
                        result.groups[entry["name"]] = act.founders
                    if grows is not None and "k" in entry:
                        births.setdefault(grows, []).append(entry["k"])
        self._write_lesion(result)
        return result

    def _fits(self, flag: str, flags: Flags) -> bool:
        """Whether a cell with these flags may carry one more: `without` names those that exclude each other."""
        without = {f: set(self.parts.flags[f].get("without", ())) for f in (flag, *flags)}
        return not any(f in without[flag] or flag in without[f] for f in flags)

    def _variants(self, species: str) -> list[Variant]:
        found = [frozenset[str]()]
        for flag in (f for f in self.flags if f in self.own[species]):
            found += [flags | {flag} for flags in found if self._fits(flag, flags)]
        return [Variant(species, flags) for flags in found]

    def _species(self, entry: Entry, species: str, variant: Variant) -> Entry:
        kept = {key: value for key, value in entry.items() if key != "by"}
        if not self.own[species]:
            return kept
        if variant.flags:
            kept.pop("initial", None)
        told = ", ".join(f for f in self.flags if f in variant.flags) or "no flag"
        return kept | {"group": species, "doc": f"{entry.get('doc', species)}: {told}"}

    def _acts(self) -> Iterator[Act]:
        """Every reaction of the model and its mechanisms, hazards and flags that come and go among them."""
        shares: dict[str, list[tuple[str, str]]] = {}
        for flag, entry in self.parts.flags.items():
            for process, share in entry.get("share", {}).items():
                shares.setdefault(process, []).append((flag, str(share)))
        for entry in self.parts.reactions:
            key = "k" if "k" in entry else "rate"
            sides = str(entry.get("equation", "")).split("->")
            if key not in entry or len(sides) != 2 or not isinstance(entry.get("name"), str):
                yield Act(str(entry.get("name", "")), "", (), (), "", "", entry)  # the reader of models tells why
                continue
            left, right = (_side(side) for side in sides)
            process = str(entry.get("process", entry["name"]))
            act = Act(entry["name"], process, left, right, key, str(entry[key]), entry)
            yield from self._placed(replace(act, share=tuple(shares.get(process, ()))))
        for entry in self.parts.hazards:
            at = entry.get("at", {})
            for species, text in self._targets(at):
                told = {"fate": entry["name"]} | entry
                if self.parts.species[species].get("stage") == "growing":  # born there, never shed: no fate
                    told.pop("fate")
                yield Act(entry["name"], entry["name"], ((1, species),), (), "k", text, told, spread=True)
        for flag, entry in self.parts.flags.items():
            for sign, key in (("+", "gain"), ("-", "loss")):
                for species, text in self._targets(entry.get(key, {}), flag):
                    name = flag if sign == "+" else f"{flag}_loss"
                    yield Act(name, name, ((1, species),), ((1, species),), "k", text, entry, sign + flag, True)

    def _targets(self, table: object, flag: str = "") -> list[tuple[str, str]]:
        """(species, coefficient) that a table by stage, or one text for all that carry a flag, acts on."""
        if isinstance(table, str):
            return [(s, table) for s in self.parts.species if flag in self.own[s]]
        found: dict[str, str] = {}
        told: dict[str, object] = table if isinstance(table, dict) else {}
        for place, text in told.items():
            stages = [place, *(stage for stage in self._alike(place) if stage not in told)]
            here = [s for stage in stages for s in self.stages.get(stage, ())]
            if place in self.parts.species and place not in self.stages:
                here.append(place)
            found |= {s: str(text) for s in here if not flag or flag in self.own[s]}
        return [(s, found[s]) for s in self.parts.species if s in found]

    def _alike(self, stage: str) -> list[str]:
        return [name for name, entry in self.parts.stages.items() if entry.get("like") == stage]

    def _placed(self, act: Act) -> Iterator[Act]:
        """The act for each species of the stage that it takes from, where a stage has several."""
        sources = [name for _, name in act.left if name in self.stages and name not in self.parts.species]
        if not sources:
            size = self._size(act.left[0][1]) if act.left else 1
            yield self._founding(replace(act, left=self._chosen(act.left, 1), right=self._chosen(act.right, 1)), size)
            return
        found = [x for x in self.stages[sources[0]] if not self.parts.species[x].get("added")]
        for species in found:
            size = self._size(species)
            left = tuple((n, species if x == sources[0] else x) for n, x in act.left)
            right = tuple((n, species if x == sources[0] else x) for n, x in act.right)
            placed = replace(act, left=left, right=self._chosen(right, size), spread=len(found) > 1)
            yield self._founding(placed, size)

    def _founding(self, act: Act, size: float) -> Act:
        """The act with `members` counted, and cells of a stage `growing` that the model does not have as one lesion."""
        right, founders = [], 1
        for count, name in act.right:
            count = count or int(size)
            if name == "growing" and self.inner and name not in self.stages and name not in self.parts.species:
                count, founders, name = 1, count, "lesion"
            right.append((count, name))
        return replace(act, right=tuple(right), founders=founders)

    def _chosen(self, side: Side, size: float) -> Side:
        """Stages among the terms as the species of that stage with as many cells."""
        found = []
        for count, name in side:
            if name in self.stages and name not in self.parts.species:
                here = [s for s in self.stages[name] if not self.parts.species[s].get("added")]
                fitting = [s for s in here if len(here) == 1 or self._size(s) == size]
                name = fitting[0] if fitting else name
            found.append((count, name))
        return tuple(found)

    def _size(self, species: str) -> float:
        size = self.parts.species.get(species, {}).get("cells", 1)
        return size if isinstance(size, (int, float)) and not isinstance(size, bool) else 1

    def _carrier(self, act: Act) -> str:
        """The reactant whose flags the products carry on; empty where there is none."""
        return next((x for _, x in act.left if self.own.get(x)), next((x for _, x in act.left if x in self.own), ""))

    def _starts(self, act: Act, reached: Iterable[Variant]) -> list[Variant]:
        carrier = self._carrier(act)
        if not carrier:
            return [Variant("")]
        flag, here = act.moves[1:], [v for v in self._variants(carrier) if v in reached]
        if act.moves[:1] == "-":
            return [v for v in here if flag in v.flags]
        return [v for v in here if not flag or (flag not in v.flags and self._fits(flag, v.flags))]

    def _outcomes(self, act: Act, start: Variant) -> list[tuple[Flags, str]]:
        """(flags that the products carry on, share of the firings)."""
        flags = start.flags
        if act.moves:
            flag = act.moves[1:]
            return [(flags | {flag} if act.moves[0] == "+" else flags - {flag}, "")]
        found = [(flags, "")]
        for flag, share in act.share:
            lives = any(flag in self.own.get(x, ()) for _, x in act.right)
            if lives and flag not in self.own.get(start.species, frozenset()):
                rest = f"1 - {share}" if " " not in share else f"1 - ({share})"
                given = [(f | {flag}, product(p, share)) for f, p in found if self._fits(flag, f)]
                left = [(f, product(p, rest) if self._fits(flag, f) else p) for f, p in found]
                found = given + [x for x in left if share != "1" or not self._fits(flag, x[0])]
        return found

    def _reached(self, acts: list[Act]) -> set[Variant]:
        reached = {Variant(s) for s in self.parts.species}
        waiting = True
        while waiting:
            waiting = False
            for act in acts:
                for start in self._starts(act, reached):
                    for flags, _ in self._outcomes(act, start):
                        new = {Variant(x, flags & self.own[x]) for _, x in act.right if x in self.own} - reached
                        reached |= new
                        waiting = waiting or bool(new)
        return reached

    def _asks(self, act: Act, word: str) -> bool:
        return word in words(act.text)

    def _write(
        self, act: Act, start: Variant, births: dict[Variant, list[str]]
    ) -> Iterator[tuple[Entry, Variant | None]]:
        """The reactions of an act for one variant of its carrier, and of which variant it is a division."""
        if not act.key:
            yield {key: value for key, value in act.entry.items() if key != "by"}, None
            return
        carrier = start.species
        flagged = bool(carrier) and bool(self.own[carrier])
        if flagged and act.key == "rate" and start.flags:
            return
        if flagged and act.key == "rate":
            fix = "write k, the rate for one cell: it is multiplied with the number of cells of each variant"
            what = f"{act.name} takes from {carrier}, which has flags, and gives a rate for all of its cells"
            self.parts.note("M340", what, act.entry[""], f"reaction.{act.name}", fix)
            return
        if self._asks(act, "division") and not births.get(start) and _PRODUCT.fullmatch(act.text):
            return  # nothing divides there
        factors = self._factors(act.process, start)
        if "0" in factors:
            return  # a factor that is literally 0: these cells do not take part
        text = self._in_model(act.text, start, births)
        for flags, share in self._outcomes(act, start):
            factor = product(text, *factors, self._in_model(share, start, births))
            left = [(n, self.name(start) if x == carrier else self._plain(x)) for n, x in act.left]
            right = [
                (n, self.name(Variant(x, flags & self.own[x])) if x in self.own else x) for n, x in act.right
            ]
            names = [act.name, *([self.name(start)] if flagged or act.spread else [])]
            if share:
                names += [f for f, _ in act.share if f in flags - start.flags] or [PLAIN]
            entry: Entry = {"": act.entry[""], "name": "_".join(names), "equation": _equation(left, right)}
            entry[act.key] = factor
            entry |= {key: act.entry[key] for key in ("fate", "doc") if key in act.entry and not act.moves}
            grows = len(left) == 1 and left[0][0] == 1 and right == [(2, left[0][1])]
            yield entry, start if grows else None

    def _plain(self, name: str) -> str:
        return self.name(Variant(name)) if name in self.own else name

    def _in_model(self, text: str, start: Variant, births: dict[Variant, list[str]]) -> str:
        """`division` and `members` as what they stand for here."""
        rates = " + ".join(births.get(start, [])) or "0"
        if not start.species:
            return text
        return renamed(text, {"division": rates, "members": f"{self._size(start.species):g}"})

    def _factors(self, process: str, start: Variant) -> list[str]:
        found = [str(self.parts.flags[f].get("factors", {}).get(process, "")) for f in self.flags if f in start.flags]
        stage = str(self.parts.species.get(start.species, {}).get("stage", ""))
        found.append(str(self.parts.stages.get(stage, {}).get("factors", {}).get(process, "")))
        found += [x["factor"] for x in self.parts.scales if x["process"] == process]
        return [self._in_model(x, start, {}) for x in found if x]

    def _write_lesion(self, result: Written) -> None:
        """Reactions of a lesion, scaled, and hazards that reach it."""
        births = []
        for entry in self.parts.lesion.get("reaction", ()):
            key = "k" if "k" in entry else "rate"
            kept = {k: v for k, v in entry.items() if k != "by"}
            if isinstance(entry.get(key), str | int | float):
                scaled = [x["factor"] for x in self.parts.scales if x["process"] == entry.get("name")]
                kept[key] = product(str(entry[key]), *scaled)
                left, _, right = str(entry.get("equation")).partition("->")
                if key == "k" and (_side(left), _side(right)) == (((1, self.inner),), ((2, self.inner),)):
                    births.append(kept[key])
            result.lesion_reactions.append(kept)
        for entry in self.parts.hazards if self.inner else ():
            at = entry.get("at", {})
            if isinstance(at, dict) and "lesion" in at:
                text = renamed(str(at["lesion"]), {"division": " + ".join(births) or "0", "lesion": self.inner})
                scaled = [x["factor"] for x in self.parts.scales if x["process"] == entry["name"]]
                result.lesion_reactions.append(
                    {"": entry[""], "name": f"{entry['name']}_lesion", "equation": f"{self.inner} ->",
                     "k": product(text, *scaled)}
                )  # fmt: skip


def _side(text: str) -> Side:
    """(count, name) of each term; what cannot be read stays as it is, for the reader of equations to tell."""
    found = []
    for term in text.split("+"):
        match = _TERM.fullmatch(term.strip())
        if match is not None:
            found.append((MEMBERS if match[2] else int(match[1] or 1), match[3]))
        elif term.strip() not in ("", "0"):
            found.append((1, term.strip()))
    return tuple(found)


def _equation(left: Iterable[tuple[int, str]], right: Iterable[tuple[int, str]]) -> str:
    sides = (" + ".join(f"{n} {x}" if n > 1 else x for n, x in side) for side in (left, right))
    return " -> ".join(sides).strip()

