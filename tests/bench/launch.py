"""Runs a command and writes down how it ended: python launch.py RESULT COMMAND …

In a process of its own and small: what a process has in memory when it starts another counts as the other's at its start.
"""

import json
import os
import subprocess
import sys
import time

began, started = time.time(), time.monotonic()
process = subprocess.Popen(sys.argv[2:])
# The kernel keeps the greatest resident size of a process and of all its descendants that were waited for.
_pid, status, usage = os.wait4(process.pid, 0)
seconds = time.monotonic() - started
process.returncode = os.waitstatus_to_exitcode(status)
resident = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)  # Linux counts kilobytes
with open(sys.argv[1], "w", encoding="utf-8") as result:
    json.dump({"code": process.returncode, "seconds": seconds, "peak_mb": resident / 2**20, "began": began}, result)
