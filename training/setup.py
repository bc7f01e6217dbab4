"""The version of the training package is the stack's: package.xml holds it for all. The rest is in pyproject.toml."""

from pathlib import Path
from xml.etree import ElementTree

from setuptools import setup

PACKAGE_XML = Path(__file__).resolve().parents[1] / "ros2_ws" / "src" / "beyondmimic_diffusion" / "package.xml"

setup(version=ElementTree.parse(PACKAGE_XML).getroot().findtext("version"))
