"""Print one of README.md's two commands, so that CI runs what the reader is told to run.

python3 .ci/readme_command.py main|test
"""

import re
import sys
from pathlib import Path


def readme_command(which: str) -> str:
    """The shell block that stands under the marker `<!-- command: WHICH -->`."""
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    marker = rf"<!-- command: {which} -->\s*```(?:sh|bash)\n(.*?)```"
    found = re.findall(marker, readme, re.DOTALL)
    if len(found) != 1:
        sys.exit(f"README.md has {len(found)} blocks marked <!-- command: {which} -->, not 1")
    return found[0]


if __name__ == "__main__":
    print(readme_command(sys.argv[1]))
