"""What a scoped group puts back at its end, and what every tag may look at."""

from dataclasses import dataclass, field, replace

from mimic_composition.launcher.parameters import Value


@dataclass
class Scope:
    """The state that tags of a launch file change."""

    configurations: dict[str, str]  # values of args and lets
    environment: dict[str, str]  # of processes that are started later
    namespace: str | None = None  # pushed so far
    parameters: list[tuple[str, Value]] = field(default_factory=list)  # for every node
    remaps: list[tuple[str, str]] = field(default_factory=list)  # for every node

    def copy(self) -> 'Scope':
        """Return a scope whose changes do not reach this one."""
        return replace(
            self,
            configurations=dict(self.configurations),
            environment=dict(self.environment),
            parameters=list(self.parameters),
            remaps=list(self.remaps),
        )
