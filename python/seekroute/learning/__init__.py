"""What `model: auto` learns from: choices, ratings, and the weights that came of them.

A server with `routing.auto.learning.enabled` takes from the core what was chosen for each request,
keeps figures of its prompt in `router.db` (never the prompt), takes ratings of the answers, and
tells the core how well each model has done of late. Of many ratings `seekroute router refit` makes
new weights.
"""

from seekroute.learning.book import Choice, Rating, RatingBook, Version
from seekroute.learning.database import LearningError
from seekroute.learning.judging import settings_with_weights, shifts_of
from seekroute.learning.looks import Looks

__all__ = [
    "Choice",
    "LearningError",
    "Looks",
    "Rating",
    "RatingBook",
    "Version",
    "settings_with_weights",
    "shifts_of",
]
