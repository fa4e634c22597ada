"""LlamaIndex's OpenAIEmbedding, with nothing changed but base URL and key."""

from __future__ import annotations

import asyncio

import pytest

from serving import RunningServer

llama = pytest.importorskip(
    "llama_index.embeddings.openai", reason="llama-index-embeddings-openai is not installed"
)


def test_vectors(gateway: RunningServer) -> None:
    embedder = llama.OpenAIEmbedding(
        model_name="text-embedding-3-small",
        api_base=gateway.base_url,
        api_key=gateway.key,
        dimensions=64,
        max_retries=0,
    )

    async def ask() -> list[float]:
        found: list[float] = await embedder.aget_text_embedding("a dog")
        await embedder._get_aclient().close()
        return found

    cat, dog = embedder.get_text_embedding_batch(["a cat", "a dog"])
    assert len(cat) == len(dog) == 64
    assert embedder.get_query_embedding("a cat") == pytest.approx(cat)
    assert asyncio.run(ask()) == pytest.approx(dog)
    embedder._get_client().close()
