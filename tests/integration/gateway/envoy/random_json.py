"""Random JSON for a message of any contract: what Protobuf reads, and what it refuses."""

import base64
import json
import random
import string
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

INT32, INT64 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
UINT32, UINT64 = (0, 2**32 - 1), (0, 2**64 - 1)
INTEGERS = {
    **dict.fromkeys(("int32", "sint32", "sfixed32"), INT32),
    **dict.fromkeys(("int64", "sint64", "sfixed64"), INT64),
    **dict.fromkeys(("uint32", "fixed32"), UINT32),
    **dict.fromkeys(("uint64", "fixed64"), UINT64),
}
# What every reader of Protobuf JSON refuses, by the kind of the field.
WRONG = {
    "string": ["1", "true", "{}", '["a"]'],
    "bool": ["1", '"true"', '"1"', "{}", "[true]", '"x"'],
    "double": ['"x"', '""', "{}", "[1]", '"0x10"', "1e400"],
    "float": ['"x"', '""', "{}", "[1]", '"-0X1"', "1e39"],
    "bytes": ["1", "true", "{}", '["YQ=="]', '"Y"'],
    "enum": ['"NOPE"', '"color_red"', '""', "{}", "[1]"],
    "null": ['"x"', "{}", "[]"],
    "message": ["1", '"x"', "true", "[1]"],
    "list": ["1", '"x"', "{}", "true"],
    "map": ["1", '"x"', "[]", "true"],
    "Timestamp": [
        "1",
        '"x"',
        '"2026-01-01"',
        "{}",
        '"2026-01-01T00:00:60Z"',
        '"2026-02-30T00:00:00Z"',
    ],
    "Duration": ["1", '"1"', '"xs"', "{}", '"315576000001s"'],
    "FieldMask": ["1", '"a_b"', "{}", '["a"]'],
    "Struct": ["1", '"x"', "[]"],
    "ListValue": ["1", '"x"', "{}"],
    "Any": ["1", '"x"', "[]", '{"@type":1}', '{"anInt32":1}', '{"@type":"a/b.C"}'],
    "Empty": ["1", '"x"', "[1]"],
    **{
        kind: [
            "1.5",
            '"x"',
            '""',
            '" 1"',
            "true",
            "{}",
            "[1]",
            '"0x1"',
            str(low - 1),
            str(high + 1),
        ]
        for kind, (low, high) in INTEGERS.items()
    },
}
WRONG_KEYS = {
    "bool": ["1", "True", ""],
    **{kind: ["x", "1.5", "", "99999999999999999999"] for kind in INTEGERS},
}
KINDS = {
    value: name.removeprefix("TYPE_").lower()
    for name, value in vars(FieldDescriptor).items()
    if name.startswith("TYPE_")
}


@dataclass
class Node:
    """A value: the text of a token, a list of nodes, or the members of an object."""

    kind: str
    content: Any
    message: Descriptor | None = None

    def text(self, source: random.Random) -> str:
        space = source.choice(["", "", "", " ", "\n\t"])
        if isinstance(self.content, str):
            return self.content
        if self.kind in {"message", "map", "object", "Any", "Empty", "Struct"}:
            members = (f"{space}{name}{space}:{value.text(source)}" for name, value in self.content)
            return "{" + ",".join(members) + space + "}"
        return f"[{space}" + f"{space},".join(item.text(source) for item in self.content) + "]"

    def all(self) -> list["Node"]:
        """This node and those in it."""
        nodes = [self]
        if not isinstance(self.content, str):
            for item in self.content:
                nodes += (item if isinstance(item, Node) else item[1]).all()
        return nodes


