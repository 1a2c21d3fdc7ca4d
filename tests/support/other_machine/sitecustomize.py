"""Python starts with this where it is first on PYTHONPATH: as if it ran on another machine, it sees
nothing below $HIDDEN. What it was refused and what it renamed stands in $HIDDEN_LOG."""

import os
import sys

HIDDEN, LOG = os.environ["HIDDEN"], os.environ["HIDDEN_LOG"]
EVENTS = {"open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}


def look(event, arguments):
    if event not in EVENTS:
        return
    paths = [
        os.fsdecode(one) for one in arguments[:2] if isinstance(one, str | bytes | os.PathLike)
    ]
    hidden = [path for path in paths if path.startswith(HIDDEN)]
    if hidden or event == "os.rename":
        write(f"{'hidden' if hidden else 'renamed'} {' '.join(paths)}\n")
    if hidden:
        raise FileNotFoundError(2, "No such file or directory", hidden[0])


def write(line):
    file = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)


sys.addaudithook(look)
