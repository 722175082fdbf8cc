"""Wrong treatments, events and arms of a study; see wrong_inputs for the form."""

from __future__ import annotations

from wrong_inputs import Case

RIGHT = """[[treatment]]
name = "resection"
at = "tumor >= 1000 cells"
set = { tumor = "tumor * 0.01" }
[[treatment]]
name = "chemo"
start = { after = "resection", delay = "5 days" }
every = "2 days"
cycles = 3
duration = "1 day"
stop_if = "relapse"
scale = { death = 1.5 }
[[arm]]
name = "surgery"
treatments = ["resection"]
[[arm]]
name = "both"
treatments = ["resection", "chemo"]
[[event]]
name = "relapse"
when = "dormant >= 100"
clock = "resection"
stop = true
[[event]]
name = "late"
when = "t >= 20 and per_tube > 1"
after = "chemo"
[simulate]
"""


def _case(name: str, right: str, wrong: str, code: str | set[str], line: str) -> Case:
    assert right in RIGHT, name
    return (f"intervention {name}", "study", "[simulate]\n", RIGHT.replace(right, wrong, 1), code, line)


AT = 'at = "tumor >= 1000 cells"'
SET = 'set = { tumor = "tumor * 0.01" }'
SCALE = "scale = { death = 1.5 }"
WHEN = 'when = "dormant >= 100"'

