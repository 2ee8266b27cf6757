"""One instance that plays requests: what waits, what is being prefilled, what decodes, and whose blocks are taken.

Time goes from event to event: a step with prompt tokens is one event, decoding steps without any are taken together until
the next one ends, comes or finds no block. Sequences that decode share a clock of steps, so that many steps change two
numbers: each sequence is known by the step at which it ends, and by where in a block it then stands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from math import ceil, inf, sqrt

from outlay.serving.request import Policy, Request
from outlay.serving.timer import Piece, Timer

WATERMARK = 0.01
"""Share of the blocks that a new prompt leaves free, so that it is not put back at once (vLLM's `watermark`, 0.01:
https://docs.vllm.ai/en/v0.6.0/_modules/vllm/core/block_manager_v1.html)."""


class Instance:
    """A replica. `run_until` plays what begins before a time; `end` is when its next event ends."""

    def __init__(self, timer: Timer, policy: Policy, left: Callable[[Request, float], None]) -> None:
        self.timer, self.policy = timer, policy
        self._left = left
        self.waiting: deque[Request] = deque()
        self._late_comers: list[Request] = []
        """Who came after the next step was scheduled."""
        self.prefilling: deque[list[int]] = deque()
        """Of each prompt that is begun: place in `_begun`, tokens done, tokens in all."""
        self._begun: dict[int, Request] = {}
        self._ready: list[Request] = []
        """Prompts that are complete; a static batch waits for all of its prompts."""
        self.running: dict[int, Request] = {}
        self._ends: list[tuple[int, int]] = []
        """Heap of (clock at which a sequence ends, its index)."""
        self._phases = [0] * policy.block_tokens
        """Decoding sequences by where their next token stands in its block, less the clock."""
        self._grow = policy.per_step == 1.0
        self.clock = 0
        self.context = 0.0
        """Tokens in the cache of all decoding sequences together."""
        self.used = 0
        """Blocks taken."""
        self._size = 0
        """Sequences of a static batch, those that have ended included."""
        self.now = 0.0
        self.end = inf
        self.held_back = False
        """Requests gather before the first step."""
        self._steps = 0
        self._pieces: list[Piece] = []
        self._late = 0.0
        """Seconds that the prompts of this step take beyond it."""
        self.busy = self.joules = self.decoded = self.held = 0.0
        self.most_blocks = self.preemptions = 0
        self.steps = self.prefill_steps = 0

    @property
    def load(self) -> int:
        """Requests that are here."""
        return len(self.waiting) + len(self._late_comers) + len(self._begun) + len(self.running)

    def add(self, request: Request, at: float) -> None:
        """A request comes; what is under way ends with the step that is."""
        request.sent = at
        overlaps = self.policy.overlaps and self.end < inf
        (self._late_comers if overlaps else self.waiting).append(request)
        if self.end == inf:
            if not self.held_back:
                self.begin(at)
        elif self._steps > 1 and not self.policy.static:
            self._cut(at)

    def begin(self, at: float) -> None:
        """Start what waits on an idle instance."""
        self.now = at
        self._plan(at)
        if self._late_comers:
            self.waiting.extend(self._late_comers)
            self._late_comers.clear()
            if self.end == inf:
                self._plan(at)

    def next_event(self) -> None:
        """Play the event that is under way to its end, and begin the next."""
        at = self.end
        self._finish_event(at)
        self.begin(at)

    def run_until(self, until: float) -> None:
        """Play every event that ends by then."""
        while self.end <= until and self.end < inf:
            self.next_event()

    # --- what is done next -----------------------------------------------------------------------------------------

    def _plan(self, at: float) -> None:
        """Choose the next event."""
        policy = self.policy
        if not (policy.static and (self.running or self._begun)):
            self._admit(at)
        if self.prefilling:
            self._plan_prefill(at)
        elif self.running:
            self._plan_decoding(at, self._ends[0][0] - self.clock)
        else:
            self.end, self._steps, self._pieces = inf, 0, []

    def _admit(self, at: float) -> None:
        """Begin prompts for which there are sequences, blocks and (mixed) tokens left in the step."""
        if not self.waiting:
            return
        policy = self.policy
        fresh = policy.static and not self.prefilling
        budget = policy.chunk - sum(min(row[2] - row[1], policy.piece) for row in self.prefilling)
        if policy.mixed:
            budget -= ceil(len(self.running) * (1.0 + self.timer.drafted))
        while self.waiting and len(self.running) + len(self._begun) < policy.most_sequences:
            if budget <= 0 and not fresh and not policy.decode_only:
                return
            request = self.waiting[0]
            context = request.input + request.generated
            blocks = ceil(context / policy.block_tokens)
            whole = ceil((request.input + request.output) / policy.block_tokens)
            wanted = whole if policy.reserving else blocks
            if self.used + wanted + self._spare() > policy.blocks:
                return
            self.waiting.popleft()
            if request.admitted < 0:
                request.admitted = at
            request.blocks = wanted
            self.used += wanted
            self._begun[request.index] = request
            if policy.decode_only and request.generated <= 1 and not request.preempted:
                if request.first < 0:
                    request.first = at
                self._begin_decoding(request)
                continue
            done = min(request.cached, context - 1)
            self.prefilling.append([request.index, done, context])
            budget -= min(context - done, policy.piece)

    def _spare(self) -> int:
        """Blocks that stay free when a prompt is admitted: those of the next step, and a few; none for the only one."""
        if self.policy.reserving or not (self.running or self._begun):
            return 0
        return self._taken(1) + ceil(WATERMARK * self.policy.blocks)

    def _plan_prefill(self, at: float) -> None:
        """A step with prompt tokens; beside decoding sequences, or instead of them."""
        policy = self.policy
        decoding = policy.mixed and bool(self.running) and not policy.static
        if decoding and not self._make_room():
            self._plan(at)
            return
        count = len(self.running) if decoding else 0
        budget = max(policy.chunk - ceil(count * (1.0 + self.timer.drafted)), 1)
        pieces: list[Piece] = []
        for row in self.prefilling:
            tokens = min(row[2] - row[1], budget, policy.piece)
            pieces.append((tokens, row[1]))
            budget -= tokens
            if budget <= 0:
                break
        mean = self.context / count if count else 0.0
        seconds, watts = self.timer.step_and_watts(count, mean, pieces)
        self._late = 0.0
        if policy.stages > len(pieces):
            # As in `Task.through`: few prompts pass a pipeline's stages one after another.
            base, slope = self.timer.decoding(max(count, 1), mean)
            self._late = max(seconds - base - slope * mean, 0.0) * (policy.stages / len(pieces) - 1.0)
        self._pieces, self._steps = pieces, 1 if decoding else 0
        self._book(seconds, watts, count)
        self.prefill_steps += 1
        self.end = at + seconds

    def _plan_decoding(self, at: float, steps: int) -> None:
        """As many decoding steps as nothing interrupts."""
        policy = self.policy
        if self._late_comers:
            steps = 1
        if not policy.reserving:
            steps = self._affordable(steps)
            if steps == 0:
                self._make_room()
                self._plan(at)
                return
        self._pieces, self._steps = [], steps
        self.end = at + self._seconds(steps)

    def _seconds(self, steps: int) -> float:
        """Of so many decoding steps, each with longer contexts than the one before."""
        count = self._size if self.policy.static else len(self.running)
        mean = self.context / len(self.running)
        middle = mean + self.policy.per_step * (steps - 1) / 2.0
        base, slope = self.timer.decoding(count, middle)
        return steps * (base + slope * middle)

    def _cut(self, at: float) -> None:
        """End a run of decoding steps with the first step that ends after `at`."""
        mean = self.context / len(self.running)
        middle = mean + self.policy.per_step * (self._steps - 1) / 2.0
        base, slope = self.timer.decoding(len(self.running), middle)
        first = base + slope * (mean - self.policy.per_step / 2.0)
        half = slope * self.policy.per_step / 2.0
        passed = max(at - self.now, 0.0)
        # passed = first · k + half · k²
        exact = passed / first if half <= 0 else (sqrt(first * first + 4.0 * half * passed) - first) / (2.0 * half)
        steps = max(ceil(exact - 1e-9), 1)
        if steps < self._steps:
            self._steps = steps
            self.end = max(self.now + first * steps + half * steps * steps, at)

    # --- what an event leaves --------------------------------------------------------------------------------------

    def _finish_event(self, at: float) -> None:
        if self._steps:
            if not self._pieces:
                count = self._size if self.policy.static else len(self.running)
                mean = self.context / len(self.running)
                self._book(at - self.now, self.timer.decoding_watts(count, mean), len(self.running))
            self._advance(self._steps)
        if self._pieces:
            self._prefilled(at)
        while self._ends and self._ends[0][0] <= self.clock:
            _, index = heappop(self._ends)
            request = self.running.get(index)
            # A sequence that was put back, and perhaps began again, left its old end in the heap.
            if request is not None and request.ending <= self.clock:
                self._finished(request, at)
        if not self.running:
            self._size = 0

    def _advance(self, steps: int) -> None:
        """Every decoding sequence gets the tokens of so many steps."""
        count = len(self.running)
        if not self.policy.reserving:
            self.used += self._taken(steps)
        self.clock += steps
        self.context += count * steps * self.policy.per_step
        self.decoded += count * steps
        self.steps += steps
        self.most_blocks = max(self.most_blocks, self.used)

    def _prefilled(self, at: float) -> None:
        """The pieces of this step are in the cache; prompts that are complete have their next token."""
        begun = [self.prefilling.popleft() for _ in self._pieces]
        for (tokens, _), row in zip(self._pieces, begun, strict=True):
            row[1] += tokens
            if row[1] >= row[2]:
                self._ready.append(self._begun[row[0]])
        self.prefilling.extendleft(row for row in reversed(begun) if row[1] < row[2])
        self._pieces = []
        self.most_blocks = max(self.most_blocks, self.used)
        if self.policy.static and self.prefilling:
            return
        for request in self._ready:
            request.generated += 1
            if request.first < 0:
                request.first, request.late = at + self._late, self._late
            if self.policy.prefill_only or request.generated >= request.output:
                self._finished(request, at)
            else:
                self._begin_decoding(request)
        self._ready = []

    def _begin_decoding(self, request: Request) -> None:
        del self._begun[request.index]
        # The token that was made last is not in the cache yet.
        context = request.input + request.generated - 1
        left = ceil((request.output - request.generated) / self.policy.per_step - 1e-9)
        request.started, request.ending = self.clock, self.clock + left
        self.running[request.index] = request
        heappush(self._ends, (request.ending, request.index))
        if not self.policy.reserving:
            blocks = ceil(context / self.policy.block_tokens)
            self.used += blocks - request.blocks
            request.blocks = blocks
            self._phases[(context - self.clock) % self.policy.block_tokens] += 1
        self.context += context
        self._size += 1

    def _finished(self, request: Request, at: float) -> None:
        """It leaves, and its blocks are free."""
        if request.index in self.running:
            self._leave(request)
            request.generated = request.output
        else:
            del self._begun[request.index]
            self.used -= request.blocks
        at += request.late
        if request.generated >= request.output:
            request.finish = at
        if self.policy.prefill_only:  # whoever answers it goes on from here
            request.late = 0.0
        self._left(request, at)

    def _leave(self, request: Request) -> None:
        """A decoding sequence's tokens and blocks go."""
        del self.running[request.index]
        policy = self.policy
        passed = self.clock - request.started
        begun = request.input + request.generated - 1
        self.context -= begun + passed * policy.per_step
        if not self.running:
            self.context = 0.0
        if policy.reserving:
            self.used -= request.blocks
            return
        phase = (begun - request.started) % policy.block_tokens
        self._phases[phase] -= 1
        self.used -= self._blocks_of(request)

    # --- blocks ----------------------------------------------------------------------------------------------------

    def _blocks_of(self, request: Request) -> int:
        """Blocks that a decoding sequence holds now."""
        context = request.input + request.generated - 1
        passed = self.clock - request.started
        if self._grow:
            return ceil((context + passed) / self.policy.block_tokens)
        return request.blocks + self._stepped(passed)

    def _stepped(self, steps: int) -> int:
        """Blocks that a sequence takes in so many steps of several tokens: enough, whatever it stands at."""
        return ceil(steps * self.policy.per_step / self.policy.block_tokens)

    def _taken(self, steps: int) -> int:
        """Blocks that all decoding sequences take in so many steps."""
        if not self._grow:
            # As in `_stepped`, spelled out: with speculation every preemption asks for all sequences again.
            per, size, now = self.policy.per_step, self.policy.block_tokens, self.clock
            ages = [now - request.started for request in self.running.values()]
            return sum([ceil((age + steps) * per / size) - ceil(age * per / size) for age in ages])
        size = self.policy.block_tokens
        rounds, rest = divmod(steps, size)
        taken = rounds * len(self.running)
        if rest:
            first = -self.clock % size
            # Phases -clock, -clock - 1, … begin a block, one a step.
            taken += (
                sum(self._phases[first - rest + 1 : first + 1])
                if rest <= first + 1
                else sum(self._phases[: first + 1]) + sum(self._phases[first + 1 - rest + size :])
            )
        return taken

    def _plenty(self, steps: int) -> bool:
        """Whether there are blocks for so many decoding steps, wherever sequences stand in theirs."""
        each = ceil(steps * self.policy.per_step / self.policy.block_tokens) + 1
        return each * len(self.running) <= self.policy.blocks - self.used

    def _affordable(self, steps: int) -> int:
        """Of so many decoding steps, those for which there are blocks."""
        free = self.policy.blocks - self.used
        if self._plenty(steps) or self._taken(steps) <= free:
            return steps
        low, high = 0, steps
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._taken(middle) <= free else (low, middle)
        return low

    def _make_room(self) -> bool:
        """Put sequences back until the others have blocks for a step; whether none had to be."""
        if self.policy.reserving or self._plenty(1):
            return True
        kept = True
        while self._taken(1) > self.policy.blocks - self.used:
            if self.prefilling:
                request = self._begun.pop(self.prefilling.pop()[0])
                self.used -= request.blocks
            elif len(self.running) > 1:
                request = self.running[next(reversed(self.running))]
                passed = self.clock - request.started
                self._leave(request)
                request.generated += min(int(passed * self.policy.per_step), request.output - request.generated - 1)
            else:
                break
            kept = False
            request.cached = 0
            request.preempted += 1
            self.preemptions += 1
            self.waiting.appendleft(request)
        return kept

    def _book(self, seconds: float, watts: float, decoding: int) -> None:
        self.busy += seconds
        self.joules += seconds * watts
        self.held += seconds * self.used
