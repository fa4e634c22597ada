"""What a client can do beyond OpenAI's methods: map, compare, budgets, usage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from seekroute.client.batch.compare import Comparison
    from seekroute.client.batch.job import Lane
    from seekroute.client.batch.map import MapOptions, MapProgress, Results, Surroundings
    from seekroute.client.batch.outcome import Outcome
    from seekroute.client.batch.run import OnError
    from seekroute.client.spend.budget import Budget
    from seekroute.client.spend.metering import AsyncMeteredBackend, Meter, MeteredBackend
    from seekroute.client.spend.rollup import Usage
    from seekroute.client.wires.backend import AsyncBackend, Backend
    from seekroute.client.wires.local import AsyncLocalBackend, LocalBackend
    from seekroute.client.wires.remote import AsyncRemoteBackend, RemoteBackend

# Comparing is waiting for a person: rather an error row than a table after minutes.
_COMPARE_PAUSE = 20.0


def metered(inner: Backend) -> MeteredBackend:
    """Puts a backend under a meter of its own."""
    from seekroute.client.spend.metering import MeteredBackend

    return MeteredBackend(inner, _meter_of(inner))


def metered_async(inner: AsyncBackend) -> AsyncMeteredBackend:
    """As `metered`, for asyncio."""
    from seekroute.client.spend.metering import AsyncMeteredBackend

    return AsyncMeteredBackend(inner, _meter_of(inner))


def _meter_of(inner: Backend | AsyncBackend) -> Meter:
    from seekroute.client.spend.metering import Meter

    if inner.records:
        local = cast("LocalBackend | AsyncLocalBackend", inner)
        return Meter(local.gateway)
    return Meter(None)


class _Extras:
    """What both clients have in common."""

    _backend: Any
    _metered: Any
    _timeout: float
    _max_retries: int
    _spend: Any

    def budget(self, amount: Decimal | str | float, *, everywhere: bool = True) -> Budget:
        """A cap on what the calls inside a `with` block may cost, checked before each call.

        Args:
            amount: USD; a string or a Decimal is exact.
            everywhere: It covers the calls of all threads and tasks while it is open; False: those
                of this thread and of tasks started inside the block.

        Raises:
            ValueError: the amount is none.

        Inside the block calls raise `BudgetExceededError` before anything is sent; see `Budget`.

        Example:
            with client.budget("0.50") as budget:
                client.ask("Hello!")
            print(budget.spent, budget.left)
        """
        return self._meter.budgets.budget(amount, everywhere=everywhere)

    def usage(self) -> Usage:
        """Calls, tokens, cost, errors and times of this client by model, as of now.

        Example:
            client.usage().plot("cost").savefig("cost.png")
        """
        return self._meter.rollup.usage()

    @property
    def _meter(self) -> Meter:
        meter: Meter = self._metered.meter
        return meter

    def _around(self, **changes: Any) -> Surroundings:
        from seekroute.client.batch.map import Surroundings

        meter = self._meter
        if not self._backend.records:
            changes["book"] = self._book
        changes["timeout"] = self._timeout
        changes["told"] = self._backend.told
        return Surroundings(meter.budgets, meter.estimator, **changes)

    def _book(self, outcome: Outcome, cost_nano: int) -> None:
        self._spend.add(cost_nano)
        self._meter.rollup.add(
            outcome.model,
            ok=outcome.ok,
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
            cost_nano=cost_nano,
            seconds=outcome.latency,
        )

    def _comparison(
        self, prompt: Any, models: Sequence[str], system: str | None, fields: dict[str, Any]
    ) -> tuple[list[str], list[dict[str, Any]], MapOptions, Surroundings]:
        from seekroute.client.batch.compare import checked_models
        from seekroute.client.batch.map import MapOptions

        names = checked_models(models)
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        requests = [{"model": name, "messages": messages} for name in names]
        options = MapOptions(
            model=names[0],
            concurrency=len(names),
            progress=False,
            system=system,
            fields=fields,
            kind="compare",
        )
        around = self._around(max_retries=self._max_retries, longest_pause=_COMPARE_PAUSE)
        return names, requests, options, around


class ClientExtras(_Extras):
    """Of `Client`."""

    def _lane(self) -> Lane:
        from seekroute.client.batch.lanes import LocalLane, RemoteLane

        inner = self._backend
        if inner.records:
            return LocalLane(cast("LocalBackend", inner).gateway)
        remote = cast("RemoteBackend", inner).for_asyncio()
        return RemoteLane(remote, None, timeout=self._timeout, clock=time.monotonic)

    def map(
        self,
        prompts: Iterable[Any],
        model: str = "auto",
        *,
        concurrency: int = 16,
        progress: bool | Callable[[MapProgress], object] = True,
        max_cost: Decimal | str | float | None = None,
        checkpoint: str | PathLike[str] | None = None,
        on_error: OnError = "return",
        system: str | None = None,
        deadline: float | None = None,
        **fields: Any,
    ) -> Results:
        """Asks many prompts, some at once, and returns the answers in the prompts' order.

        Args:
            prompts: Texts, lists of messages, or dicts of request fields, from any iterable; a
                generator is read only as fast as prompts are asked.
            model: Of every prompt that does not name its own.
            concurrency: Requests in flight at most, 1 to 4096.
            progress: A bar (tqdm), nothing, or a function that is called with a `MapProgress`.
            max_cost: USD; nothing is started that could take the cost above it, what a checkpoint
                holds included. See the guide "Many prompts" for how it is estimated.
            checkpoint: A file that keeps every finished prompt; a run with the same file goes on
                where it was, also after it was killed.
            on_error: "return" puts the error of a prompt in its place; "raise" ends the run with
                the first; "skip" leaves failed prompts out.
            system: A system message before each prompt.
            deadline: Seconds after which nothing is started and what runs is cancelled.
            fields: Further fields of every request, as of `chat.completions.create`.

        A rate limit (429, or 503 with Retry-After) pauses all prompts until it has passed; these
        and other passing failures are tried again, up to 5 times a prompt.

        Raises:
            CheckpointError: the file belongs to another run, or is in use.
            TypeError, ValueError: an argument or a prompt is wrong.

        Whatever ends a run early (Ctrl-C too) has the `Results` so far as its `partial`.

        Example:
            results = client.map(["2+2?", "3+3?"], model="openai/gpt-4o-mini", max_cost="0.10")
            print(results.texts, results.cost)
        """
        from seekroute.client.batch.map import MapOptions, map_prompts

        options = MapOptions(
            model, concurrency, progress, max_cost, checkpoint, on_error, system, deadline, fields
        )
        return map_prompts(prompts, options, self._around(), self._lane)

    def compare(
        self,
        prompt: str | Sequence[Any],
        models: Sequence[str],
        *,
        system: str | None = None,
        **fields: Any,
    ) -> Comparison:
        """Asks several models the same at once and returns a table of their answers.

        Args:
            prompt: A text, or a list of messages.
            models: 1 to 100 names.
            system: A system message before the prompt.
            fields: Further fields of every request.

        A model that fails is a row with its error. Raises that of the first when all fail.

        Example:
            print(client.compare("Hi!", models=["openai/gpt-4o-mini", "deepseek/deepseek-chat"]))
        """
        from seekroute.client.batch.compare import compared
        from seekroute.client.batch.map import map_prompts

        names, requests, options, around = self._comparison(prompt, models, system, fields)
        return compared(names, map_prompts(requests, options, around, self._lane))


class AsyncClientExtras(_Extras):
    """Of `AsyncClient`."""

    def _lane(self) -> Lane:
        from seekroute.client.batch.lanes import LocalLane, RemoteLane

        inner = self._backend
        if inner.records:
            return LocalLane(cast("AsyncLocalBackend", inner).gateway)
        loop = asyncio.get_running_loop()
        remote = cast("AsyncRemoteBackend", inner)
        return RemoteLane(remote, loop, timeout=self._timeout, clock=time.monotonic)

    async def map(
        self,
        prompts: Iterable[Any],
        model: str = "auto",
        *,
        concurrency: int = 16,
        progress: bool | Callable[[MapProgress], object] = True,
        max_cost: Decimal | str | float | None = None,
        checkpoint: str | PathLike[str] | None = None,
        on_error: OnError = "return",
        system: str | None = None,
        deadline: float | None = None,
        **fields: Any,
    ) -> Results:
        """As `Client.map`. Cancelling it cancels what runs; the CancelledError has `partial`."""
        from seekroute.client.batch.map import MapOptions, map_prompts_async

        options = MapOptions(
            model, concurrency, progress, max_cost, checkpoint, on_error, system, deadline, fields
        )
        return await map_prompts_async(prompts, options, self._around(), self._lane)

    async def compare(
        self,
        prompt: str | Sequence[Any],
        models: Sequence[str],
        *,
        system: str | None = None,
        **fields: Any,
    ) -> Comparison:
        """As `Client.compare`."""
        from seekroute.client.batch.compare import compared
        from seekroute.client.batch.map import map_prompts_async

        names, requests, options, around = self._comparison(prompt, models, system, fields)
        return compared(names, await map_prompts_async(requests, options, around, self._lane))
