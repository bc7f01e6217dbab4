"""Package metadata for colcon and pip. The version has one source: package.xml."""

import os
from glob import glob
from xml.etree import ElementTree

from setuptools import find_packages, setup

os.chdir(os.path.dirname(os.path.abspath(__file__)))
MANIFEST = ElementTree.parse("package.xml").getroot()
NAME = MANIFEST.findtext("name")
NODES = ("mujoco_sim", "state_estimator", "diffusion_planner", "guidance_task_server", "action_executor", "supervisor")
MUJOCO = "mujoco>=3.3,<5"


def repo_files(pattern):
    """Files of the repository's root, where launch/ and config/ live."""
    found = sorted(path for path in glob("../../../" + pattern) if os.path.isfile(path))
    if not found:
        raise FileNotFoundError(f"{pattern}: build {NAME} inside its repository, not from a copy of the workspace")
    return found


setup(
    name=NAME,
    version=MANIFEST.findtext("version"),
    description=MANIFEST.findtext("description"),
    maintainer=MANIFEST.findtext("maintainer"),
    maintainer_email=MANIFEST.find("maintainer").get("email"),
    license=MANIFEST.findtext("license"),
    packages=find_packages(include=[NAME, NAME + ".*"]),
    package_data={NAME: ["ros/*.xml"]},
    python_requires=">=3.11",
    install_requires=["numpy>=1.26", "PyYAML>=6", "scikit-image>=0.22", "scipy>=1.11"],
    extras_require={
        "torch": ["torch>=2.5"],
        "onnx": ["onnxruntime>=1.19"],
        "sim": [MUJOCO, "matplotlib>=3.8", "mcap>=1.1", "mcap-ros2-support>=0.5", "imageio-ffmpeg>=0.5"],
        "tensorrt": ["tensorrt>=10.3,<11"],
        "test": ["pytest>=8", "hypothesis>=6"],  # tells colcon test to use pytest
        "robot": ["unitree-sdk2py-dimos==1.0.3", "cyclonedds==0.10.2"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/" + NAME]),
        ("share/" + NAME, ["package.xml"]),
        ("share/" + NAME + "/launch", repo_files("launch/*.launch.py")),
        ("share/" + NAME + "/config", repo_files("config/*")),
        ("share/" + NAME + "/config/joy", repo_files("config/joy/*")),
        ("share/" + NAME + "/config/scenes", repo_files("config/scenes/*")),
    ],
    entry_points={
        "console_scripts": [f"{node} = {NAME}.nodes.{node}_node:main" for node in NODES]
        + [f"bringup = {NAME}.bringup:main"],
    },
    zip_safe=True,
)
