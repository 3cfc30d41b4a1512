"""A person played by a model, on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from palate.chat import CachedModel
from palate.cli.session import Narrated
from palate.errors import ParameterError
from palate.people import ModelPerson
from palate.wording import printable

if TYPE_CHECKING:
    from rich.console import Console

    from palate.chat import ChatModel
    from palate.cli.terminal import Questioning


@dataclass(slots=True)
class Played(Narrated):
    """Somebody played by a model, whose questions and answers are printed."""

    person: ModelPerson

    def spent(self) -> str:
        """Requests, tokens, and how often the order of the options decided."""
        person, usage = self.person, self.person.usage
        return (
            f"{person.calls} requests to the model, {person.cached} answers from before; "
            f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens; of {person.asked} "
            f"questions {person.disagreements} were answered otherwise in the other order and "
            f"{person.unclear} unclearly, which counts as a tie"
        )


def played_person(
    elicitation: Questioning, console: Console, persona: str, model: ChatModel
) -> Played:
    """Somebody of this description (or of what the file in ``@file`` says), played by a model.

    What the model answered once is kept, so that the same run again costs nothing.

    Raises:
        ParameterError: the file cannot be read.
    """
    if persona.startswith("@"):
        try:
            persona = Path(persona[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"cannot read the persona {persona[1:]}: {error}"
            raise ParameterError(msg) from error
    console.print(Text(f"played by a model: {printable(' '.join(persona.split()))}"))
    return Played(ModelPerson(persona, CachedModel(model)), console, elicitation)
