"""The rules that most requests have, read from the options that protovalidate reads.

What keeps these rules passes here. What does not, and what has other rules, says nothing: it is for
protovalidate to judge, which takes five times as long for a request that comes among others.
"""

import re
from collections.abc import Callable, Container
from typing import Any

from buf.validate import validate_pb2

from contract.rules import rules_of

Test = Callable[[Any], object]
"""Whether a value, neither zero nor empty, keeps its rules: by its truth."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BYTES_OF_A_CHARACTER = 4  # at most, in UTF-8

# What means the same to Python as to RE2: a whole value, made of plain characters and classes...
_WHOLE = re.compile(r"\^((?:(?:[A-Za-z0-9_-]|\[[A-Za-z0-9_-]+\])(?:\{[0-9]+(?:,[0-9]*)?\})?)+)\$")
# ...and, in CEL, any character but those of a class, whose escapes are \t, \r, \xhh and \x{hhhh}.
_ANOTHER = re.compile(
    r"this == '' \|\| this\.matches\(r'"
    r"(\[\^(?:[A-Za-z0-9_-]|\\t|\\r|\\x[0-9a-f]{2}|\\x\{[0-9a-f]{4}\})+\])'\)"
)
# Of ASCII, these are what Python calls printable.
_PRINTABLE = r"this.matches(r'^( |[^\p{C}\p{Z}])*$')"
_CODE_POINT = re.compile(r"\\x\{([0-9a-f]{4})\}")


def plain_check(kind: Any, *, needed: Container[str]) -> Callable[[Any], bool]:
    """A function that tells whether a message beyond doubt keeps its rules.

    kind: the descriptor of its type. needed: the fields that may not be zero or empty.
    """
    rules = kind.GetOptions().Extensions[validate_pb2.message]
    unset = [field.name for field in kind.fields if field.has_presence]
    if (
        rules.ByteSize()
        or any(_has_rules(oneof) for oneof in kind.oneofs)
        or any(name in needed for name in unset)
    ):
        return lambda message: False
    fields = [
        (field.name, field.name in needed, _tests(field))
        for field in kind.fields
        if not field.has_presence and (field.is_repeated or rules_of(field).ByteSize())
    ]

    def keeps_rules(message: Any) -> bool:
        for name in unset:
            if message.HasField(name):
                return False
        for name, is_needed, tests in fields:
            value = getattr(message, name)
            if value:
                for test in tests:
                    if not test(value):
                        return False
            elif is_needed:
                return False
        return True

    return keeps_rules


def _has_rules(oneof: Any) -> bool:
    return bool(oneof.GetOptions().Extensions[validate_pb2.oneof].ByteSize())


def _tests(field: Any) -> list[Test]:
    """Of a field's rules; one that nothing passes for what is not read here."""
    tests: list[Test] = []
    for option, rules in [] if field.is_repeated else rules_of(field).ListFields():
        match option.name:
            case "enum":
                tests += [_of_enum(field, rule.name) for rule, _ in rules.ListFields()]
            case "string":
                tests += [_of_string(rule.name, value) for rule, value in rules.ListFields()]
            case "cel":
                tests += [_of_cel(rule.expression) for rule in rules]
            case "required":  # whatever has a value has what it must
                tests.append(_anything)
            case "ignore" if rules == validate_pb2.IGNORE_IF_ZERO_VALUE:
                tests.append(_anything)
            case _:
                tests.append(_nothing)
    return [test for test in tests if test is not _anything] if tests else [_nothing]


def _anything(value: Any) -> bool:
    return True


def _nothing(value: Any) -> bool:
    return False


def _of_enum(field: Any, rule: str) -> Test:
    if rule == "defined_only":
        return frozenset(field.enum_type.values_by_number).__contains__
    return _nothing


def _of_string(rule: str, value: Any) -> Test:
    match rule:
        case "min_bytes" if value <= 1:
            return _anything
        case "max_bytes":
            surely = value // _BYTES_OF_A_CHARACTER
            return lambda text: len(text) <= surely or len(text.encode()) <= value
        case "max_len":
            return lambda text: len(text) <= value
        case "not_contains":
            return lambda text: value not in text
        case "uuid" if value:
            return _UUID.fullmatch
        case "pattern" if whole := _WHOLE.fullmatch(value):
            return re.compile(whole[1]).fullmatch
    return _nothing


def _of_cel(expression: str) -> Test:
    if expression == _PRINTABLE:
        return lambda text: text.isascii() and text.isprintable()
    if (found := _ANOTHER.fullmatch(expression)) is None:
        return _nothing
    return re.compile(_CODE_POINT.sub(r"\\u\1", found[1])).search
