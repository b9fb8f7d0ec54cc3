"""Tells from within the image what a process may do there: one line of JSON."""

import getpass
import json
import os
import pwd
import sys
import tempfile
from pathlib import Path

FOLDERS = {
    *("/", *map(str, Path("/").iterdir()), "/opt/streamfit", "/usr/local"),
    *("/usr/local/lib", "/var/tmp", str(Path.home()), tempfile.gettempdir()),
}


def takes_files(folder: str) -> bool:
    """Whether a file can be made there."""
    try:
        Path(folder, "written").touch()
    except OSError:
        return False
    return True


status = dict(
    line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()
)
told = {
    "writable": sorted(folder for folder in FOLDERS if takes_files(folder)),
    "capabilities": max(int(v, 16) for k, v in status.items() if k.startswith("Cap")),
    "no new privileges": status["NoNewPrivs"].strip(),
    "process": os.getpid(),
    "known": os.getuid() in [each.pw_uid for each in pwd.getpwall()],
    "user": getpass.getuser(),
}
sys.stdout.write(json.dumps(told) + "\n")
