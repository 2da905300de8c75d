"""How much of what all share each caller may hold.

As much as is free: one caller alone has half of it at the most, two have a third each, and so on,
so that there is room for whoever comes next. Source: A. K. Choudhury and E. L. Hahne, Dynamic queue
length thresholds for shared-memory packet switches, IEEE/ACM Transactions on Networking 6 (1998).
"""


class Allowance:
    """So much for all. Callers without a name are one caller, who may hold all that is free."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._held: dict[str, int] = {}

    def take(self, caller: str, amount: int = 1) -> bool:
        """Have a caller hold so much more; False: he may not now."""
        held = self._held.get(caller, 0)
        if amount > self._free or (caller and held >= self._free):
            return False
        self._held[caller] = held + amount
        self._free -= amount
        return True

    def give_back(self, caller: str, amount: int = 1) -> None:
        """So much of what a caller holds."""
        self._free += amount
        held = self._held.pop(caller)
        if held > amount:
            self._held[caller] = held - amount
