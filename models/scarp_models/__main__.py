"""Command line: ``python -m scarp_models COMMAND``; ``--help`` lists the commands."""

from __future__ import annotations

import argparse
import sys

from . import (
    ablations,
    edge,
    evaluate,
    exporting,
    mixtures,
    negatives,
    realism,
    single,
    single_runs,
    train_clouds,
    train_published,
    training,
)
from .checkpoint import CheckpointError

COMMANDS = (
    training,
    single,
    single_runs,
    train_clouds,
    train_published,
    mixtures,
    negatives,
    realism,
    evaluate,
    ablations,
    edge,
    exporting,
)
"""What offers commands, in the order of ``--help``."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (CheckpointError, ValueError, OSError) as error:
        print(f"scarp_models: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scarp_models", description="Networks for Scarp.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.register(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
