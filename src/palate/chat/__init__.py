"""Language models that answer messages: the protocol, and any OpenAI-compatible server.

    model = OpenAIModel("llama3.2", base_url="http://localhost:11434/v1")
    model.complete([{"role": "user", "content": "Dinner tonight?"}], temperature=0.5).text

What generates pools, rates responses and plays people takes any :class:`ChatModel`.
"""

from palate.chat.cached import CachedModel
from palate.chat.model import ChatModel, Completion, Message, Usage
from palate.chat.openai import OpenAIModel

__all__ = ["CachedModel", "ChatModel", "Completion", "Message", "OpenAIModel", "Usage"]
