"""Reads an XML launch file into a plan, tag by tag, as `ros2 launch` executes it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from mimic_composition.launcher import namespaces, nodes, parameters, schema
from mimic_composition.launcher.errors import LaunchFileError
from mimic_composition.launcher.parameters import ParameterFiles
from mimic_composition.launcher.plan import Argument, Delay, Log, Plan, Shutdown, Step
from mimic_composition.launcher.scope import Scope
from mimic_composition.launcher.substitution import Context, substitute, to_bool
from mimic_composition.launcher.xml_reader import Element, read_xml
from mimic_core.errors import UnknownNameError

_MAX_DEPTH: Final = 30  # includes inside includes


class Reader:
    """Turns one launch file, with its includes, into a plan."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        """Args: environment: of the launcher; folder: for parameter files, it must exist."""
        self._files = ParameterFiles(folder)
        self._scope = Scope({}, dict(environment))
        self._steps: list[Step] = []
        self._arguments: dict[str, Argument] = {}
        self._anonymous: dict[str, str] = {}
        self._open: list[Path] = []  # files that are being read

    def read(self, path: Path, arguments: Mapping[str, str]) -> Plan:
        """Return the plan of a launch file.

        Raises:
            LaunchFileError: Something in it cannot be done; the message has file and line.
        """
        self._scope.configurations.update(arguments)
        self._read_file(path.absolute())
        warnings = tuple(
            f'ignored: {UnknownNameError("launch argument", name, self._arguments)}'
            for name in sorted(set(arguments) - set(self._arguments))
        )
        return Plan(tuple(self._steps), tuple(self._arguments.values()), warnings)

    # Walking --------------------------------------------------------------------------------

    @property
    def _context(self) -> Context:
        scope = self._scope
        file = self._open[-1]
        return Context(scope.configurations, scope.environment, file, self._anonymous)

    def _text(self, element: Element, attribute: str) -> str:
        return substitute(element.attributes[attribute], self._context)

    def _read_file(self, path: Path) -> None:
        if len(self._open) >= _MAX_DEPTH:
            raise LaunchFileError(f"'{path}' includes itself")
        root = read_xml(path)
        wrong = schema.check(root)
        if wrong is not None:
            raise LaunchFileError(wrong[1]).at(path, wrong[0])
        self._open.append(path)
        self._run(root)
        self._open.pop()

    def _run(self, parent: Element) -> None:
        for element in parent.children:
            if element.tag not in schema.ACTIONS:
                continue
            try:
                if nodes.applies(element, self._context):
                    _RUN[element.tag](self, element)
            except LaunchFileError as error:
                raise error.at(self._open[-1], element.line) from error

    # Tags -----------------------------------------------------------------------------------

    def _arg(self, element: Element) -> None:
        name = element.attributes['name']
        choices = tuple(choice.attributes['value'] for choice in element.named('choice'))
        default = element.attributes.get('default')
        description = element.attributes.get('description', '')
        self._arguments.setdefault(name, Argument(name, description, default, choices))
        values = self._scope.configurations
        if name not in values:
            if default is None:
                raise LaunchFileError(f"argument '{name}' ({description}) must be given")
            values[name] = self._text(element, 'default')
        if choices and values[name] not in choices:
            raise LaunchFileError(
                f"argument '{name}' is '{values[name]}', not one of {', '.join(choices)}"
            )

    def _let(self, element: Element) -> None:
        name, value = self._text(element, 'name'), self._text(element, 'value')
        self._scope.configurations[name] = value

    def _include(self, element: Element) -> None:
        path = Path(self._text(element, 'file'))
        pairs = [(self._text(a, 'name'), self._text(a, 'value')) for a in element.named('arg')]
        if not path.is_absolute():
            path = Path.cwd() / path
        # As in ros2 launch: an include has no scope of its own.
        self._scope.configurations.update(pairs)
        self._read_file(path)

    def _group(self, element: Element) -> None:
        outer = self._scope
        scoped = to_bool(substitute(element.attributes.get('scoped', 'true'), self._context))
        if scoped:
            self._scope = outer.copy()
        self._run(element)
        if scoped:
            self._scope = outer

    def _timer(self, element: Element) -> None:
        period = parameters.typed(self._text(element, 'period'), 'float')
        outer, self._steps = self._steps, []
        self._run(element)
        assert isinstance(period, float)
        step = Delay(period, tuple(self._steps))
        self._steps = outer
        self._steps.append(step)

    def _push_ros_namespace(self, element: Element) -> None:
        namespace = self._text(element, 'namespace')
        self._scope.namespace = namespaces.join(self._scope.namespace, namespace)

    def _set_env(self, element: Element) -> None:
        self._scope.environment[self._text(element, 'name')] = self._text(element, 'value')

    def _unset_env(self, element: Element) -> None:
        self._scope.environment.pop(self._text(element, 'name'), None)

    def _set_parameter(self, element: Element) -> None:
        name = self._text(element, 'name')
        value = parameters.typed(self._text(element, 'value') or "''")
        if isinstance(value, list):
            raise LaunchFileError('set_parameter takes no lists: ros2 launch passes them wrongly')
        self._scope.parameters.append((name, value))

    def _set_remap(self, element: Element) -> None:
        self._scope.remaps.append((self._text(element, 'from'), self._text(element, 'to')))

    def _log(self, element: Element) -> None:
        self._steps.append(Log(self._text(element, 'message')))

    def _shutdown(self, element: Element) -> None:
        reason = substitute(element.attributes.get('reason', 'as asked'), self._context)
        self._steps.append(Shutdown(reason))

    def _executable(self, element: Element) -> None:
        self._steps.append(nodes.executable(element, self._scope, self._context))

    def _node(self, element: Element) -> None:
        self._steps.append(nodes.node(element, self._scope, self._context, self._files))

    def _node_container(self, element: Element) -> None:
        process, load = nodes.container(element, self._scope, self._context, self._files)
        self._steps.append(process)
        if load is not None:
            self._steps.append(load)

    def _load_composable_node(self, element: Element) -> None:
        self._steps.append(nodes.load(element, self._scope, self._context))


_RUN: Final[dict[str, Callable[[Reader, Element], None]]] = {
    tag: getattr(Reader, f'_{tag}') for tag in schema.ACTIONS
}
