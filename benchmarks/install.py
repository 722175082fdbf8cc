"""Installs the peers, each in an environment of its own: benchmarks/.peers/NAME, or $CTCDYN_PEERS/NAME.

    python benchmarks/install.py [NAME ...]

What cannot be installed is told at the end, with the reason, and the others are.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv

from tools import Peer, peers


def install(peer: Peer) -> str:
    """ "" where it is installed now, else why not."""
    absent = peer.missing() if not peer.packages else peer.lacks()
    if absent or not peer.packages:
        return absent
    venv.create(peer.home, with_pip=True)
    done = subprocess.run(
        [peer.command[0], "-m", "pip", "install", "--quiet", *peer.packages],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return f"pip: {done.stderr.strip().splitlines()[-1][:200]}"
    return peer.missing()


def main() -> int:
    known = peers()
    parser = argparse.ArgumentParser(description="Install the tools that ctcdyn is measured against.")
    parser.add_argument("names", nargs="*", choices=[*known, []], help="all, if none is named")
    reasons = {}
    for name in parser.parse_args().names or known:
        reasons[name] = install(known[name])
        print(f"{name:14s} {reasons[name] or 'installed'}", flush=True)
    return 1 if any(reasons.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
