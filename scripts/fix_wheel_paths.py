# SPDX-License-Identifier: Apache-2.0
"""Make the CMake exports of the ROS wheels in this environment name this interpreter's directories.

The exports carry the include directories of the machine that built them, and CMake stops on those that do not exist.
"""

import re
import sys
import sysconfig
from pathlib import Path

BUILD_INCLUDE = re.compile(r"/opt/python/cp\d+-cp\d+t?/include/python\d\.\d+")
BUILD_SITE_PACKAGES = re.compile(r"/opt/python/cp\d+-cp\d+t?/lib/python\d\.\d+/site-packages")


def rewrite(text: str, include: str, site_packages: str) -> str:
    """Replace the build machine's directories in one CMake file."""
    return BUILD_SITE_PACKAGES.sub(site_packages, BUILD_INCLUDE.sub(include, text))


def main() -> int:
    """Rewrite every CMake export below the environment's share directory."""
    paths = sysconfig.get_paths()
    changed = 0
    for path in sorted(Path(sys.prefix, "share").glob("*/cmake/*.cmake")):
        text = path.read_text()
        fixed = rewrite(text, paths["include"], paths["platlib"])
        if fixed != text:
            # A new file, not an edit in place: installers may hard-link files from a cache.
            fresh = path.with_suffix(".new")
            fresh.write_text(fixed)
            fresh.replace(path)
            changed += 1
    print(f"{changed} CMake files corrected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
