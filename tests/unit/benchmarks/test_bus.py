"""How large a message is."""

from benchmarks.scale.bus import size_bytes


def test_a_message_is_as_large_as_aws_counts_it() -> None:
    attributes = {
        "event": {"StringValue": "request", "DataType": "String"},
        "action": {"StringValue": "\u00e4", "DataType": "String"},
    }
    assert size_bytes("\u20ac", attributes) == 3 + (5 + 6 + 7) + (6 + 6 + 2)