class RandomJson:
    """One source of documents; the same seed gives the same ones."""

    def __init__(self, seed: int, types: list[Descriptor]) -> None:
        """types: what an Any may hold."""
        self.source = random.Random(seed)  # noqa: S311
        self._types = types

    def message(self, message: Descriptor, depth: int = 3, kind: str = "message") -> Node:
        names = self.source.sample(list(message.fields), k=min(len(message.fields), self._few(6)))
        members, oneofs = [], set[str]()
        for field in names:
            oneof = field.containing_oneof
            if oneof and oneof.name in oneofs:
                continue
            oneofs |= {oneof.name} if oneof else set()
            if depth or not field.message_type:
                members.append([self._name(field), self._field(field, depth)])
        return Node(kind, members, message)

    def spoil(self, node: Node) -> str:
        """Make one fault in a document; give the reason for which it must be refused."""
        nodes = node.all()
        spoils = [self._unknown, self._duplicate, self._wrong, self._null, self._oneof, self._key]
        while True:
            reason = self.source.choice(spoils)(self.source.choice(nodes))
            if reason:
                return reason

    def text(self, size: int = 12) -> str:
        alphabet = string.printable + '\0\x1f\x7féß你😀\u2028"\\/'
        return "".join(self.source.choices(alphabet, k=self.source.randrange(size)))

    def token(self, kind: str, field: FieldDescriptor | None = None) -> str:
        """A value of a kind that is no object and no array."""
        choose = self.source.choice
        if kind in INTEGERS:
            return self._integer(*INTEGERS[kind])
        match kind:
            case "string":
                return self.string(self.text())
            case "bool":
                return choose(["true", "false"])
            case "double" | "float":
                number = self.source.uniform(-1, 1) * 10 ** self.source.randrange(-30, 30)
                others = ['"NaN"', '"Infinity"', '"-Infinity"', "-0", "-0.0", "5", '"1e3"', "2E+2"]
                return choose([repr(number), f'"{number!r}"', choose(others)])
            case "bytes":
                data = self.source.randbytes(self.source.randrange(9))
                encode = choose([base64.b64encode, base64.urlsafe_b64encode])
                return f'"{encode(data).decode().rstrip(choose(["=", " "]))}"'
            case "enum" if field:
                values = field.enum_type.values
                number = self.source.randrange(*INT32)
                return choose(
                    [
                        f'"{choose(list(values)).name}"',
                        str(choose(list(values)).number),
                        str(number),
                    ]
                )
            case "null":
                return choose(["null", '"NULL_VALUE"', "0"])
            case "Timestamp":
                day = f"{self.source.randrange(2, 9999):04}-{self.source.randrange(1, 13):02}-28"
                zone = choose(["Z", "+01:30", "-23:59"])
                return f'"{day}T{self.source.randrange(24):02}:59:59{self._fraction()}{zone}"'
            case "Duration":
                return f'"{choose(["", "-"])}{self.source.randrange(1, 10**11)}{self._fraction()}s"'
            case _:
                names = ["a", "aB", "a.bC", "a1", "aBc.d.e", "a1.b2C"]
                return f'"{",".join(self.source.choices(names, k=self.source.randrange(4)))}"'

    def string(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self.source.random() < 0.5)

    def _few(self, limit: int) -> int:
        return int(self.source.randrange(limit) * self.source.random()) + 1

    def _name(self, field: FieldDescriptor) -> str:
        name = self.source.choice([field.name, field.json_name])
        if self.source.random() < 0.1:
            name = name.replace("a", "\\u0061", 1)
        return f'"{name}"'

    def _integer(self, low: int, high: int) -> str:
        number = self.source.choice([low, high, 0, self.source.randint(low, high)])
        number = (
            number if self.source.random() < 0.5 else max(low, self.source.randrange(-100, 100))
        )
        forms = [str(number), f'"{number}"']
        if abs(number) < 2**31:
            forms += [f"{number}.0", f"{number}e0", f"{number}.00E+0"]
        if 0 < abs(number) < 2**31:
            forms.append(f"{number}00e-2")
        return self.source.choice(forms)

    def _fraction(self) -> str:
        digits = self.source.randrange(10)
        return f".{self.source.randrange(1, 10**digits):0{digits}}" if digits > 1 else ""

    def _field(self, field: FieldDescriptor, depth: int) -> Node:
        entry = field.message_type
        is_map = bool(entry and entry.GetOptions().map_entry)
        kind = "map" if is_map else "list" if field.is_repeated else self.kind(field)
        # Python cannot read null for a list of Values.
        if self.source.random() < 0.05 and not (kind == "list" and self.kind(field) == "Value"):
            return Node(kind, "null")
        if is_map:
            key, value = (entry.fields_by_name[name] for name in ("key", "value"))
            names = {self._key_of(KINDS[key.type]) for _ in range(self._few(4))}
            members = [[self.string(name), self._one(value, depth)] for name in sorted(names)]
            return Node("map", members, entry)
        if field.is_repeated:
            return Node("list", [self._one(field, depth) for _ in range(self._few(4))], entry)
        return self._one(field, depth)

    def _key_of(self, kind: str) -> str:
        if kind == "bool":
            return self.source.choice(["true", "false"])
        return self.text() if kind == "string" else str(self.source.randint(*INTEGERS[kind]))

    def kind(self, field: FieldDescriptor) -> str:
        """What one value of a field is, as WRONG names it."""
        if field.enum_type:
            return "null" if field.enum_type.name == "NullValue" else "enum"
        message = field.message_type
        if not message:
            return KINDS[field.type]
        if message.file.name == "google/protobuf/wrappers.proto":
            return self.kind(message.fields_by_name["value"])
        return message.name if message.file.package == "google.protobuf" else "message"

    def _one(self, field: FieldDescriptor, depth: int) -> Node:
        kind = self.kind(field)
        if kind == "message":
            return self.message(field.message_type, depth - 1)
        if kind == "Empty":
            return Node(kind, [], field.message_type)
        if kind in {"Value", "Struct", "ListValue"}:
            return self._free(2, kind)
        if kind == "Any":
            return self._any(depth)
        if kind == "null" and field.is_repeated:
            return Node(kind, "0")
        return Node(kind, self.token(kind, field))

    def _any(self, depth: int) -> Node:
        held = self.source.choice(self._types)
        url = Node("url", f'"type.googleapis.com/{held.full_name}"')
        name = self.source.choice(['"@type"', '"@typ\\u0065"'])
        if held.file.package == "google.protobuf":
            members = [['"value"', Node(held.name, self.token(held.name))]]
        else:
            members = self.message(held, depth - 1).content
        members.insert(self.source.randrange(len(members) + 1), [name, url])
        return Node("Any", members, held)

    def _free(self, depth: int, kind: str = "Value") -> Node:
        """JSON that may be anything."""
        size = self.source.randrange(4)
        sort = {"Struct": 5, "ListValue": 4}.get(kind)
        if sort is None:
            sort = self.source.randrange(6 if depth else 4)
        if sort == 4:
            items = [self._free(depth - 1) for _ in range(size)]
            return Node("array" if kind == "Value" else kind, items)
        if sort == 5:
            names = sorted({self.text() for _ in range(size)})
            members = [[self.string(name), self._free(depth - 1)] for name in names]
            return Node("object" if kind == "Value" else kind, members)
        number = self.source.uniform(-1, 1) * 10 ** self.source.randrange(-300, 300)
        tokens = ["null", "true", repr(number), str(self.source.randrange(10**9))]
        return Node("Value", self.source.choice([*tokens, self.token("string")]))

    def _unknown(self, node: Node) -> str | None:
        own = node.message and node.message.file.package != "google.protobuf"
        if not (own or node.kind == "Empty") or not isinstance(node.content, list):
            return None
        if node.kind in {"map", "list"}:
            return None
        names = ['"bogus"', '"AString"', '"a string"', '""', '"a_bool.x"', '"@type"']
        name = self.source.choice(names[:-1] if node.kind == "Any" else names)
        node.content.insert(self.source.randrange(len(node.content) + 1), [name, Node("any", "1")])
        return "UNKNOWN_FIELD"

    def _duplicate(self, node: Node) -> str | None:
        if isinstance(node.content, str) or not node.content or isinstance(node.content[0], Node):
            return None
        name, value = self.source.choice(node.content)
        plain = json.loads(name)
        if node.kind == "message" and node.message:
            field = next(f for f in node.message.fields if plain in {f.name, f.json_name})
            name = self.source.choice([f'"{field.name}"', f'"{field.json_name}"'])
        elif node.kind == "Any":
            name = f'"{plain}"'
        node.content.append([name, value])
        return "DUPLICATE_FIELD"

    def _wrong(self, node: Node) -> str | None:
        if node.kind not in WRONG:
            return None
        node.content = self.source.choice(WRONG[node.kind])
        return "WRONG_TYPE"

    def _null(self, node: Node) -> str | None:
        if node.kind not in {"list", "map"} or isinstance(node.content, str) or not node.content:
            return None
        item = self.source.choice(node.content)
        item = item if isinstance(item, Node) else item[1]
        if item.kind in {"Value", "array", "object", "null"}:
            return None
        item.content = "null"
        return "WRONG_TYPE"

    def _oneof(self, node: Node) -> str | None:
        if node.kind != "message" or isinstance(node.content, str) or not node.message:
            return None
        given = {json.loads(name) for name, _ in node.content}
        for oneof in node.message.oneofs:
            if len(oneof.fields) > 1 and not given & {f.name for f in oneof.fields}:
                for field in self.source.sample(list(oneof.fields), k=2):
                    node.content.append([f'"{field.name}"', self._one(field, 0)])
                return "DUPLICATE_FIELD"
        return None

    def _key(self, node: Node) -> str | None:
        if node.kind != "map" or isinstance(node.content, str) or not node.message:
            return None
        keys = WRONG_KEYS.get(KINDS[node.message.fields_by_name["key"].type])
        if not keys:
            return None
        self.source.choice(node.content)[0] = f'"{self.source.choice(keys)}"'
        return "WRONG_TYPE"
