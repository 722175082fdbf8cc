"""A problem as SBML: for the tools that read it. Amounts are numbers of cells ("item"), the one compartment has size 1.

SBML Level 3 Version 1 Core, doi:10.2390/biecoll-jib-2018-1.
"""

import ast
from typing import Any

WHAT = {ast.Add: "plus", ast.Sub: "minus", ast.Mult: "times", ast.Div: "divide", ast.Pow: "power"}
MATH = "http://www.w3.org/1998/Math/MathML"


def math(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=value):
            mantissa, _, power = f"{float(value)!r}".partition("e")
            return f'<cn type="e-notation">{mantissa}<sep/>{int(power)}</cn>' if power else f"<cn>{mantissa}</cn>"
        case ast.Name(id=name):
            return f"<ci>{name}</ci>"
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return f"<apply><minus/>{math(inner)}</apply>"
        case ast.BinOp(left=left, op=op, right=right):
            return f"<apply><{WHAT[type(op)]}/>{math(left)}{math(right)}</apply>"
        case ast.Call(func=ast.Name(id="max"), args=[left, right]):
            a, b = math(left), math(right)
            test = f"<apply><gt/>{a}{b}</apply>"
            return f"<piecewise><piece>{a}{test}</piece><otherwise>{b}</otherwise></piecewise>"
    raise ValueError(f"not in a rate: {ast.unparse(node)}")


def sbml(problem: dict[str, Any]) -> str:
    """What a rate reads and no reaction takes stands as a modifier."""
    everywhere = set(problem["species"])
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">',
        f'<model id="{problem["name"]}" substanceUnits="item" extentUnits="item" timeUnits="second">',
        "<listOfCompartments>",
        '<compartment id="body" spatialDimensions="3" size="1" constant="true"/>',
        "</listOfCompartments>",
        "<listOfSpecies>",
        *(
            f'<species id="{name}" compartment="body" initialAmount="{value!r}" substanceUnits="item" '
            'hasOnlySubstanceUnits="true" boundaryCondition="false" constant="false"/>'
            for name, value in problem["species"].items()
        ),
        "</listOfSpecies>",
        "<listOfParameters>",
        *(
            f'<parameter id="{name}" value="{value!r}" constant="true"/>'
            for name, value in problem["parameters"].items()
        ),
        "</listOfParameters>",
        "<listOfReactions>",
    ]
    for reaction in problem["reactions"]:
        lines.append(f'<reaction id="R_{reaction["name"]}" reversible="false" fast="false">')
        for kind, side in (("Reactants", reaction["reactants"]), ("Products", reaction["products"])):
            if side:
                told = "".join(
                    f'<speciesReference species="{name}" stoichiometry="{number}" constant="true"/>'
                    for name, number in side.items()
                )
                lines.append(f"<listOf{kind}>{told}</listOf{kind}>")
        tree = ast.parse(reaction["rate"], mode="eval").body
        read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & everywhere
        others = sorted(read - set(reaction["reactants"]))
        if others:
            told = "".join(f'<modifierSpeciesReference species="{name}"/>' for name in others)
            lines.append(f"<listOfModifiers>{told}</listOfModifiers>")
        lines.append(f'<kineticLaw><math xmlns="{MATH}">{math(tree)}</math></kineticLaw></reaction>')
    return "\n".join([*lines, "</listOfReactions></model></sbml>"]) + "\n"
