"""Texts that models of many kinds answer differently, and texts that are hard to take."""

from contract.limits import MAX_TEXT_BYTES

VARIED = (
    "I love it, this is great.",
    "Terrible. I want my money back.",
    "The train leaves at nine.",
    "good",
    "bad",
    "Das Buch hat mir gut gefallen.",
    "Le film était affreux.",
    "2 + 2 = 4",
    "WHY WOULD ANYBODY DO THIS?!",
    "A committee of the council met on Tuesday to discuss the budget of the coming year.",
    "happy happy happy",
    "fine, but too expensive for what it is",
)
"""Scores that tell them apart show whether answers are in order."""

ODD = {
    "one character": "a",
    "a full stop": ".",
    "spaces around": "  good  ",
    "lines": "good\nbad\r\nfine\t.",
    "emoji": "😀👩‍👩‍👧‍👦🏳️‍🌈",
    "right to left": "شكرا جزيلا תודה",
    "no spaces between words": "とても良い映画でした。非常好看",
    "combining accents": "e\u0301" * 5,
    "invisible": "\u200b\ufeff\u2060.",
    "control characters": "\x01\x1f\x7f.",
    "beyond the basic plane": "\U0001d524\U0001d52c\U0001d52c\U0001d521",
    "quotes": "\"'`<b>&amp;</b> {{x}} %s \\",
    "no character": "\ufffe\uffff.",
}
"""By what is odd about them. A text that is empty or blank, or has NUL, reaches no server."""

LONGEST = ("good day " * MAX_TEXT_BYTES)[:MAX_TEXT_BYTES]
LONGEST_WIDE = "好" * (MAX_TEXT_BYTES // 3)
