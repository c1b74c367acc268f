"""How long a user waits for help and for a check, beside command lines of the field.

    python -m benchmarks.startup [--quick] [--json]

Peers print their help: `llm` (simonw/llm, click) and `distilabel` (a generator of instruction data).
Goals: `instil --help` under 0.2 s, `instil check` under 0.5 s, with everything installed.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.harness import ROOT, alternating, arguments, median, peer_environment, report

PEERS = {"llm": "llm", "distilabel": "distilabel"}


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__)
    instil = Path(sys.executable).with_name("instil")
    recipe = ROOT / "src" / "instil" / "scenarios" / "clinic-zh" / "recipe.yaml"
    with ExitStack() as stack:
        commands: dict[str, list[str | Path]] = {
            "instil --help": [instil, "--help"],
            "instil check": [instil, "check", recipe],
        }
        missing = []
        for requirement, command in PEERS.items():
            bin_dir = stack.enter_context(peer_environment(requirement))
            if bin_dir is None:
                missing.append(requirement)
            else:
                commands[f"{command} --help"] = [bin_dir / command, "--help"]
        found = {
            name: median(runs) for name, runs in alternating(commands, 3 if options.quick else 9).items()
        }
    ours = {name: figures for name, figures in found.items() if name.startswith("instil")}
    peers = {name: figures for name, figures in found.items() if name not in ours}
    if not options.json:
        for name, figures in found.items():
            spread = f"({figures['wall_min_s']:.3f} to {figures['wall_max_s']:.3f})"
            print(f"{name:<22}{figures['wall_s']:.3f} s  {spread}")
    ratio = {name: round(f["wall_s"] / ours["instil --help"]["wall_s"], 2) for name, f in peers.items()}
    report("startup", ours=ours, peers=peers, ratio=ratio, not_installed=missing)


if __name__ == "__main__":
    main()
