"""Isaac Sim with one G1 behind the ROS 2 bridge. Run it with Isaac Sim's own Python:

    PYTHONPATH=ros2_ws/src/beyondmimic_diffusion ~/isaacsim/python.sh -m beyondmimic_diffusion.sim.isaac_stage \
        --usd g1.usdc --policy policies/walk

and the stack beside it, with ``bringup sim:=isaac``. Written against 6.0.1 and, where it differs, 5.x; never run where
this repository is built and tested (docs/what_has_not_been_run.md).

The order matters: application, extensions, one update, stage, physics, graph, play. The bridge's topics live only
while the simulation plays.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..core.engine.manifest import PolicyManifest
from ..core.errors import BeyondMimicError, RobotModelError
from ..core.robot import g1
from .isaac_drives import Drive, drives
from .isaac_graph import GRAPH_PATH, PHYSICS_RATE, Prims, make_table

ROBOT_PATH = "/World/G1"
_EXTENSIONS = ("isaacsim.core.nodes", "isaacsim.sensors.physics", "isaacsim.ros2.bridge")
_OPTIONAL_EXTENSIONS = ("isaacsim.sensors.physics.nodes", "isaacsim.ros2.nodes", "isaacsim.ros2.sim_control")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="isaac_stage", description=__doc__)
    parser.add_argument("--usd", type=Path, required=True, help="the G1 with 29 joints, as USD")
    parser.add_argument("--policy", type=Path, required=True, help="folder of the policy: its gains go into the drives")
    parser.add_argument("--namespace", default="", help="ROS namespace, as given to bringup")
    parser.add_argument("--window", action="store_true", help="open Isaac Sim's window")
    parser.add_argument("--hold", type=float, default=0.0, help="seconds of wall time to wait before playing")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run until the window is closed or the process is interrupted; returns the exit status."""
    args = parse(sys.argv[1:] if words is None else words)
    os.environ.setdefault("ROS_DOMAIN_ID", "42")
    try:
        manifest = PolicyManifest.load(args.policy)
        motors = drives(manifest.joint_names, manifest.kp, manifest.kd)
        if not args.usd.is_file():
            raise RobotModelError(f"there is no USD file '{args.usd}'")
        from isaacsim import SimulationApp  # nothing of Isaac may be imported before this runs
    except BeyondMimicError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except ImportError:
        sys.stderr.write(
            "error: run this with Isaac Sim's own Python (python.sh); 'isaacsim' cannot be imported here\n"
        )
        return 2
    app = SimulationApp({"headless": not args.window})
    try:
        _bring_up(app, args, motors)
        while app.is_running():
            app.update()
    except BeyondMimicError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    finally:
        app.close()
    return 0


def _bring_up(app: Any, args: argparse.Namespace, motors: Sequence[Drive]) -> None:
    import omni.kit.app
    import omni.timeline
    import omni.usd

    manager = omni.kit.app.get_app().get_extension_manager()
    for name in _EXTENSIONS:
        manager.set_extension_enabled_immediate(name, True)
    for name in _OPTIONAL_EXTENSIONS:  # split off or added in later releases
        if any(extension["name"] == name for extension in manager.get_extensions()):
            manager.set_extension_enabled_immediate(name, True)
    app.update()
    omni.usd.get_context().new_stage()
    stage = omni.usd.get_context().get_stage()
    set_scene(stage)
    prims = add_robot(stage, args.usd, motors)
    app.update()
    build_graph(prims, args.namespace)
    app.update()
    omni.timeline.get_timeline_interface().play()


def set_scene(stage: Any) -> None:
    """Metres, z up, physics at our rate whatever the frame rate, and a floor."""
    from pxr import Gf, PhysxSchema, UsdGeom, UsdPhysics

    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/World").GetPrim())
    scene = UsdPhysics.Scene.Define(stage, "/World/physics")
    scene.CreateGravityDirectionAttr(Gf.Vec3f(0.0, 0.0, -1.0))
    scene.CreateGravityMagnitudeAttr(9.81)
    PhysxSchema.PhysxSceneAPI.Apply(scene.GetPrim()).CreateTimeStepsPerSecondAttr(int(PHYSICS_RATE))
    floor = UsdGeom.Cube.Define(stage, "/World/floor")
    floor.CreateSizeAttr(1.0)
    floor.AddTranslateOp().Set(Gf.Vec3d(0.0, 0.0, -0.5))
    floor.AddScaleOp().Set(Gf.Vec3f(200.0, 200.0, 1.0))
    UsdPhysics.CollisionAPI.Apply(floor.GetPrim())


