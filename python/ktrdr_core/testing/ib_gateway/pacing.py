"""How often may be asked: the gateway's rules, kept by its clock, and what was over them."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .recorded import BAR_SIZES

if TYPE_CHECKING:
    from .messages import HistoryRequest


@dataclass(frozen=True)
class PacingRules:
    """What a gateway takes; the numbers are those that IB documents.

    Parameters
    ----------
    small_bar : int
        Up to how long a bar is small. The next four hold for small bars. Seconds.
    same_again : float
        How long the same request may not be made again. Seconds.
    burst, burst_seconds : int, float
        Fewer than so many requests of one contract, exchange and kind of price within the time.
    most, window : int, float
        At most so many requests within the time; those for BID_ASK count twice.
    most_open : int
        Requests for bars, of any size, that have no answer yet.
    messages : int
        Messages of one connection within a second; none where it is 0.
    enforced : bool
        Whether what is over a rule is answered by an error; it is counted in any case.
    """

    small_bar: int = 30
    same_again: float = 15.0
    burst: int = 6
    burst_seconds: float = 2.0
    most: int = 60
    window: float = 600.0
    most_open: int = 50
    messages: int = 50
    enforced: bool = True


class Pacing:
    """Counts requests of all connections: the rules are the account's."""

    def __init__(self, rules: PacingRules) -> None:
        self.rules = rules
        #: What was over a rule, by the rule's name: same_again, burst, window, open, messages.
        self.violations: Counter[str] = Counter()
        self._same: dict[tuple[object, ...], float] = {}
        self._bursts: dict[tuple[object, ...], deque[float]] = {}
        self._all: deque[tuple[float, int]] = deque()

    def history(self, request: HistoryRequest, under_way: int, now: float) -> str:
        """Take note of a request for bars; give the rule that it is over, if any."""
        rule = self._rule(request, under_way, now)
        if rule:
            self.violations[rule] += 1
        return rule if self.rules.enforced else ""

    def _rule(self, request: HistoryRequest, under_way: int, now: float) -> str:
        rules = self.rules
        size = BAR_SIZES.get(request.size)
        broken = "open" if under_way >= rules.most_open else ""
        if size is None or size.seconds > rules.small_bar:
            return broken
        asked = self._same.get(request.key)
        if asked is not None and now - asked < rules.same_again:
            broken = "same_again"
        self._same[request.key] = now
        kind = (request.wanted, request.show)
        burst = self._bursts.setdefault(kind, deque())
        while burst and now - burst[0] >= rules.burst_seconds:
            burst.popleft()
        burst.append(now)
        if len(burst) >= rules.burst:
            broken = "burst"
        weight = 2 if request.show == "BID_ASK" else 1
        while self._all and now - self._all[0][0] >= rules.window:
            self._all.popleft()
        self._all.append((now, weight))
        if sum(each for _, each in self._all) > rules.most:
            broken = "window"
        if len(self._same) > 10_000:
            self._same = {k: at for k, at in self._same.items() if now - at < rules.same_again}
        return broken

    def message(self, sent: deque[float], now: float) -> int:
        """Take note of a message of one connection; give how many it has sent within a second where they are too many."""
        if not self.rules.messages:
            return 0
        while sent and now - sent[0] >= 1.0:
            sent.popleft()
        sent.append(now)
        if len(sent) <= self.rules.messages:
            return 0
        self.violations["messages"] += 1
        return len(sent) if self.rules.enforced else 0