INTERVENTIONS: list[Case] = [
    _case("no name", 'name = "chemo"\n', "", {"C103", "C102"}, "[[treatment]]"),
    _case("name a number", 'name = "chemo"', "name = 3", {"C104", "C102"}, "name = 3"),
    _case("name with a blank", 'name = "chemo"', 'name = "two words"', {"M307", "C102"}, "two words"),
    _case("name of a species", 'name = "chemo"', 'name = "ctc"', {"M301", "C102"}, 'name = "ctc"'),
    _case("name of a word", 'name = "chemo"', 'name = "min"', {"M307", "C102"}, 'name = "min"'),
    _case("name twice", 'name = "chemo"', 'name = "resection"', {"M301", "C102", "M308"}, 'name = "resection"'),
    _case("set below zero", SET, "set = { tumor = -5 }", "C105", "-5"),
    _case("no time", AT + "\n", "", "C103", "[[treatment]]"),
    _case("at and start", AT, AT + '\nstart = { at = "3 days" }', "C107", "start"),
    _case("start empty", 'start = { after = "resection", delay = "5 days" }', "start = {}", "C103", "start"),
    _case("start at and after", "start = { after", 'start = { at = "1 day", after', "C107", "start"),
    _case("after unknown", 'after = "resection", delay', 'after = "resecton", delay', "C102", "resecton"),
    _case("delay negative", 'delay = "5 days"', 'delay = "-5 days"', "C105", "-5 days"),
    _case("delay in mL", 'delay = "5 days"', 'delay = "5 mL"', "U201", "5 mL"),
    _case("jitter negative", 'delay = "5 days"', 'jitter = "-5 days"', "C105", "-5 days"),
    _case("jitter beyond the run", 'delay = "5 days"', 'jitter = "1e9 days"', "C105", "1e9 days"),
    _case("every a slip", 'every = "2 days"\ncycles = 3\nduration = "1 day"', 'every = "1e-9 days"', "C105", "1e-9"),
    _case("jitter in mL", 'delay = "5 days"', 'jitter = "5 mL"', "U201", "5 mL"),
    _case("jitter without start", AT, AT + '\njitter = "1 day"', "C102", "jitter"),
    _case("jitter and repeat", AT, 'start = { at = "tumor >= 9", jitter = 1 }\nrepeat = true', "C107", "repeat"),
    _case("adherence above one", "cycles = 3", "cycles = 3\nadherence = 92", "C105", "adherence"),
    _case("adherence a text", "cycles = 3", 'cycles = 3\nadherence = "often"', "C104", "adherence"),
    _case("stop of what comes once", AT, AT + '\nstop = "5 days"', "C107", "stop"),
    _case("use without its mechanism", 'name = "chemo"\n', 'name = "chemo"\nuse = "nk_boost"\n', "C112", "nk_boost"),
    _case("stop at once", "cycles = 3", "cycles = 3\nstop = 0", "C105", "stop = 0"),
    _case("misspelt key", "cycles = 3", "cycle = 3", "C102", "cycle = 3"),
    _case("cycles zero", "cycles = 3", "cycles = 0", "C105", "cycles = 0"),
    _case("cycles a fraction", "cycles = 3", "cycles = 3.5", "C104", "cycles = 3.5"),
    _case("cycles without every", 'every = "2 days"\n', "", "C103", "cycles = 3"),
    _case("every zero", 'every = "2 days"', "every = 0", "C105", "every = 0"),
    _case("duration above every", 'duration = "1 day"', 'duration = "9 days"', "C105", "9 days"),
    _case("duration of a set", SET, SET + '\nduration = "1 day"', "C107", "duration"),
    _case("stop_if unknown", 'stop_if = "relapse"', 'stop_if = "relaps"', "C102", "relaps"),
    _case("stop_if a treatment", 'stop_if = "relapse"', 'stop_if = "resection"', "C102", "stop_if"),
    _case("repeat of a time", AT, 'at = "3 days"\nrepeat = true', "C107", "repeat"),
    _case("repeat and every", "cycles = 3", "cycles = 3\nrepeat = true", "C107", "repeat"),
    _case("at before the start", AT, 'at = "-3 days"', "C105", "-3 days"),
    _case("at in mL", AT, 'at = "3 mL"', "U201", "3 mL"),
    _case("at misspelt unit", AT, 'at = "3 dys"', "U202", "3 dys"),
    _case("at a count", AT, 'at = "tumor * 2"', "C118", "tumor * 2"),
    _case("at a volume", AT, 'at = "2 * tube"', "U201", "2 * tube"),
    _case("at unknown name", AT, 'at = "tumr >= 1000"', "X408", "tumr"),
    _case("at days and cells", AT, 'at = "tumor >= 3 days"', "U204", "tumor >= 3 days"),
    _case("at no expression", AT, 'at = "tumor >="', "X401", "tumor >="),
    _case("at code", AT, 'at = "__import__(1) > 0"', "X404", "__import__"),
    _case("at moving", AT, 'at = "tumor >= 10 * t"', {"U204"}, "10 * t"),
    _case("at moving with the time", AT, 'at = "t * growth >= 2"', "C118", "t * growth"),
    _case("set nothing", SET + "\n", "", "C103", "[[treatment]]"),
    _case("set unknown", SET, "set = { tumr = 0 }", "C102", "tumr"),
    _case("set a parameter", SET, "set = { growth = 0 }", "C102", "growth"),
    _case("set to mL", SET, 'set = { tumor = "3 mL" }', "U205", "3 mL"),
    _case("set to another unit", SET, 'set = { tumor = "tube" }', "U205", "tube"),
    _case("set with the time", SET, 'set = { tumor = "tumor - t" }', "X408", "tumor - t"),
    _case("set true", SET, "set = { tumor = true }", "C104", "tumor = true"),
    _case("scale unknown", SCALE, "scale = { deth = 2 }", "C102", "deth"),
    _case("scale a species", SCALE, "scale = { tumor = 2 }", "C102", "tumor"),
    _case("scale negative", SCALE, "scale = { death = -1 }", "C105", "death = -1"),
    _case("scale nan", SCALE, "scale = { death = nan }", "C106", "death = nan"),
    _case("scale out of bounds", SCALE, "scale = { growth = 100 }", "M306", "growth = 100"),
    _case("scale with a unit", SCALE, 'scale = { death = "shed" }', "U205", "shed"),
    _case("scale by itself", SCALE, 'scale = { death = "death * life" }', "C107", "death * life"),
    _case("arm of nothing", 'name = "surgery"\ntreatments = ["resection"]', 'name = "surgery"', "C103", "[[arm]]"),
    _case("arm of an unknown treatment", '["resection"]', '["resecton"]', "C102", "resecton"),
    _case("arm of a treatment twice", '["resection"]', '["resection", "resection"]', "C105", "treatments"),
    _case("arm of a text", '["resection"]', '"resection"', "C104", "treatments"),
    _case("arm twice", 'name = "both"', 'name = "surgery"', "M301", 'name = "surgery"'),
    _case("arm of blanks", 'name = "both"', 'name = " "', "M307", 'name = " "'),
    _case("arms a table", '[[arm]]\nname = "surgery"', '[arm]\nname = "surgery"', "C101", "[[arm]]"),
    _case("event without when", WHEN + "\n", "", "C103", "[[event]]"),
    _case("event of a number", WHEN, "when = 3", "C104", "when = 3"),
    _case("event no condition", WHEN, 'when = "dormant"', "C118", "when"),
    _case("event unknown name", WHEN, 'when = "dormnt >= 1"', "X408", "dormnt"),
    _case("event of a treatment", WHEN, 'when = "resection > 1"', "X408", "resection"),
    _case("event unit", WHEN, 'when = "tube >= 1"', "U204", "tube"),
    _case("clock unknown", 'clock = "resection"', 'clock = "resecton"', "C102", "resecton"),
    _case("clock itself", 'clock = "resection"', 'clock = "relapse"', {"C102", "M308"}, "relapse"),
    _case("event after unknown", 'after = "chemo"', 'after = "radio"', "C102", "radio"),
    _case("stop a text", "stop = true", 'stop = "yes"', "C104", "stop"),
    _case("circle", 'start = { after = "resection"', 'start = { after = "late"', "M308", "name"),
]  # fmt: skip


def many(count: int) -> str:
    """A study text with so many arms."""
    return "".join(f'[[arm]]\nname = "arm {k}"\ntreatments = []\n' for k in range(count)) + "[simulate]\n"


INTERVENTIONS.append(("intervention 256 arms", "study", "[simulate]\n", many(256), "C105", "[[arm]]"))
