"""Whether goals can be served, decided before anybody is told that they are in force.

Task server and planner ask the same judge. Every cost is made as the planner will make it, and a user's cost is tried
on two plausible plans at the robot's place, one of standing and one of walking: a cost that raises there, or gives NaN,
would do so on the robot. Our own costs are finite for every goal that can be made at all (a property test shows it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import BeyondMimicError, GoalError
from ..robot import g1
from ..state import CharacterFrame, make_representation
from ..types import Array
from .clip import split_keyframes
from .composer import GuidanceComposer
from .goal_config import GoalConfig
from .goal_terms import GoalContext, goal_terms
from .goals import CustomGoal, Goal

_HEIGHT = 0.75
"""Of the pelvis in the trial plans [m]."""
_WALK = 0.4
"""Forward speed of the one that walks [m/s]."""
_SWAY = 0.02
"""No predicted number is exactly zero: sizes of the trial plans' random part [SI]."""


@dataclass(frozen=True)
class PlanFacts:
    """What is known of the plans that goals must fit."""

    state_kind: str = "body_pos"
    key_point_names: tuple[str, ...] = g1.KEY_POINT_NAMES
    key_point_radii: tuple[float, ...] = tuple(float(radius) for radius in g1.KEY_POINT_RADII)
    """[m]."""
    joint_names: tuple[str, ...] = g1.JOINT_NAMES
    step_dt: float = 0.04
    """Spacing of the predicted states [s]."""
    horizon: int = 16
    """Predicted states H."""


class GoalJudge:
    """Refuses in words what cannot be served."""

    def __init__(self, facts: PlanFacts, config: GoalConfig):
        """
        Args:
            facts: Of the policy's plans.
            config: How goals are served; its custom modules are imported at the first goal that needs them.
        """
        self._facts = facts
        self._config = config
        self._layout = make_representation(facts.state_kind, facts.key_point_names, facts.joint_names).layout
        self._width = max(part.stop for part in self._layout.values())
        self._trials = tuple(self._trial(speed) for speed in (0.0, _WALK))

    def judge(self, goals: Sequence[Goal], stamp: float, frame: CharacterFrame | None = None) -> None:
        """Make the costs once, as the planner will, and try those of users.

        Args:
            goals: All that shall be in force together.
            stamp: Now, by the robot's clock [s].
            frame: Where the robot is; None: at the world's origin.

        Raises:
            GoalError: They cannot be served; the text says which, and why.
            ConfigError: A module with user costs cannot be imported.
        """
        facts = self._facts
        for goal in goals:
            if isinstance(goal, CustomGoal) and goal.first_step >= facts.horizon:
                raise GoalError(
                    f"cost '{goal.cost}': first_step {goal.first_step} lies behind the plan, which has "
                    f"{facts.horizon} steps"
                )
        context = GoalContext(
            frame or CharacterFrame(np.zeros(2), np.zeros(())),
            stamp,
            facts.step_dt,
            facts.horizon,
            key_point_names=facts.key_point_names if facts.state_kind == "body_pos" else (),
            key_point_radii=np.array(facts.key_point_radii),
        )
        _, costs = split_keyframes(goals, stamp, facts.horizon * facts.step_dt)
        try:
            terms = goal_terms(costs, context, self._config)
            users = self._users(goals)
            composer = GuidanceComposer(self._layout, np.ones(self._width), np.zeros(self._width), facts.step_dt, terms)
            tried = composer.with_terms([term for term in terms if term.name in users])
        except BeyondMimicError:
            raise
        except Exception as error:  # whatever a user's cost raises when it is made
            raise GoalError(f"a cost of this goal cannot be made: {type(error).__name__}: {error}") from error
        for states in self._trials:
            for name, reason in tried.failures(states).items():
                raise GoalError(f"cost '{name}' cannot be served: tried on a plan, it {reason}")

    def _users(self, goals: Sequence[Goal]) -> set[str]:
        """Names of the terms that users wrote."""
        asked = {goal.cost for goal in goals if isinstance(goal, CustomGoal)}
        return asked | set(self._config.custom.weights())

    def _trial(self, speed: float) -> Array:
        """A plausible plan in SI units, shape (1, H, S)."""
        facts = self._facts
        rng = np.random.default_rng(0)
        states = rng.uniform(-_SWAY, _SWAY, (1, facts.horizon, self._width))
        root, velocity = self._layout["root_pos_c"], self._layout["root_lin_vel_c"]
        states[..., root.start] += speed * facts.step_dt * np.arange(1, facts.horizon + 1)
        states[..., root.start + 2] += _HEIGHT
        states[..., velocity.start] += speed
        if "key_pos_l" in self._layout:
            places = states[..., self._layout["key_pos_l"]]
            places += rng.uniform(-0.4, 0.4, places.shape[-1])  # anywhere within the reach of a body
        return states
