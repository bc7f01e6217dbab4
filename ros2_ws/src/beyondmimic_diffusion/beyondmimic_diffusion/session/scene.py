"""The G1 with its meshes on a chequered floor, among obstacles and marks, seen by a camera that goes along."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..core.robot import g1
from ..core.robot.model import FLOOR_GEOM, build_spec, g1_mjcf_path
from ..core.types import Array
from .drawing import draw
from .marks import Marks

_CELL = 0.005
"""Mesh vertices within a cube of this size become one: a pixel of the film is about as large [m]."""
_DISTANCE, _ELEVATION, _AZIMUTH = 2.8, -14.0, 130.0
"""Of the camera [m], [deg], [deg]."""
_FAR_DISTANCE, _FAR_ELEVATION = 4.6, -38.0
"""The same where there are goals or obstacles: these shall be seen, and not stand before the robot [m], [deg]."""
_LOOK_HEIGHT = 0.68
"""[m]."""
_SOLE = 0.04
"""Height of the ankle above the floor when the foot stands [m]."""
_STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


class Scene:
    """Renders poses."""

    def __init__(self, width: int, height: int):
        """
        Args:
            width: Of the images [pixels].
            height: Of the images [pixels].
        """
        self._model = _model(width, height)
        self._data = mujoco.MjData(self._model)
        self._renderer = mujoco.Renderer(self._model, height, width)
        self._camera = mujoco.MjvCamera()
        self._camera.azimuth = _AZIMUTH
        self._camera.lookat[2] = _LOOK_HEIGHT
        self._options = mujoco.MjvOption()
        self._options.geomgroup[3] = 0  # collision shapes
        self._font = ImageFont.load_default(size=max(11, height // 30))

    def image(self, qpos: Array, caption: str = "", marks: Marks | None = None) -> Array:
        """One picture, uint8, shape (height, width, 3).

        Args:
            qpos: Pose as MuJoCo has it, shape (36,).
            caption: Written into the upper left corner.
            marks: What is shown besides the robot.
        """
        far = marks is not None and (bool(marks.solids) or marks.goal_xy is not None)
        self._camera.distance = _FAR_DISTANCE if far else _DISTANCE
        self._camera.elevation = _FAR_ELEVATION if far else _ELEVATION
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        self._camera.lookat[:2] = qpos[:2]
        self._renderer.update_scene(self._data, self._camera, self._options)
        self._add_shadows()
        if marks is not None:
            draw(self._renderer.scene, marks)
        picture = self._renderer.render()
        if not caption:
            return picture
        image = Image.fromarray(picture)
        ImageDraw.Draw(image).multiline_text(
            (10, 8), caption, font=self._font, fill="white", stroke_width=2, stroke_fill="black"
        )
        return np.asarray(image)

    def close(self) -> None:
        """Give the OpenGL context back."""
        self._renderer.close()

    def _add_shadows(self) -> None:
        """A dark disc under each foot, fainter the higher the foot is, and a wide one under the pelvis."""
        scene = self._renderer.scene
        for body, radius, darkness, fading in (
            *((foot, 0.13, 0.45, 8.0) for foot in g1.FOOT_BODIES),
            ("pelvis", 0.32, 0.2, 0.0),
        ):
            position = self._data.body(body).xpos
            strength = darkness / (1.0 + fading * max(0.0, float(position[2]) - _SOLE))
            if scene.ngeom >= scene.maxgeom:
                return
            mujoco.mjv_initGeom(
                scene.geoms[scene.ngeom],
                mujoco.mjtGeom.mjGEOM_ELLIPSOID,
                np.array([radius, radius, 0.0005]),
                np.array([position[0], position[1], 0.001]),
                np.eye(3).ravel(),
                np.array([0.05, 0.06, 0.08, strength], dtype=np.float32),
            )
            scene.ngeom += 1


def _model(width: int, height: int) -> mujoco.MjModel:
    spec = build_spec(meshes=True, actuators=False)
    folder = g1_mjcf_path().parent / (spec.meshdir or "")
    for mesh in spec.meshes:
        vertices, faces = merged_vertices(read_stl(folder / mesh.file), _CELL)
        mesh.file = ""
        mesh.uservert = vertices.astype(np.float32).ravel()
        mesh.userface = faces.astype(np.int32).ravel()
    _dress(spec)
    spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
    spec.visual.quality.offsamples = 0  # without a GPU, smooth edges would cost three times the rest
    spec.visual.quality.shadowsize = 1024
    return spec.compile()


def _dress(spec: mujoco.MjSpec) -> None:
    """Light, sky, and a floor on which motion can be seen (squares of half a metre)."""
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.62, 0.72, 0.82],
        rgb2=[0.93, 0.95, 0.97],
        width=128,
        height=768,
    )
    spec.add_texture(
        name="squares",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.62, 0.66, 0.70],
        rgb2=[0.54, 0.58, 0.62],
        width=256,
        height=256,
    )
    material = spec.add_material(name="squares", texrepeat=[1.0, 1.0], texuniform=True)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "squares"
    floor = spec.geom(FLOOR_GEOM)
    floor.material = "squares"
    floor.rgba = [1.0, 1.0, 1.0, 1.0]
    for light in list(spec.lights):
        spec.delete(light)
    spec.worldbody.add_light(
        pos=[0.0, 0.0, 6.0],
        dir=[0.35, 0.25, -1.0],
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=[0.6, 0.6, 0.6],
        specular=[0.1, 0.1, 0.1],
        castshadow=False,  # without a GPU, a true shadow would cost twice the rest; see _add_shadows
    )
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.35, 0.35, 0.35]
    spec.visual.headlight.specular = [0.1, 0.1, 0.1]


def read_stl(path: Path) -> Array:
    """Triangles of a binary STL file, shape (F, 3, 3)."""
    raw = path.read_bytes()
    count = int(np.frombuffer(raw, "<u4", 1, 80)[0])
    return np.frombuffer(raw, _STL_TRIANGLE, count, 84)["corners"]


def merged_vertices(triangles: Array, cell: float) -> tuple[Array, NDArray[np.integer]]:
    """Fewer triangles: vertices in one cube of a grid are replaced by their mean, collapsed faces are left out.

    Args:
        triangles: (F, 3, 3) [m].
        cell: Edge of the grid's cubes [m].

    Returns:
        Vertices (V, 3) and faces (G, 3), indices into them.
    """
    points = triangles.reshape(-1, 3).astype(np.float64)
    cells = np.floor(points / cell).astype(np.int64)
    _, index, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    index = index.reshape(-1)
    vertices = np.stack([np.bincount(index, points[:, i]) for i in range(3)], axis=1) / count[:, None]
    faces = index.reshape(-1, 3)
    a, b, c = faces.T
    return vertices, np.unique(faces[(a != b) & (b != c) & (a != c)], axis=0)
