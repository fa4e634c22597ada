"""The client: the gateway in process, in OpenAI's method tree."""

from seekroute.client.client import ChatStream, Client
from seekroute.client.results import ChatCompletion, Result

__all__ = ["ChatCompletion", "ChatStream", "Client", "Result"]
