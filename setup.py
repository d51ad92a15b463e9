# SPDX-License-Identifier: Apache-2.0
"""Installation of the ament_python package spatialpin_ros."""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = "spatialpin_ros"
ROOT = Path(__file__).resolve().parent
NODES = ("scene", "reasoner", "planner", "executor", "simulator")

# Libraries by what they are for. Where rosdep knows one, package.xml names it too.
EXTRAS = {
    "perception": ["opencv-python-headless>=4.8", "pillow>=10.0", "trimesh>=4.4"],
    "planning": ["coal>=3.0", "ompl>=2.0", "pin>=3.4", "toppra>=0.6.3"],
    "report": ["jinja2>=3.1", "matplotlib>=3.8", "pillow>=10.0"],
    "sim": ["pybullet>=3.2.6"],
    "vlm": ["httpx>=0.27", "jinja2>=3.1", "jsonschema>=4.20"],
}
# Networks of perception: large, never needed by the demo. No torchvision: its CPU build does not fit torch's.
LEARNED = ["torch>=2.4", "transformers>=5.0,<6"]
# A vision-language model that runs in this process.
LOCAL = [*LEARNED, *EXTRAS["vlm"], "llguidance>=1.3", "pillow>=10.0"]
TEST = ["hypothesis>=6.100", "mypy>=1.11", "pytest>=8.0", "pytest-timeout>=2.3", "ruff>=0.6", "types-PyYAML"]


def version() -> str:
    """Read the version that package.xml states."""
    match = re.search(r"<version>([^<]+)</version>", (ROOT / "package.xml").read_text())
    if match is None:
        raise RuntimeError("package.xml has no <version>")
    return match.group(1)


def shared(folder: str) -> list[tuple[str, list[str]]]:
    """List the files of a folder of the source tree for installation under share/."""
    files: dict[str, list[str]] = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            files.setdefault(f"share/{NAME}/{path.parent.as_posix()}", []).append(path.as_posix())
    return list(files.items())


setup(
    name=NAME,
    version=version(),
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed", "**/*.jinja2", "**/*.html", "**/*.css"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *(entry for folder in ("launch", "config", "urdf", "rviz") for entry in shared(folder)),
    ],
    python_requires=">=3.10",
    install_requires=["numpy>=1.26", "pyyaml>=6.0", "rich>=13.0", "scipy>=1.11", "typer>=0.12"],
    extras_require={
        **EXTRAS,
        "all": sorted({item for items in EXTRAS.values() for item in items}),
        "learned": LEARNED,
        "local": LOCAL,
        "test": TEST,
    },
    zip_safe=False,
    maintainer="spatialpin_ros maintainers",
    maintainer_email="maintainers@spatialpin-ros.invalid",
    description="From an RGB-D image of a table to an executed pick-and-stack, over ROS 2.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "spatialpin = spatialpin_ros.cli:main",
            *(f"{node}_node = spatialpin_ros.nodes.{node}:main" for node in NODES),
        ],
    },
)
