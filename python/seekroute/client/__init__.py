"""The client: a gateway in process or at a URL, in OpenAI's method tree."""

from seekroute.client.batch.errors import CheckpointError, NotRunError
from seekroute.client.client import AsyncClient, Client
from seekroute.client.embeddings import EmbeddingsResponse
from seekroute.client.results import (
    ChatCompletion,
    ImagesResponse,
    ModelPage,
    ProviderPage,
    Result,
)
from seekroute.client.streams import AsyncChatStream, ChatStream

__all__ = [
    "AsyncChatStream",
    "AsyncClient",
    "ChatCompletion",
    "ChatStream",
    "CheckpointError",
    "Client",
    "EmbeddingsResponse",
    "ImagesResponse",
    "ModelPage",
    "NotRunError",
    "ProviderPage",
    "Result",
]
