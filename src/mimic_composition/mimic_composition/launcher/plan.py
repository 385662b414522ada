"""What a launch file asks for, with every substitution done: a list of steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Process:
    """One process to start."""

    label: str  # in front of its output
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: str | None = None
    output: str = 'log'  # log, screen, both
    shell: bool = False
    respawn: bool = False
    respawn_delay: float = 0.0  # [s]
    respawn_max_retries: int = -1  # -1: for ever
    required: bool = False  # its end ends everything (on_exit="shutdown")
    sigterm_timeout: float = 5.0  # [s] from SIGINT to SIGTERM
    sigkill_timeout: float = 5.0  # [s] from SIGTERM to SIGKILL


@dataclass(frozen=True)
class Component:
    """One node to load into a container."""

    package: str
    plugin: str
    name: str
    namespace: str
    remaps: tuple[tuple[str, str], ...]
    parameters: Mapping[str, Any]
    extra_arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Load:
    """Components to load, in this order, into a running container."""

    container: str  # full name
    components: tuple[Component, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Log:
    """A line for the log."""

    text: str


@dataclass(frozen=True)
class Shutdown:
    """Stop everything."""

    reason: str


@dataclass(frozen=True)
class Delay:
    """Steps to take later."""

    period: float  # [s]
    steps: tuple['Step', ...]


Step = Process | Load | Log | Shutdown | Delay


@dataclass(frozen=True)
class Argument:
    """One declared launch argument."""

    name: str
    description: str
    default: str | None  # as written; None: it must be given
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All steps of a launch file, and warnings that were found on the way."""

    steps: tuple[Step, ...]
    arguments: tuple[Argument, ...]
    warnings: tuple[str, ...] = ()

    def processes(self) -> list[Process]:
        """Return the processes of all steps, those that come later included."""
        return _processes(self.steps)


def _processes(steps: tuple[Step, ...]) -> list[Process]:
    found: list[Process] = []
    for step in steps:
        if isinstance(step, Process):
            found.append(step)
        elif isinstance(step, Delay):
            found.extend(_processes(step.steps))
    return found
