"""The method tree that both clients have: OpenAI's names, written once for both.

A client gives `perform`, which makes a call: at once for `Client`, as a coroutine for
`AsyncClient`. The type parameters say what comes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, overload
from urllib.parse import quote

from seekroute.client import calls
from seekroute.client.calls import Call
from seekroute.client.request_fields import check_names
from seekroute.client.wires.backend import CHAT_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from seekroute.client.calls import Perform

Price: TypeAlias = "str | int | float | Decimal"  # USD per million tokens

CompletionT = TypeVar("CompletionT")
StreamT = TypeVar("StreamT")
ContextT = TypeVar("ContextT")
PageT = TypeVar("PageT")
ResultT = TypeVar("ResultT")
ImagesT = TypeVar("ImagesT")


class Completions(Generic[CompletionT, StreamT, ContextT]):
    """`client.chat.completions`."""

    def __init__(
        self,
        perform: Perform,
        start: Callable[[Call[Any]], StreamT],
        context: Callable[[Callable[[], StreamT]], ContextT],
    ) -> None:
        self._perform = perform
        self._start = start
        self._context = context

    @overload
    def create(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        stream: Literal[False] | None = None,
        frequency_penalty: float | None = None,
        logit_bias: dict[str, int] | None = None,
        logprobs: bool | None = None,
        max_completion_tokens: int | None = None,
        max_tokens: int | None = None,
        metadata: dict[str, str] | None = None,
        modalities: Sequence[str] | None = None,
        n: int | None = None,
        parallel_tool_calls: bool | None = None,
        presence_penalty: float | None = None,
        reasoning_effort: str | None = None,
        response_format: dict[str, Any] | None = None,
        seed: int | None = None,
        service_tier: str | None = None,
        stop: str | Sequence[str] | None = None,
        stream_options: dict[str, Any] | None = None,
        temperature: float | None = None,
        tool_choice: str | dict[str, Any] | None = None,
        tools: Sequence[dict[str, Any]] | None = None,
        top_logprobs: int | None = None,
        top_p: float | None = None,
        user: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        **fields: Any,
    ) -> CompletionT: ...

    @overload
    def create(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        stream: Literal[True],
        frequency_penalty: float | None = None,
        logit_bias: dict[str, int] | None = None,
        logprobs: bool | None = None,
        max_completion_tokens: int | None = None,
        max_tokens: int | None = None,
        metadata: dict[str, str] | None = None,
        modalities: Sequence[str] | None = None,
        n: int | None = None,
        parallel_tool_calls: bool | None = None,
        presence_penalty: float | None = None,
        reasoning_effort: str | None = None,
        response_format: dict[str, Any] | None = None,
        seed: int | None = None,
        service_tier: str | None = None,
        stop: str | Sequence[str] | None = None,
        stream_options: dict[str, Any] | None = None,
        temperature: float | None = None,
        tool_choice: str | dict[str, Any] | None = None,
        tools: Sequence[dict[str, Any]] | None = None,
        top_logprobs: int | None = None,
        top_p: float | None = None,
        user: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        **fields: Any,
    ) -> StreamT: ...

    def create(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        stream: bool | None = None,
        frequency_penalty: float | None = None,
        logit_bias: dict[str, int] | None = None,
        logprobs: bool | None = None,
        max_completion_tokens: int | None = None,
        max_tokens: int | None = None,
        metadata: dict[str, str] | None = None,
        modalities: Sequence[str] | None = None,
        n: int | None = None,
        parallel_tool_calls: bool | None = None,
        presence_penalty: float | None = None,
        reasoning_effort: str | None = None,
        response_format: dict[str, Any] | None = None,
        seed: int | None = None,
        service_tier: str | None = None,
        stop: str | Sequence[str] | None = None,
        stream_options: dict[str, Any] | None = None,
        temperature: float | None = None,
        tool_choice: str | dict[str, Any] | None = None,
        tools: Sequence[dict[str, Any]] | None = None,
        top_logprobs: int | None = None,
        top_p: float | None = None,
        user: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        **fields: Any,
    ) -> CompletionT | StreamT:
        """Asks for a chat completion.

        Args:
            model: Any spelling the catalog knows, or "auto".
            messages: OpenAI's.
            stream: True for a `ChatStream` (of `AsyncClient`: an `AsyncChatStream`).
            fields: Other fields that are known (`top_k`, `reasoning`, ...); they reach the provider
                as they are, and one that is None is left out. The named ones are OpenAI's.
            extra_headers: Headers of the request; a gateway reads `x-request-id`.
            extra_query: Parameters of the URL; no gateway of ours reads any.
            extra_body: Any further fields: merged into the body last; None is sent as null.
            timeout: Seconds of silence that end the wait. Default: the client's.

        Raises:
            TypeError: a field is not known, or no JSON.
            APIStatusError: the gateway answered with an error; the subclass says which.
            APIConnectionError: no answer came; `APITimeoutError`: not in time.

        Example:
            client = seekroute.Client()
            answer = client.chat.completions.create(
                model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "Hello!"}]
            )
            print(answer.text, answer.cost)
        """
        check_names(fields, "call", "create()")
        named: dict[str, Any] = {
            "model": model,
            "messages": list(messages),
            "stream": stream,
            "frequency_penalty": frequency_penalty,
            "logit_bias": logit_bias,
            "logprobs": logprobs,
            "max_completion_tokens": max_completion_tokens,
            "max_tokens": max_tokens,
            "metadata": metadata,
            "modalities": modalities,
            "n": n,
            "parallel_tool_calls": parallel_tool_calls,
            "presence_penalty": presence_penalty,
            "reasoning_effort": reasoning_effort,
            "response_format": response_format,
            "seed": seed,
            "service_tier": service_tier,
            "stop": stop,
            "stream_options": stream_options,
            "temperature": temperature,
            "tool_choice": tool_choice,
            "tools": tools,
            "top_logprobs": top_logprobs,
            "top_p": top_p,
            "user": user,
        }
        streams = bool({**named, **(extra_body or {})}.get("stream"))
        call = Call(
            CHAT_PATH,
            calls.chat_completion,
            calls.chat_body(named, fields, extra_body),
            headers=extra_headers,
            query=extra_query,
            timeout=timeout,
        )
        if streams:
            return self._start(call)
        answer: CompletionT = self._perform(call)
        return answer

    def stream(self, *, model: str, messages: Sequence[Any], **fields: Any) -> ContextT:
        """A streamed chat completion as a context manager: entered, it is sent; left, it is closed.

        Takes what `create` takes, but `stream`. Iterate the stream for chunks or `texts()` for
        pieces of text; `text` is what has come, `get_final_completion()` the whole answer.

        Example:
            with client.chat.completions.stream(model="auto", messages=messages) as stream:
                for piece in stream.texts():
                    print(piece, end="")
            print(stream.get_final_completion().cost)
        """
        if "stream" in fields:
            raise TypeError("stream() always streams: leave `stream` out, or use create()")
        check_names(fields, "call", "stream()")
        return self._context(
            lambda: self.create(model=model, messages=messages, stream=True, **fields)
        )


class Chat(Generic[CompletionT, StreamT, ContextT]):
    """`client.chat`."""

    def __init__(self, completions: Completions[CompletionT, StreamT, ContextT]) -> None:
        self.completions = completions


class Models(Generic[PageT, ResultT]):
    """`client.models`: what a provider serves now."""

    def __init__(self, perform: Perform) -> None:
        self._perform = perform

    def list(
        self,
        *,
        q: str | None = None,
        providers: str | Iterable[str] | None = None,
        model_authors: str | Iterable[str] | None = None,
        supported_parameters: str | Iterable[str] | None = None,
        input_modalities: str | Iterable[str] | None = None,
        output_modalities: str | Iterable[str] | None = None,
        context: int | None = None,
        min_price: Price | None = None,
        max_price: Price | None = None,
        min_output_price: Price | None = None,
        max_output_price: Price | None = None,
        min_age_days: int | None = None,
        max_age_days: int | None = None,
        sort: str | None = None,
        offset: int | None = None,
        limit: int | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> PageT:
        """The models that can be asked, with prices, as a `ModelPage`: all, or those that match.

        Args:
            q: Words that must all be in id, name or description.
            providers: Who serves it, one of them.
            model_authors: Who made it, one of them.
            supported_parameters: What it takes, all of them; for example `tools`.
            input_modalities: `text`, `image`, `audio`, `video`, `file`; all of them.
            output_modalities: The same of its answers.
            context: Least length in tokens.
            min_price: USD per million prompt tokens; so `max_price`, and `min_output_price` and
                `max_output_price` of completion tokens.
            min_age_days: Days since its release; so `max_age_days`.
            sort: `newest`, `pricing-low-to-high`, `pricing-high-to-low`, `context-high-to-low`.
            offset: How many to skip.
            limit: How many to list; `total_count` of the page says how many there are.

        Raises:
            BadRequestError: a value is impossible; `param` names the parameter.

        Example:
            for model in client.models.list(supported_parameters="tools", max_price="0.5"):
                print(model.id, model.pricing.prompt)
        """
        query = {
            "q": q,
            "providers": providers,
            "model_authors": model_authors,
            "supported_parameters": supported_parameters,
            "input_modalities": input_modalities,
            "output_modalities": output_modalities,
            "context": context,
            "min_price": min_price,
            "max_price": max_price,
            "min_output_price": min_output_price,
            "max_output_price": max_output_price,
            "min_age_days": min_age_days,
            "max_age_days": max_age_days,
            "sort": sort,
            "offset": offset,
            "limit": limit,
        }
        page: PageT = self._perform(
            Call(
                "/models",
                calls.model_page,
                method="GET",
                headers=extra_headers,
                query=calls.url_query(query, extra_query),
                timeout=timeout,
            )
        )
        return page

    def retrieve(
        self,
        model: str,
        *,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> ResultT:
        """One model, by full id, bare id or alias.

        Raises:
            NotFoundError: there is none of this name.
        """
        one: ResultT = self._perform(
            Call(
                _model_path(model),
                calls.result,
                method="GET",
                headers=extra_headers,
                query=extra_query,
                timeout=timeout,
            )
        )
        return one

    def endpoints(
        self,
        model: str,
        *,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> ResultT:
        """Who serves a model now, in the order of preference, and at what price each.

        Raises:
            NotFoundError: there is none of this name.

        Example:
            for endpoint in client.models.endpoints("openai/gpt-oss-120b").endpoints:
                print(endpoint.provider_name, endpoint.pricing.prompt)
        """
        one: ResultT = self._perform(
            Call(
                _model_path(model) + "/endpoints",
                calls.inner,
                method="GET",
                headers=extra_headers,
                query=extra_query,
                timeout=timeout,
            )
        )
        return one


def _model_path(model: str) -> str:
    if not model:
        raise ValueError("model: expected the name of a model; it is empty")
    return "/models/" + quote(model, safe="/:")


class Providers(Generic[PageT]):
    """`client.providers`."""

    def __init__(self, perform: Perform) -> None:
        self._perform = perform

    def list(
        self,
        *,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> PageT:
        """The providers that are on, as a `ProviderPage`.

        Example:
            print([provider.slug for provider in client.providers.list()])
        """
        page: PageT = self._perform(
            Call(
                "/providers",
                calls.provider_page,
                method="GET",
                headers=extra_headers,
                query=extra_query,
                timeout=timeout,
            )
        )
        return page


class Images(Generic[ImagesT]):
    """`client.images`."""

    def __init__(self, perform: Perform) -> None:
        self._perform = perform

    def generate(
        self,
        *,
        prompt: str,
        model: str,
        n: int | None = None,
        size: str | None = None,
        quality: str | None = None,
        style: str | None = None,
        background: str | None = None,
        user: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> ImagesT:
        """Makes images of a text, as an `ImagesResponse`.

        Args:
            prompt: What to show.
            model: An image model of the catalog.
            n: How many.
            size: `1024x1024` or what else the model takes; so `quality`, `style`, `background`.

        Other arguments and errors are those of `chat.completions.create`.

        Example:
            image = client.images.generate(model="openai/gpt-image-1", prompt="a lighthouse")
            print(image.data[0].url or len(image.data[0].b64_json), image.cost)
        """
        # The gateway speaks to image models through chat: one way for both modes.
        named = {
            "model": model,
            "messages": calls.chat_messages(prompt, None),
            "n": n,
            "size": size,
            "quality": quality,
            "style": style,
            "background": background,
            "user": user,
        }
        images: ImagesT = self._perform(
            Call(
                CHAT_PATH,
                calls.images_response,
                calls.chat_body(named, {}, extra_body),
                headers=extra_headers,
                query=extra_query,
                timeout=timeout,
            )
        )
        return images
