"""An agent of pydantic-ai with a tool, no server: python examples/pydantic_ai_in_process.py

Needs `pip install 'seekroute[openai]' pydantic-ai-slim`. Without a provider key in the environment
the built-in mock provider answers.
"""

import asyncio
import os

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

import seekroute


async def main() -> None:
    """Asks the agent once."""
    mock = "off" if os.environ.get("OPENAI_API_KEY") else "on"
    async with (
        seekroute.AsyncClient(mock=mock) as client,
        seekroute.async_openai_client(client=client) as llm,
    ):
        model = OpenAIChatModel("openai/gpt-4o-mini", provider=OpenAIProvider(openai_client=llm))
        agent = Agent(model)

        @agent.tool_plain
        def weather(city: str) -> str:
            """The weather in a city."""
            print(f"tool called for {city!r}")
            return "sunny, 21 degrees"

        answer = await agent.run("What is the weather in Paris?")
        print(answer.output)
        print(f"{client.spend} USD spent")


asyncio.run(main())
