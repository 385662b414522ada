"""XML to elements that know their line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from mimic_composition.launcher.errors import LaunchFileError


@dataclass
class Element:
    """One tag of a launch file."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list['Element'] = field(default_factory=list)

    def named(self, tag: str) -> Iterator['Element']:
        """Return the children of one tag."""
        return (child for child in self.children if child.tag == tag)


def read_xml(path: Path) -> Element:
    """Return the root element of an XML file.

    Raises:
        LaunchFileError: The file cannot be read, or it is not XML.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LaunchFileError(f"cannot read launch file '{path}': {error.strerror}") from error
    parser = expat.ParserCreate()
    stack = [Element('', {}, 0)]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_tag: str) -> None:
        stack.pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        text = expat.ErrorString(error.code)
        raise LaunchFileError(f'not XML: {text}').at(path, error.lineno) from error
    return stack[0].children[0]
