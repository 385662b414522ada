"""`$(eval …)`: a small, safe part of Python's expressions.

Numbers, strings, booleans, lists; arithmetic, comparisons, `and`, `or`, `not`, `in`,
`a if b else c`; the functions and constants of `math`; abs, bool, float, int, len, max, min,
round, str. What `ros2 launch` evaluates beyond that is refused by name.
"""

import ast
import math
import operator
from collections.abc import Callable
from typing import Any, Final

from mimic_composition.launcher.errors import LaunchFileError

_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_MATH: Final = {name: value for name, value in vars(math).items() if not name.startswith('_')}
_FUNCTIONS: Final[dict[str, Any]] = {
    f.__name__: f for f in (abs, bool, float, int, len, max, min, round, str)
}


def evaluate(text: str) -> str:
    """Return the value of an expression as text, as `str` writes it.

    Raises:
        LaunchFileError: It is no expression, uses what is not supported, or fails.
    """
    try:
        return str(_value(ast.parse(text.strip(), mode='eval').body))
    except SyntaxError as error:
        raise LaunchFileError(f"'{text}' is not an expression: {error.msg}") from error
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise LaunchFileError(f"'{text}' cannot be evaluated: {error}") from error


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item) for item in items]
        case ast.Name(id=name) if name in _MATH or name in _FUNCTIONS:
            return _FUNCTIONS.get(name, _MATH.get(name))
        case ast.Attribute(value=ast.Name(id='math'), attr=name) if name in _MATH:
            return _MATH[name]
        case ast.UnaryOp(op=op, operand=operand):
            if type(op) in _UNARY:
                return _UNARY[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right):
            if type(op) in _BINARY:
                return _BINARY[type(op)](_value(left), _value(right))
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(value) for value in values)
        case ast.BoolOp(values=values):
            return any(_value(value) for value in values)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test) else orelse)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _compare(left, ops, comparators)
        case ast.Call(func=function, args=arguments, keywords=[]):
            if isinstance(function, ast.Name | ast.Attribute):
                return _value(function)(*(_value(argument) for argument in arguments))
    raise LaunchFileError(f"eval does not support '{ast.unparse(node)}'")


def _compare(left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr]) -> bool:
    value = _value(left)
    for op, comparator in zip(ops, comparators, strict=True):
        if type(op) not in _COMPARE:
            raise LaunchFileError(f"eval does not support '{type(op).__name__}'")
        other = _value(comparator)
        if not _COMPARE[type(op)](value, other):
            return False
        value = other
    return True
