"""One person's memory: what they answered to earlier prompts, and what it says of their taste.

profile = Profile.open("ann.jsonl")
elicitation = Elicitation(pool, Eubo(profile.prior(pool)))
elicitation.run(person, record=profile.recorder(elicitation))
print(profile.summary())
"""

from palate.profile.profile import Profile
from palate.profile.records import Remembered
from palate.profile.summary import Leaning, Summary

__all__ = ["Leaning", "Profile", "Remembered", "Summary"]
