"""The film's parts: mesh reduction in closed form, the scene against the pose it shows, the file against its frames."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from ctypes.util import find_library
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pictures need pillow")

from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.tasks import Obstacle
from beyondmimic_diffusion.session.marks import Marks
from beyondmimic_diffusion.session.solids import solid_of

needs_gl = pytest.mark.skipif(find_library("EGL") is None, reason="no EGL library (Debian: libegl1 libgl1-mesa-dri)")
pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def images():
    """Poses, captions and marks -> pictures, in a worker like the film's: MuJoCo chooses its OpenGL when imported."""
    from beyondmimic_diffusion.session import film

    os.environ.setdefault("MUJOCO_GL", "egl")
    style = film.FilmStyle(160, 120)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), film._start_worker, (style,)) as pool:

        def render(*shots):
            poses, captions, marks = zip(*((*shot, Marks())[:3] for shot in shots), strict=True)
            return pool.submit(film._render, np.stack(poses), list(captions), list(marks)).result().astype(int)

        yield render


def standing(x: float = 0.0, height: float = g1.DEFAULT_ROOT_HEIGHT) -> np.ndarray:
    return np.concatenate([[x, 0.0, height, 1.0, 0.0, 0.0, 0.0], g1.DEFAULT_JOINT_POS])


def test_merging_vertices_keeps_the_shape_to_within_the_cell():
    from beyondmimic_diffusion.session.scene import merged_vertices

    rng = np.random.default_rng(0)
    u, v = np.meshgrid(np.linspace(0.01, np.pi - 0.01, 60), np.linspace(0, 2 * np.pi, 120), indexing="ij")
    sphere = 0.1 * np.stack([np.sin(u) * np.cos(v), np.sin(u) * np.sin(v), np.cos(u)], axis=-1)
    a, b, c = sphere[:-1, :-1], sphere[1:, :-1], sphere[:-1, 1:]
    triangles = np.stack([a, b, c], axis=2).reshape(-1, 3, 3)
    triangles = triangles[rng.permutation(len(triangles))]
    vertices, faces = merged_vertices(triangles, 0.01)
    assert len(faces) < len(triangles) / 3
    radius = np.linalg.norm(vertices, axis=1)
    assert np.all(np.abs(radius - 0.1) < 0.001)  # a mean of points in a 1 cm cube lies below the sphere by < 1 mm
    assert faces.max() < len(vertices)
    assert all(len(set(face)) == 3 for face in faces.tolist())


def test_an_stl_file_is_read_as_it_was_written(tmp_path):
    from beyondmimic_diffusion.session.scene import read_stl

    triangles = np.arange(36, dtype="<f4").reshape(4, 3, 3)
    body = b"".join(np.zeros(3, "<f4").tobytes() + t.tobytes() + b"\0\0" for t in triangles)
    (tmp_path / "a.stl").write_bytes(b"x" * 80 + np.uint32(4).tobytes() + body)
    np.testing.assert_array_equal(read_stl(tmp_path / "a.stl"), triangles)


@needs_gl
def test_the_robot_is_in_the_middle_of_the_picture_wherever_it_walks(images):
    for x in (0.0, 7.25):
        with_robot, without = images((standing(x), ""), (standing(x, height=-50.0), ""))
        rows, columns = np.nonzero(np.abs(with_robot - without).sum(axis=2) > 60)
        assert len(rows) > 300
        assert abs(np.median(columns) - 80) < 12
        assert abs(np.median(rows) - 60) < 20


def changed_by(images, marks: Marks) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that these marks change, (n, 2) of rows and columns, and by how much in the mean, (3,) of RGB."""
    far = solid_of(Obstacle("far", "sphere", (0.0, 0.0, -50.0), (0.1,)))  # unseen, but moves the camera back
    with_it, without = replace(marks, solids=(far, *marks.solids)), Marks((far,))
    after, before = images((standing(height=-50.0), "", with_it), (standing(height=-50.0), "", without))
    pixels = np.argwhere(np.abs(before - after).sum(axis=2) > 40)
    return pixels, (after - before)[pixels[:, 0], pixels[:, 1]].mean(axis=0)


@needs_gl
@pytest.mark.parametrize(
    ("what", "colour"),
    [
        (Marks((solid_of(Obstacle("a", "cylinder", (0.0, 0.0, 0.7), (0.2, 1.4))),)), "red"),
        (Marks((solid_of(Obstacle("a", "box", (0.0, 0.0, 0.7), (0.4, 0.4, 1.4), 0.7)),)), "red"),
        (Marks((solid_of(Obstacle("a", "capsule", (0.0, 0.0, 0.7), (0.2, 1.0))),)), "red"),
        (Marks((solid_of(Obstacle("a", "sphere", (0.0, 0.0, 0.7), (0.4,))),)), "red"),
        (Marks(goal_xy=(0.0, 0.0), goal_heading=1.0), "green"),
        (Marks(plan_w=np.linspace((-0.5, 0.0, 0.7), (0.5, 0.0, 0.7), 16)), "blue"),
    ],
)
def test_a_mark_where_the_robot_stands_is_seen_in_the_middle_in_its_colour(images, what, colour):
    pixels, change = changed_by(images, what)
    assert len(pixels) > 40
    row, column = np.median(pixels, axis=0)
    assert abs(column - 80) < 12
    assert abs(row - 60) < 40
    assert int(np.argmax(change)) == {"red": 0, "green": 1, "blue": 2}[colour]


@needs_gl
def test_a_caption_is_written_into_the_upper_left_corner(images):
    plain, captioned = images((standing(), ""), (standing(), "12.5 s forward"))
    difference = np.abs(plain.astype(int) - captioned.astype(int)).max(axis=2)
    changed = np.argwhere(difference > 60)  # a software renderer may round a few edge pixels otherwise
    assert len(changed) > 50
    assert changed[:, 0].max() < 40


@needs_gl
def test_a_film_of_a_recording_has_a_frame_for_each_moment(recorded, script, tmp_path):
    pytest.importorskip("rclpy", reason="recordings are made of ROS messages")
    import imageio_ffmpeg
    from beyondmimic_diffusion.session.film import FilmStyle, make_film

    recording = recorded(script(legs=[("forward", 3.0, (0.5, 0.0, 0.0))]))
    shares = []
    path = make_film(recording, tmp_path / "film.mp4", FilmStyle(160, 128, 10), shares.append)
    assert imageio_ffmpeg.count_frames_and_secs(str(path))[0] == 30
    assert shares[-1] == 1.0
    assert (tmp_path / "film.png").stat().st_size > 1000


def test_without_a_gl_library_the_package_to_install_is_named(monkeypatch):
    from beyondmimic_diffusion.session import film

    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    with pytest.raises(film.FilmError, match="libegl1 libgl1-mesa-dri"):
        film.check_gl()
