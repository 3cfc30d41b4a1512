"""Who answers: the protocol, and simulated people."""

from palate.feedback import Person, Reply
from palate.people.simulated import SimulatedPerson

__all__ = ["Person", "Reply", "SimulatedPerson"]
