"""``motion``: look at motion files of others, and convert them to what trackers are trained on."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from .motion import MotionError
from .npz_file import ORDERS
from .reader import KINDS, read_motion
from .tracker_npz import RATE, write_tracker_npz

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``motion``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    convert = actions.add_parser("convert", help=f"to an NPZ at {RATE:g} Hz, as whole_body_tracking and mjlab read it")
    check = actions.add_parser("check", help="read, judge, and say what it is")
    for sub in (convert, check):
        sub.add_argument("file", type=Path, help=", ".join(f"{ending}: {text}" for ending, text in KINDS.items()))
        sub.add_argument("--rate", type=float, help="frames a second of the file, where it does not say (CSV: 30)")
        sub.add_argument("--joint-order", choices=tuple(ORDERS), default="", help="of an NPZ that names no joints")
    convert.add_argument("--out", type=Path, required=True, help="the .npz to write")
    convert.add_argument("--keep-height", action="store_true", help="do not put the lowest sole on the floor")


def main(args: argparse.Namespace) -> int:
    """Run ``motion``; returns the exit status."""
    motion = read_motion(args.file, args.rate, args.joint_order)
    _log.info("%s: %d frames, %g Hz, %.2f s", args.file, len(motion), motion.rate_hz, motion.duration)
    if args.action == "check":
        return 0
    if args.out.suffix != ".npz":
        raise MotionError(f"--out {args.out} must end in .npz")
    try:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        said = write_tracker_npz(motion, args.out, on_floor=not args.keep_height)
    except OSError as error:
        raise MotionError(f"{args.out} cannot be written: {error}") from error
    _log.info("%s at %g Hz%s", args.out, RATE, f"; {said}" if said else "")
    return 0
