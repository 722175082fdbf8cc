"""The command line. One file for each group of commands; nothing heavy is imported for `--help`.

Data goes to stdout, progress and errors to stderr. Exit codes are those of `ctcdyn.errors.Exit`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ctcdyn import __version__
from ctcdyn.cli import bench, cluster, files, health, library, studies


class Commands(TyperGroup):
    """Turns what a command raises into a message and the exit code that the house fixed."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (the name is the library's)
        return list(self.commands)  # in the order of work, not of the alphabet

    def invoke(self, ctx: Any) -> Any:
        from ctcdyn.errors import CtcError, Exit, Interrupted

        try:
            with warnings.catch_warnings():
                warnings.showwarning = _in_a_line(warnings.showwarning)
                return super().invoke(ctx)
        except CtcError as error:
            print(error, file=sys.stderr)
            raise SystemExit(int(error.exit)) from None
        except Interrupted as stopped:
            print(f"stopped: {stopped}\nnext     the same command with --resume goes on", file=sys.stderr)
            raise SystemExit(int(Exit.INTERRUPTED)) from None
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise SystemExit(int(Exit.KILLED)) from None
        except BrokenPipeError:
            # the reader of our output has enough (`ctcdyn models | head`): nobody is left to be told
            sys.stdout = None
            raise SystemExit(0) from None
        except Exception as error:
            # usage errors and early exits of the command-line library know their own code
            if hasattr(error, "exit_code"):
                raise
            import traceback

            traceback.print_exc()
            print(
                f"\nThis is a bug of ctcdyn {__version__}, not of your study. Please report it with the "
                "lines above, the study and the output of `ctcdyn doctor`.",
                file=sys.stderr,
            )
            raise SystemExit(int(Exit.BUG)) from None


def _in_a_line(usual: Callable[..., None]) -> Callable[..., None]:
    """Shows a warning of ours as one line, once; those of others as Python does."""
    told: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if not category.__module__.startswith("ctcdyn."):
            usual(message, category, *place)
        elif str(message) not in told:
            told.add(str(message))
            code = f"[{category.code}]" if hasattr(category, "code") else ""
            print(f"warning{code}: {message}", file=sys.stderr)

    return show


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Simulate how cancer spreads as populations of cells.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ctcdyn {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for _command in (
    studies.run,
    studies.check,
    studies.estimate,
    studies.init,
    library.models,
    library.mechanisms,
    library.codegen,
    files.inspect,
    files.verify,
    files.merge,
    files.replay,
    files.compare,
    files.plot,
    files.report,
    cluster.submit,
    cluster.status,
    health.doctor,
    health.selftest,
    bench.bench,
):
    app.command()(_command)


def main() -> None:
    """Entry point of the `ctcdyn` script."""
    app(prog_name="ctcdyn")
