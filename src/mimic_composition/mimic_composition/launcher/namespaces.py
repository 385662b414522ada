"""ROS names: joining and checking namespaces and node names."""

import re

from mimic_composition.launcher.errors import LaunchFileError

_TOKEN = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')


def join(base: str | None, namespace: str | None) -> str | None:
    """Return `namespace` under `base`, absolute; None when neither is given."""
    if base is None and namespace is None:
        return None
    if namespace is None or not base or namespace.startswith('/'):
        joined = base if namespace is None else namespace
    else:
        joined = f'{base.rstrip("/")}/{namespace}'
    full = '/' + (joined or '').strip('/')
    if full != '/' and not all(_TOKEN.fullmatch(token) for token in full[1:].split('/')):
        raise LaunchFileError(f"'{full}' is not a valid namespace")
    return full


def check_node_name(name: str) -> str:
    """Return the name of a node, or raise LaunchFileError."""
    if not _TOKEN.fullmatch(name):
        raise LaunchFileError(f"'{name}' is not a valid node name")
    return name


def full_name(namespace: str | None, name: str) -> str:
    """Return the full name of a node."""
    return f'{(namespace or "/").rstrip("/")}/{name}'