def add_robot(stage: Any, usd: Path, motors: Sequence[Drive]) -> Prims:
    """Refer to the robot's file, stand it up and give its joints their drives.

    Raises:
        RobotModelError: The file lacks a joint, the pelvis, or an articulation root.
    """
    from pxr import Gf, UsdGeom, UsdPhysics

    robot = UsdGeom.Xform.Define(stage, ROBOT_PATH)
    robot.GetPrim().GetReferences().AddReference(str(usd.resolve()))
    robot.AddTranslateOp(opSuffix="stand").Set(Gf.Vec3d(0.0, 0.0, _height_above(stage)))
    by_name = {prim.GetName(): prim for prim in _below(robot.GetPrim())}
    missing = [name for name in (*(m.joint for m in motors), g1.ROOT_BODY) if name not in by_name]
    if missing:
        raise RobotModelError(f"'{usd}' lacks {missing}; the 29-joint G1 is needed")
    roots = [prim for prim in by_name.values() if prim.HasAPI(UsdPhysics.ArticulationRootAPI)]
    if len(roots) != 1:
        raise RobotModelError(f"'{usd}' has {len(roots)} articulation roots; one was expected")
    for motor in motors:
        set_drive(by_name[motor.joint], motor)
    pelvis = by_name[g1.ROOT_BODY]
    imu = add_imu(pelvis, by_name.get(g1.IMU_SITE))
    return Prims(robot=str(roots[0].GetPath()), pelvis=str(pelvis.GetPath()), imu=imu)


def _height_above(stage: Any) -> float:
    """How far the robot's file must be lifted for the pelvis to be at standing height."""
    from pxr import Usd, UsdGeom

    cache = UsdGeom.XformCache(Usd.TimeCode.Default())
    for prim in _below(stage.GetPrimAtPath(ROBOT_PATH)):
        if prim.GetName() == g1.ROOT_BODY:
            return g1.DEFAULT_ROOT_HEIGHT - float(cache.GetLocalToWorldTransform(prim).ExtractTranslation()[2])
    return g1.DEFAULT_ROOT_HEIGHT


def _below(prim: Any) -> Iterator[Any]:
    from pxr import Usd

    return iter(Usd.PrimRange(prim))


def set_drive(prim: Any, motor: Drive) -> None:
    """Gains, limits and armature of one joint; the pose it starts in is where its target is."""
    from pxr import PhysxSchema, UsdPhysics

    drive = UsdPhysics.DriveAPI.Apply(prim, "angular")
    drive.CreateTypeAttr("force")
    drive.CreateStiffnessAttr(motor.stiffness)
    drive.CreateDampingAttr(motor.damping)
    drive.CreateMaxForceAttr(motor.max_force)
    drive.CreateTargetPositionAttr(motor.target)
    joint = PhysxSchema.PhysxJointAPI.Apply(prim)
    joint.CreateArmatureAttr(motor.armature)
    joint.CreateMaxJointVelocityAttr(motor.max_velocity)
    state = PhysxSchema.JointStateAPI.Apply(prim, "angular")
    state.CreatePositionAttr(motor.target)


def add_imu(pelvis: Any, site: Any | None) -> str:
    """An IMU in the pelvis, in its axes, at the place the robot's file marks; returns its path."""
    import omni.kit.commands
    from pxr import Gf, UsdGeom

    place = Gf.Vec3d(0.0, 0.0, 0.0)
    if site is not None:
        place = UsdGeom.Xformable(site).GetLocalTransformation().ExtractTranslation()
    made, _ = omni.kit.commands.execute(
        "IsaacSensorCreateImuSensor",
        path="/imu_sensor",
        parent=str(pelvis.GetPath()),
        sensor_period=1.0 / PHYSICS_RATE,
        translation=place,
        orientation=Gf.Quatd(1.0, 0.0, 0.0, 0.0),
    )
    if not made:
        raise RobotModelError("Isaac Sim made no IMU; its log says why")
    return f"{pelvis.GetPath()}/imu_sensor"


def build_graph(prims: Prims, namespace: str) -> None:
    """The bridge of ``isaac_graph.py``, executed by each physics step."""
    import omni.graph.core as og
    import usdrt.Sdf

    table = make_table(prims, og.get_registered_nodes(), namespace)
    keys = og.Controller.Keys
    stage = og.GraphPipelineStage.GRAPH_PIPELINE_STAGE_ONDEMAND
    values = [*table.values, *((port, [usdrt.Sdf.Path(path)]) for port, path in table.targets)]
    og.Controller.edit(
        {"graph_path": GRAPH_PATH, "evaluator_name": "execution", "pipeline_stage": stage},
        {keys.CREATE_NODES: list(table.nodes), keys.CONNECT: list(table.wires), keys.SET_VALUES: values},
    )


if __name__ == "__main__":
    sys.exit(main())
