"""Small segments become one while a run goes on: the same content, a bounded number of them, and no crash matters."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import strikes
from commands import command
from ctcdyn import preparation, study
from ctcdyn.estimation import estimate
from ctcdyn.reduction import Histogram, Tree
from ctcdyn.store import compaction, journal
from ctcdyn.store.content import content_hash
from ctcdyn.store.identity import from_json
from ctcdyn.store.layout import LEAF
from ctcdyn.store.manifest import Entry, Manifest
from ctcdyn.store.segments import parse, read_checked
from ctcdyn.store.verification import Unfinished, verify
from faults import WAYS
from scenes import Place, Scene, covered, entries, write_study


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Each commit but the first is merged with what is there."""
    return Scene(tmp_path_factory.mktemp("compaction"), many=2)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.node.nodeid)


def stopped(scene: Scene, many: int) -> Place:
    """All is committed, and the result not yet made."""
    place = scene.place()
    assert scene.run(place, plan=place.plan("assembly", 1, "kill"), many=many).code == 5
    assert covered(entries(place.parts)) == [(0, scene.count)]
    return place


@pytest.mark.parametrize("how", WAYS[1:])
def test_some_operations(scene: Scene, rng: random.Random, how: str) -> None:
    """From the second commit on, which is merged with the first."""
    numbers = sorted(rng.sample(range(14, scene.operations - 4), 4 if how in ("kill", "torn") else 1))
    assert sum(strikes.at_operations(scene, "run", how, numbers).values()) == len(numbers)


@pytest.mark.faults
@pytest.mark.parametrize("how", WAYS[1:])
def test_every_operation(scene: Scene, how: str) -> None:
    numbers = range(1, scene.operations + 1)
    assert sum(strikes.at_operations(scene, "run", how, numbers).values()) == len(numbers)


def test_a_merged_segment_holds_the_same_rows_paths_and_sums(scene: Scene) -> None:
    """Down to the bits of the root and every count, with neighbouring runs joined."""
    many, one = stopped(scene, 64), stopped(scene, 2)
    assert (len(entries(many.parts)), len(entries(one.parts))) == (5, 1)
    (merged,) = entries(one.parts)
    assert merged.runs == ((0, scene.count),)
    assert merged.size < 0.7 * sum(entry.size for entry in entries(many.parts))
    found = [_sums(place) for place in (many, one)]
    assert found[0] == found[1]
    for place in (many, one):
        scene.goes_on(place)


def _sums(place: Place) -> list[bytes]:
    schema = from_json(Manifest.read(place.parts).header["schema"])
    tree = Tree(-(-schema.total // LEAF))
    histogram = Histogram(len(schema.arms), len(schema.times), len(schema.species) + len(schema.observables))
    for entry in entries(place.parts):
        data = read_checked(place.parts, entry)
        assert data is not None
        segment = parse(schema, entry, data)
        tree.add_all(segment.nodes)
        for part in segment.sketches:
            histogram.add(part)
    root = tree.root()
    return [root.n.tobytes(), root.mean.tobytes(), root.m2.tobytes(), histogram.sketch().counts.tobytes()]


def test_there_is_a_most_of_segments_and_of_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often is committed: 30 leaves, each for itself, and at every moment what `estimate` says is enough."""
    monkeypatch.setattr(journal, "SECONDS", 0.0)
    monkeypatch.setattr(preparation, "SECONDS", 0.0)
    monkeypatch.setattr(compaction, "MANY", 4)
    monkeypatch.setattr(compaction, "SMALL", 40_000)
    text = write_study(tmp_path / "s.toml", 30 * LEAF)
    _, _, schema = study._plan(study.load_study(str(text)), False, (1, 1))
    told = estimate(schema, 1)
    numbers: list[int] = []
    merged: list[int] = []
    append = Manifest.append

    def look(self: Manifest, entry: Entry, replaces: list[Entry] = []) -> None:  # noqa: B006
        append(self, entry, replaces)
        there = list(self.path.parent.glob("*.h5"))
        assert sum(path.stat().st_size for path in there) <= told.segments
        numbers.append(len(self.entries))
        merged.append(len(replaces))

    monkeypatch.setattr(Manifest, "append", look)
    assert command("run", text, "--threads", 1, "--progress", "none")[0] == 0
    assert len(numbers) - sum(map(bool, merged)) >= 20  # commits
    assert sum(map(bool, merged)) >= 5
    size = schema.count * 60 + schema.kept * len(schema.times) * 8
    assert max(numbers) <= compaction.most(size) < 30
    monkeypatch.undo()
    plain = write_study(tmp_path / "plain.toml", 30 * LEAF)
    assert command("run", plain, "--threads", 2, "--progress", "none")[0] == 0
    assert content_hash(tmp_path / "s.h5") == content_hash(tmp_path / "plain.h5")


def test_a_resumed_run_merges_what_it_finds(scene: Scene) -> None:
    """Segments of before among them: killed at its 20th operation, and resumed with mergers."""
    place = scene.place()
    assert scene.run(place, plan=place.plan("run", 20, "kill"), many=64).code == -9
    assert 1 <= len(entries(place.parts)) < 5
    assert scene.run(place, "--resume", plan=place.plan("assembly", 1, "kill"), many=2).code == 5
    assert len(entries(place.parts)) == 1
    scene.goes_on(place)


def test_what_was_replaced_and_not_yet_removed_does_not_count(scene: Scene) -> None:
    """A process that dies between the line of the manifest and the removal."""
    place, other = stopped(scene, 64), stopped(scene, 2)
    for old in entries(place.parts)[:4]:
        (other.parts / old.name).write_bytes((place.parts / old.name).read_bytes())
    assert len(list(other.parts.glob("*.h5"))) == 5
    found = verify(other.target)
    assert isinstance(found, Unfinished)
    assert (found.whole, found.rows, found.segments) == (True, scene.count, 1)
    scene.goes_on(other)


@pytest.mark.parametrize("which", range(5))
def test_one_damaged_line_of_a_merger_loses_nothing(scene: Scene, which: int) -> None:
    """It is there twice, with an empty line between: neither a flip in one nor one in an end of line is both."""
    place = stopped(scene, 2)
    manifest = place.parts / "manifest.jsonl"
    data = bytearray(manifest.read_bytes())
    ends = [at for at, byte in enumerate(data) if byte == ord("\n")]
    places = [ends[-3] - 30, ends[-3], ends[-2], ends[-1] - 30, ends[-1]]
    data[places[which]] ^= 1
    manifest.write_bytes(data)
    (entry,) = entries(place.parts)
    assert entry.runs == ((0, scene.count),)
    scene.goes_on(place)


def test_a_damaged_small_segment_is_not_merged_away(scene: Scene, rng: random.Random) -> None:
    place = stopped(scene, 64)
    found = Manifest.read(place.parts)
    strikes.damage(place.parts / found.entries[2].name, rng, flip=True)
    schema = from_json(found.header["schema"])
    before = sorted(path.name for path in place.parts.iterdir())
    assert compaction.merge_segments(place.parts, "000099.h5", schema, found.entries) is None
    assert sorted(path.name for path in place.parts.iterdir()) == before
    assert compaction.merge_segments(place.parts, "000099.h5", schema, found.entries[3:]) is not None
