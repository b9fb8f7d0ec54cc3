"""
A container as the kernel makes it, without an engine: a root of its own for a process.

``python room.py plan.json`` reads what Room says there.  Only the standard library, and
no import of ours: it runs before there is anything else.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

CLONE_NEWNS, CLONE_NEWPID = 0x0002_0000, 0x2000_0000
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
SYSTEM = ("/usr", "/etc", "/sys", "/sys/fs/cgroup")
"""Of this machine: what the base image would bring, and what the kernel shows."""


def main(path: str) -> int:
    """Do what the plan says, and end as its process ends."""
    plan = json.loads(Path(path).read_text())
    unshare(CLONE_NEWNS)
    mount("--make-rprivate", "/")
    furnish(plan)
    unshare(CLONE_NEWPID)
    child = os.fork()  # process 1 of those that follow
    if not child:
        enter(plan)

    def pass_on(number: int, _: object) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    _, status = os.waitpid(child, 0)
    if plan["keep"]:
        shutil.copytree(plan["root"] + "/tmp", plan["keep"], dirs_exist_ok=True)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def furnish(plan: Mapping[str, object]) -> None:
    """Mount all that belongs to the room."""
    root = str(plan["root"])
    mount("--bind", root, root)
    for folder in SYSTEM:
        if os.path.ismount(folder) or folder.count("/") == 1:
            mount("--bind", "--options", "ro,nosuid", folder, at(root, folder))
    for name in ("bin", "sbin", "lib", "lib64"):
        link = Path("/", name)
        if link.is_symlink() and not Path(root, name).is_symlink():
            Path(root, name).symlink_to(link.readlink())
    for source, target in plan["read_only"]:
        place = at(root, target, file=Path(source).is_file())
        mount("--bind", "--options", "ro,nosuid", source, place)
    for source, target in plan["writable"]:
        mount("--bind", source, at(root, target, file=Path(source).is_file()))
    for name in DEVICES:
        mount("--bind", f"/dev/{name}", at(root, f"/dev/{name}", file=True))
    at(root, "/proc")
    if plan["tmpfs"]:
        options = f"size={plan['tmpfs']},mode=1777,noexec,nosuid,nodev"
        mount("-t", "tmpfs", "-o", options, "tmpfs", at(root, "/tmp"))
        mount("--bind", "--options", "remount,ro", root)


def enter(plan: Mapping[str, object]) -> None:
    """Become the room's first process."""
    root = str(plan["root"])
    mount("-t", "proc", "-o", "nosuid,nodev,noexec", "proc", f"{root}/proc")
    os.chroot(root)
    os.chdir(plan["workdir"])
    os.umask(0o022)
    command: Sequence[str] = ["/usr/bin/setpriv", "--pdeathsig=KILL"]
    if user := plan["user"]:
        command = [
            *(*command, f"--reuid={user}", f"--regid={user}", "--clear-groups"),
            *("--no-new-privs", "--bounding-set=-all"),
            *("--inh-caps=-all", "--ambient-caps=-all"),
        ]
    command = [*command, *plan["command"]]
    environ: dict[str, str] = plan["environ"]
    os.environ["PATH"] = environ["PATH"]  # where the command is looked for
    os.execvpe(command[0], command, environ)


def at(root: str, path: str, *, file: bool = False) -> str:
    """Return where *path* is below *root*, and make it if it is not there."""
    place = Path(root + path)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        if file:
            place.touch()
        else:
            place.mkdir()
    return str(place)


def mount(*arguments: str) -> None:
    """Mount; what goes wrong is said by mount itself."""
    subprocess.run(["mount", *arguments], check=True, timeout=30)


def unshare(flags: int) -> None:
    """Leave the namespace that *flags* names; os.unshare comes with Python 3.12."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare: " + os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
