"""An agent of pydantic-ai with a tool, no server: python examples/pydantic_ai_in_process.py

Needs `pip install 'seekroute[openai]' pydantic-ai-slim`. `mock="on"` lets the built-in mock
provider answer; leave it out to ask those whose key is in the environment.
"""

import asyncio

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

import seekroute


async def main() -> None:
    """Asks the agent once."""
    async with (
        seekroute.AsyncClient(mock="on") as client,
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
