"""The command line, ``python -m beyondmimic_training COMMAND``: one module per command."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from beyondmimic_diffusion.core.errors import BeyondMimicError

COMMANDS = {
    "collect": ("beyondmimic_training.collect.command", "record experts into a data set"),
    "clip": ("beyondmimic_training.clip", "record a motion that the policy can be led into"),
    "motion": ("beyondmimic_training.motions.command", "check and convert motion files of others"),
    "train": ("beyondmimic_training.train", "train a denoiser on data sets"),
    "export": ("beyondmimic_training.export_onnx", "checkpoint -> ONNX, manifest and golden vectors"),
    "build-engine": ("beyondmimic_training.build_engine", "policy folder -> TensorRT engine for the GPU here, proved"),
    "evaluate": ("beyondmimic_training.evaluate.command", "closed-loop suites in MuJoCo, with the expert beside"),
    "estimator": (
        "beyondmimic_training.estimation.command",
        "walks of the expert, the estimated state against the truth",
    ),
    "report": ("beyondmimic_training.report", "every closed-loop figure of a policy, and the tables made of them"),
    "smoke": ("beyondmimic_training.smoke", "all of the above, tiny"),
    "bench": ("beyondmimic_training.bench", "milliseconds of passes, plans, guidance and executor ticks"),
}
"""Command -> module with ``add_arguments`` and ``main``, help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run one command; a known error ends with its sentence and status 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="beyondmimic_training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((a for a in arguments if not a.startswith("-")), "")
    for name, (module, text) in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text)
        if name == chosen:  # only the command's own imports: torch takes seconds
            importlib.import_module(module).add_arguments(sub)
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return importlib.import_module(COMMANDS[args.command][0]).main(args)
    except BeyondMimicError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
