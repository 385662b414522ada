"""The tags, with the attributes and tags that each takes; all else is refused by name."""

from dataclasses import dataclass, field
from typing import Final

from mimic_composition.launcher.errors import LaunchFileError
from mimic_composition.launcher.xml_reader import Element
from mimic_core.errors import UnknownNameError


@dataclass(frozen=True)
class _Shape:
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    children: dict[str, '_Shape'] = field(default_factory=dict)


def _shape(required: str = '', optional: str = '', **children: _Shape) -> _Shape:
    return _Shape(tuple(required.split()), tuple(optional.split()), dict(children))


_IF = 'if unless '
_PROCESS = (
    'cwd launch-prefix on_exit output respawn respawn_delay respawn_max_retries shell '
    'sigkill_timeout sigterm_timeout '
)
_NODE = _IF + _PROCESS + 'args exec_name name namespace pkg ros_args'
_PAIR = _shape('name value')
_REMAP = _shape('from to')
_PARAM = _shape('', 'name value type value-sep from allow_substs')
_PARAM.children['param'] = _PARAM
_COMPONENT = _shape(
    'pkg plugin name', _IF + 'namespace', param=_PARAM, remap=_REMAP, extra_arg=_PAIR
)
_IN_NODE = {'param': _PARAM, 'remap': _REMAP, 'env': _PAIR}

_ACTIONS: Final[dict[str, _Shape]] = {
    'arg': _shape('name', _IF + 'default description', choice=_shape('value')),
    'executable': _shape('cmd', _IF + _PROCESS + 'name', env=_PAIR),
    'include': _shape('file', _IF, arg=_PAIR),
    'let': _shape('name value', _IF),
    'load_composable_node': _shape('target', _IF, composable_node=_COMPONENT),
    'log': _shape('message', _IF),
    'node': _shape('exec', _NODE, **_IN_NODE),
    'node_container': _shape(
        'pkg exec name namespace', _NODE, **_IN_NODE, composable_node=_COMPONENT
    ),
    'push_ros_namespace': _shape('namespace', _IF),
    'set_env': _shape('name value', _IF),
    'set_parameter': _shape('name value', _IF),
    'set_remap': _shape('from to', _IF),
    'shutdown': _shape('', _IF + 'reason'),
    'unset_env': _shape('name', _IF),
}
# These two hold actions again, themselves included.
_ACTIONS['group'] = _Shape((), ('if', 'unless', 'scoped'), _ACTIONS)
_ACTIONS['timer'] = _Shape(('period',), ('if', 'unless'), _ACTIONS)

ACTIONS: Final = frozenset(_ACTIONS)
_ROOT: Final = _Shape((), (), _ACTIONS)


def check(root: Element) -> tuple[int, str] | None:
    """Return line and reason of the first thing that is not supported, None when all is."""
    if root.tag != 'launch':
        return root.line, f'the root tag is <{root.tag}>, not <launch>'
    return _check(root, _ROOT)


def _check(element: Element, shape: _Shape) -> tuple[int, str] | None:
    known = shape.required + shape.optional
    for name in element.attributes:
        if name not in known:
            return element.line, str(
                UnknownNameError(f'attribute of <{element.tag}>', name, known)
            )
    for name in shape.required:
        if name not in element.attributes:
            return element.line, f"<{element.tag}> needs the attribute '{name}'"
    if 'if' in element.attributes and 'unless' in element.attributes:
        return element.line, f'<{element.tag}> has both if and unless'
    for child in element.children:
        if child.tag not in shape.children:
            what = f'tag in <{element.tag}>'
            return child.line, str(UnknownNameError(what, child.tag, shape.children))
        found = _check(child, shape.children[child.tag])
        if found is not None:
            return found
    return None


def require_exclusive(element: Element, first: str, second: str) -> None:
    """Refuse a tag that has both attributes or neither."""
    if (first in element.attributes) == (second in element.attributes):
        raise LaunchFileError(f"<{element.tag}> needs one of '{first}' and '{second}'")
