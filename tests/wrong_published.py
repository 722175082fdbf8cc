"""Wrong [[published]] tables of a study; see wrong_inputs for the form."""

from __future__ import annotations

from wrong_inputs import Case

RIGHT = """[[published]]
name = "a rate"
used_for = "rate"
value = 0.5
range = [0.4, 0.6]
unit = "/day"
source = "doi:10.1000/3"
rests_on = "sets shed"
expr = "shed * early / (dose + early)"
read.early = { of = "per_tube", at = "3 days" }
read.dose = { value = "5 cells" }
[[published]]
name = "a share"
used_for = "prediction"
counts = [3, 10]
source = "doi:10.1000/4"
rests_on = "a rate"
expr = "1 - exp(-late)"
[published.read]
late = { of = "ctc", arm = "control" }
[simulate]
"""


def _case(name: str, right: str, wrong: str, code: str | set[str], line: str) -> Case:
    assert right in RIGHT, name
    return (f"published {name}", "study", "[simulate]\n", RIGHT.replace(right, wrong, 1), code, line)


PUBLISHED: list[Case] = [
    _case("list", 'used_for = "rate"', 'used_for = "fit"', "C105", "used_for"),
    _case("without source", 'source = "doi:10.1000/3"\n', "", "C103", "[[published]]"),
    _case("without expr", 'expr = "1 - exp(-late)"\n', "", "C103", "[[published]]"),
    _case("unknown key", "range =", "rnage =", {"C102", "C103"}, "rnage"),
    _case("value and counts", "counts = [3, 10]", "counts = [3, 10]\nvalue = 0.3", "C107", "counts"),
    _case("no figure", "counts = [3, 10]\n", "", "C103", "[[published]]"),
    _case("more than all", "counts = [3, 10]", "counts = [11, 10]", "C105", "counts"),
    _case("counts and range", "counts = [3, 10]", "counts = [3, 10]\nrange = [0, 1]", "C107", "range"),
    _case("range falls", "range = [0.4, 0.6]", "range = [0.6, 0.4]", "C105", "range"),
    _case("value out of range", "value = 0.5", "value = 0.7", "C105", "range"),
    _case("rate without a range", "range = [0.4, 0.6]\n", "", "C103", "[[published]]"),
    _case("tolerance of a prediction", "counts = [3, 10]", "value = 0.3\nrtol = 0.1", "C107", "rtol"),
    _case("range and tolerance", "range = [0.4, 0.6]", "range = [0.4, 0.6]\nrtol = 0.1", "C107", "rtol"),
    _case("rests on nothing", 'rests_on = "a rate"\n', "", "C103", "[[published]]"),
    _case("same name", 'name = "a share"', 'name = "a rate"', "M301", "a rate"),
    _case("unknown name", 'expr = "shed *', 'expr = "shedd *', "X408", "shedd"),
    _case("a species in expr", '"1 - exp(-late)"', '"1 - exp(-ctc - late)"', "X408", "ctc - late"),
    _case("unit of expr", 'unit = "/day"\n', "", "U205", "expr"),
    _case("unit of exp", "exp(-late)", "exp(-late * shed)", "U206", "exp(-late * shed)"),
    _case("unknown unit", 'unit = "/day"', 'unit = "/dya"', "U202", "/dya"),
    _case("read and not used", '"1 - exp(-late)"', '"0.5"', "C107", "late"),
    _case("not saved", 'at = "3 days"', 'at = "3.5 days"', "C114", "3.5 days"),
    _case("no time", 'at = "3 days"', 'at = "3 cells"', "U201", "3 cells"),
    _case("unknown column", 'of = "per_tube"', 'of = "per_tub"', "C102", "per_tub"),
    _case("column of another method", 'of = "per_tube"', 'of = "chance_relapse"', "C102", "chance_relapse"),
    _case("unknown arm", 'arm = "control"', 'arm = "contrl"', "C102", "contrl"),
    _case("of and value", 'value = "5 cells"', 'value = "5 cells", of = "ctc"', "C107", "dose"),
    _case("neither of nor value", 'value = "5 cells"', 'arm = "control"', {"C103", "X408"}, "dose"),
    _case("time of a number", 'value = "5 cells"', 'value = "5 cells", at = 3', "C107", "dose"),
    _case("no quantity", 'value = "5 cells"', 'value = "five"', "U203", "five"),
    _case("name of a parameter", "read.dose =", "read.shed =", {"M301", "X408"}, "read.shed"),
]
