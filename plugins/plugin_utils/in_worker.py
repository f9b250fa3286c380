# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugins that run their module in a child of the worker instead of starting a Python for it.

Workers are forked from the controller, so what the controller has imported and loaded is there at once: the SDK, the service models,
the collection. Nothing else differs: the child runs the module's own ``main`` with the arguments that any module gets, prints what any
module prints, is in the worker's process group as any module is, and may outlive the worker as any module may.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable
from functools import partial
from types import ModuleType
from typing import Any, ClassVar

from ansible import constants as C
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import warm
from ansible_collections.webstack.aws.plugins.module_utils.engine.tier import Tier
from ansible_collections.webstack.aws.plugins.plugin_utils import core
from ansible_collections.webstack.aws.plugins.plugin_utils.child import Given, run_module
from ansible_collections.webstack.aws.plugins.plugin_utils.watched import LOCAL

PLAIN = "webstack_plain_modules"  # the variable that forbids all this
PROGRESS = "webstack_progress"  # the variable that says whether waits are shown while they last
WATCHED = (
    sys.stdout.isatty() and sys.stderr.isatty()
)  # of the controller, which imports this: its workers have no terminal

OTHERS = {"resourcegroupstaggingapi", "ssm", "sts"}  # the services that runs ask, and of which no kind is

display = Display()


class InWorkerAction(ActionBase):
    """Runs the module in a child of the worker where that is the same as starting it, and starts it otherwise.

    It is the same where the connection is local, the module's Python would be the controller's or nobody has said which one, and neither
    another user nor the background is asked for.
    """

    _supports_check_mode = True
    _supports_async = True
    module: ClassVar[ModuleType]

    def __init_subclass__(cls, tiers: Iterable[Tier] = (), services: Iterable[str] = (), **unused: Any) -> None:
        """Load what the tiers need, and these services. The controller does this before it forks the first worker that has such a task,
        and only then."""
        super().__init_subclass__(**unused)
        if wanted := {kind.service for tier in tiers for kind in tier.kinds} | set(services):
            warm(wanted | OTHERS)
        gc.freeze()  # what is loaded stays: no child has to look at it, and so copy it, to find garbage

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        name = f"webstack.aws.{self.module.__name__.rpartition('.')[2]}"
        if reason := self._why_elsewhere(variables):
            display.vvv(f"Starting the module {name}: {reason}", host=self._play_context.remote_addr)
            in_background = bool(self._task.async_val) and not self._connection.has_native_async
            result.update(self._execute_module(name, self._arguments(), task_vars=task_vars, wrap_async=in_background))
            if not in_background:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        else:
            display.vvv(f"Running the module {name} in a child of its worker", host=self._play_context.remote_addr)
            result.update(self._run_here(name, variables))
        return result

    def _arguments(self) -> dict[str, Any]:
        """What the module gets. Some need to hear more than the task says."""
        return dict(self._task.args)

    def _why_elsewhere(self, variables: dict[str, Any]) -> str | None:
        """Why the module has to be started as any other; None where a child of this worker does the same."""
        python = self._python(variables)
        reasons = {
            "this ansible-core hands arguments to modules in a way that is not known here": not core.known(),
            f"the connection is {self._connection.transport}": self._connection.transport not in LOCAL,
            "it runs in the background": self._task.async_val,
            "it runs as another user": self._connection.become is not None,
            f"its Python is {python}, and the controller's is {sys.executable}": python and not _is_ours(python),
            "ANSIBLE_KEEP_REMOTE_FILES is set": C.DEFAULT_KEEP_REMOTE_FILES,
            f"{PLAIN} is set": PLAIN in variables and boolean(self._templar.template(variables[PLAIN])),
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def _python(self, variables: dict[str, Any]) -> str | None:
        """The Python that somebody has chosen for modules; None where Ansible shall look for one."""
        if self._task.delegate_to:
            variables = variables.get("ansible_delegated_vars", {}).get(self._task.delegate_to, variables)
        python = C.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
        python = str(self._templar.template(python) or "auto")
        return None if python.startswith("auto") else python

    def _run_here(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        written = core.written(self, name, self._arguments(), variables)
        hear = partial(_show, variables.get("inventory_hostname", "")) if self._shows(variables) else None
        controller = os.getppid()
        done = run_module(self.module.main, Given(written, core.PROFILE, core.environment(self)), hear)
        if os.getppid() != controller:
            os._exit(
                1
            )  # the playbook was killed: nobody reads the result, and the worker would wait for ever until somebody does
        return core.answer(self, done.stdout, done.stderr, done.code)

    def _shows(self, variables: dict[str, Any]) -> bool:
        """Whether somebody looks at what happens right now, or has asked for it."""
        if PROGRESS in variables:
            return bool(boolean(self._templar.template(variables[PROGRESS])))
        return WATCHED


def _show(host: str, line: str) -> None:
    display.display(f"{host}: {line}", color=C.COLOR_VERBOSE, stderr=True, screen_only=True)


def _is_ours(python: str) -> bool:
    """Whether that is the Python that runs here. A link to the same program in another folder is another virtual environment."""
    ours, theirs = (os.path.split(os.path.abspath(path)) for path in (sys.executable, python))
    same_folder = os.path.realpath(ours[0]) == os.path.realpath(theirs[0])
    return same_folder and os.path.realpath(sys.executable) == os.path.realpath(python)
