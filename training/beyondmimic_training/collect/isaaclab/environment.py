"""A ``ManagerBasedRLEnv`` with G1s on a floor, whose actions are joint targets that arrive late.

Import this only when the simulator is there (``lab.py`` sees to it). Rewards and terminations are empty: nothing is
trained here, the recorder decides when an episode is over.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import isaaclab.envs.mdp as mdp
import isaaclab.sim as sim_utils
import torch
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.model import FLOOR_FRICTION
from isaaclab.assets import Articulation, ArticulationCfg, AssetBaseCfg
from isaaclab.envs import ManagerBasedEnv, ManagerBasedRLEnvCfg
from isaaclab.managers import ActionTerm, ActionTermCfg, ObservationGroupCfg, ObservationTermCfg, TerminationTermCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.utils import configclass

ENV_SPACING = 4.0
"""Between robots [m]; they do not touch each other wherever they walk."""
FLOOR_THICKNESS = 1.0
FLOOR_SIZE = 400.0
"""[m]."""


class DelayedJointTargets(ActionTerm):
    """Joint targets by name, each robot's delayed by its own number of physics steps.

    Delayed motor models of Isaac Lab 3.0 do not run under Newton 1.6, and the delay is one of what was *decided*, not
    of the motors.
    """

    cfg: DelayedJointTargetsCfg

    def __init__(self, cfg: DelayedJointTargetsCfg, env: ManagerBasedEnv):
        super().__init__(cfg, env)
        self._robot: Articulation = env.scene[cfg.asset_name]
        places = [self._robot.joint_names.index(name) for name in cfg.joint_names]
        self._joint_ids = torch.tensor(places, dtype=torch.int32, device=self.device)
        self._lab = importlib.import_module(cfg.lab)
        self._decimation = env.cfg.decimation
        kept = 1 + math.ceil(cfg.max_delay_ticks / self._decimation)
        self._decided = torch.zeros(kept, self.num_envs, len(cfg.joint_names), device=self.device)  # newest first
        self._delay = torch.zeros(self.num_envs, dtype=torch.long, device=self.device)
        self._offset = torch.zeros(self.num_envs, len(cfg.joint_names), device=self.device)
        self._applied = torch.zeros_like(self._offset)
        self._rows = torch.arange(self.num_envs, device=self.device)
        self._tick = 0

    @property
    def action_dim(self) -> int:
        """J."""
        return len(self._joint_ids)

    @property
    def raw_actions(self) -> torch.Tensor:
        """The newest decision [rad], shape (B, J)."""
        return self._decided[0]

    @property
    def processed_actions(self) -> torch.Tensor:
        """What has reached the motors [rad], shape (B, J)."""
        return self._applied

    def begin(self, pose: torch.Tensor, delay_ticks: torch.Tensor, joint_offset: torch.Tensor) -> None:
        """Forget all decisions.

        Args:
            pose: Targets until the first decision arrives [rad], shape (J,).
            delay_ticks: Physics steps from a decision to the motors, shape (B,).
            joint_offset: What the encoders, and so the motors, read too much [rad], shape (B, J).
        """
        self._decided[:] = pose
        self._delay[:] = delay_ticks
        self._offset[:] = joint_offset
        self._tick = 0

    def process_actions(self, actions: torch.Tensor) -> None:
        """Take a decision."""
        self._decided = self._decided.roll(1, dims=0)
        self._decided[0] = actions
        self._tick = 0

    def apply_actions(self) -> None:
        """Send each robot the decision that is its delay old at this physics step."""
        age = torch.clamp(-torch.div(self._tick - self._delay, self._decimation, rounding_mode="floor"), min=0)
        self._applied = self._decided[age, self._rows]
        self._lab.set_targets(self._robot, self._applied - self._offset, self._joint_ids)
        self._tick += 1

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """Nothing: :meth:`begin` does it, with what an episode needs."""


@configclass
class DelayedJointTargetsCfg(ActionTermCfg):
    """Configuration of :class:`DelayedJointTargets`."""

    class_type: type[ActionTerm] = DelayedJointTargets
    asset_name: str = "robot"
    joint_names: tuple[str, ...] = g1.JOINT_NAMES
    max_delay_ticks: int = 0
    lab: str = ""
    """Name of the module ``lab2`` or ``lab3``; a module itself would be walked through as configuration."""


@configclass
class ActionsCfg:
    """One action term."""

    joint_targets: DelayedJointTargetsCfg = DelayedJointTargetsCfg()


@configclass
class StateGroupCfg(ObservationGroupCfg):
    """What a learner would see; the recorder reads the robots themselves."""

    joint_pos = ObservationTermCfg(func=mdp.joint_pos)
    joint_vel = ObservationTermCfg(func=mdp.joint_vel)


@configclass
class ObservationsCfg:
    """One group."""

    policy: StateGroupCfg = StateGroupCfg()


@configclass
class TerminationsCfg:
    """None but the end of time."""

    time_out = TerminationTermCfg(func=mdp.time_out, time_out=True)


@configclass
class NothingCfg:
    """No rewards, no events: the recorder resets and randomises."""


@configclass
class SceneCfg(InteractiveSceneCfg):
    """Robots on one floor, made of a box: planes come with a texture that would be downloaded."""

    floor: AssetBaseCfg = AssetBaseCfg(prim_path="/World/floor")
    robot: ArticulationCfg = ArticulationCfg(prim_path="{ENV_REGEX_NS}/Robot", actuators={})


def environment_config(
    lab: ModuleType, usd: Path, *, robots: int, physics_dt: float, decimation: int, max_delay: float, device: str
) -> ManagerBasedRLEnvCfg:
    """Configuration of B robots.

    Args:
        lab: ``lab2`` or ``lab3``.
        usd: From ``asset.g1_usd_path``.
        physics_dt: [s].
        decimation: Physics steps in a control step.
        max_delay: Longest delay that will be asked for [s].
    """
    scene = SceneCfg(num_envs=robots, env_spacing=ENV_SPACING)
    scene.floor.spawn = sim_utils.CuboidCfg(
        size=(FLOOR_SIZE, FLOOR_SIZE, FLOOR_THICKNESS),
        collision_props=lab.collision(),
        physics_material=sim_utils.RigidBodyMaterialCfg(
            static_friction=FLOOR_FRICTION, dynamic_friction=FLOOR_FRICTION, restitution=0.0
        ),
    )
    scene.floor.init_state.pos = (0.0, 0.0, -0.5 * FLOOR_THICKNESS)
    by_name = lambda values: dict(zip(g1.JOINT_NAMES, map(float, values), strict=True))  # noqa: E731
    scene.robot.spawn = sim_utils.UsdFileCfg(usd_path=str(usd))
    scene.robot.init_state.pos = (0.0, 0.0, g1.DEFAULT_ROOT_HEIGHT)
    scene.robot.init_state.joint_pos = by_name(g1.DEFAULT_JOINT_POS)
    motor_facts = (g1.KP, g1.KD, g1.EFFORT_LIMITS, g1.ARMATURES)
    scene.robot.actuators = {"motors": lab.actuator(*map(by_name, motor_facts))}
    config = ManagerBasedRLEnvCfg(
        sim=lab.simulation_config(physics_dt, decimation, device),
        scene=scene,
        decimation=decimation,
        episode_length_s=1e6,
        observations=ObservationsCfg(),
        actions=ActionsCfg(),
        rewards=NothingCfg(),
        terminations=TerminationsCfg(),
        events=NothingCfg(),
        seed=0,
    )
    actions = config.actions
    assert isinstance(actions, ActionsCfg)
    actions.joint_targets.lab = lab.__name__
    actions.joint_targets.max_delay_ticks = round(max_delay / physics_dt)
    return config
