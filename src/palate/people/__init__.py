"""Who answers: the protocol, simulated people, and people played by a language model."""

from palate.feedback import Person, Reply
from palate.people.played import ModelPerson
from palate.people.simulated import SimulatedPerson

__all__ = ["ModelPerson", "Person", "Reply", "SimulatedPerson"]
