"""Prompts to pools: responses from a chat model, and more of them near what a person likes.

    model = OpenAIModel("llama3.2", base_url="http://localhost:11434/v1")
    generator = ChatGenerator(model, seed=1)
    pool = generator.generate("What should I cook tonight?", 20).embedded()

Anything with the two methods of :class:`Generator` can take its place;
``palate.testing.GeneratorContract`` tests it.
"""

from palate.generate.base import Generator
from palate.generate.chat import ChatGenerator
from palate.generate.growth import Growth, liked_and_disliked
from palate.generate.progress import Price, Progress

__all__ = [
    "ChatGenerator",
    "Generator",
    "Growth",
    "Price",
    "Progress",
    "liked_and_disliked",
]
