"""Run a program that dies with the process that started it: `python leash.py PARENT[:SIGNAL[:USER:GROUP]] program arguments…`.

The kernel sends SIGKILL to the program when its parent ends, however it ends (prctl PR_SET_PDEATHSIG, Linux); this survives
the exec. A program that ends in .py runs in this very interpreter, which saves a second start-up. Elsewhere than on Linux
a program lives until the lab stops it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def become(user: int, group: int) -> None:
    """Another account, with its one group."""
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def die_with(parent: int, number: int = signal.SIGKILL) -> None:
    """Ask for the signal; leave at once when the parent is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(1)


def main() -> None:
    """Become the program."""
    parent, *more = (int(number) for number in sys.argv[1].split(":"))
    if len(more) == 3:
        become(*more[1:])  # before the leash: a change of account takes it off
    die_with(parent, *more[:1])
    program = sys.argv[2]
    if not program.endswith(".py"):
        os.execv(program, sys.argv[2:])
    sys.argv = sys.argv[2:]
    with open(program, encoding="utf-8") as source:
        exec(compile(source.read(), program, "exec"), {"__name__": "__main__", "__file__": program})


if __name__ == "__main__":
    main()
