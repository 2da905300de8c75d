"""The path of a google.api.http rule: what it matches, and which fields it gives."""

import re

_LITERAL = r"[\w\-.~!$&'()+,;=@%]+"
_SEGMENT = rf"(?:\*\*?|{_LITERAL})"
_TEMPLATE = re.compile(
    rf"/|(?:/(?:{_SEGMENT}|{{[\w.]+(?:={_SEGMENT}(?:/{_SEGMENT})*)?}}))+(?::({_LITERAL}))?",
    re.ASCII,
)
_VARIABLE = re.compile(r"\{([\w.]+)=?([^}]*)\}")
_WILDCARDS = {"*": "[^/:]+", "**": "[^:]*"}
_RANKS = {"*": 1, "**": 2}
_END = (3, "")


class PathTemplate:
    """Made of a path such as "/v1/{name=models/*}:predict"; raises ValueError for another text.

    A colon in what a variable takes must be percent-encoded: only a verb stands behind one.
    """

    verb: str
    """What stands behind the colon, or ""."""
    variables: list[str]
    """The paths of the fields that it gives, in order."""
    pattern: str
    """A Lua pattern of the paths that match, with a slash added to them."""
    values: str
    """The same pattern with a capture for each variable."""
    segments: tuple[str, ...]
    """Between its slashes, without the verb; "*" is any one, "**" are any."""
    node: tuple[tuple[int, str], ...]
    """Where the transcoder keeps it; of those that match a path it takes the least."""

    def __init__(self, path: str) -> None:
        match = _TEMPLATE.fullmatch(path)
        if match is None:
            raise ValueError(f"{path!r} is not the path of an HTTP rule")
        self.verb = match[1] or ""
        text, *rest = _VARIABLE.split(path.removesuffix(f":{self.verb}"))
        self.variables, taken, texts = rest[0::3], [t or "*" for t in rest[1::3]], rest[2::3]
        end = _literal(f":{self.verb}/") if self.verb else "/"
        captured = "".join(f"({_lua(t)}){_lua(s)}" for t, s in zip(taken, texts, strict=True))
        flat = text + "".join(map("".join, zip(taken, texts, strict=True)))
        if flat.endswith("**") and not self.verb:
            end = ""  # it is in what the wildcard takes, which may be nothing else
        self.values = f"^{_lua(text)}{captured}{end}$"
        self.pattern = f"^{_lua(flat)}{end}$"
        self.segments = tuple(flat[1:].split("/"))
        parts = [*self.segments, *filter(None, [self.verb])]
        self.node = (*((_RANKS.get(part, 0), part) for part in parts), _END)

    @property
    def ends_in_wildcard(self) -> bool:
        """Whether any segment can be its last."""
        return self.node[-2][0] > 0


def _lua(segments: str) -> str:
    """Segments of a path, or the beginning or end of them, as a Lua pattern."""
    return "/".join(_WILDCARDS.get(part) or _literal(part) for part in segments.split("/"))


def _literal(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9/:]", r"%\g<0>", text)
