"""Routing by content, `model: "auto"`: features and scores of prompts through the core, training,
and the table that measures it.

Training needs the extra `seekroute[router]` (LightGBM, NumPy, SciPy), scores need NumPy.
"""

try:
    import numpy as _numpy  # noqa: F401
except ImportError:
    raise ImportError(
        "numpy is needed for this: pip install 'seekroute[router]'", name="numpy"
    ) from None

from seekroute.auto.evaluation import (
    PUBLISHED,
    Line,
    Report,
    Split,
    evaluate,
    evaluate_weights,
    split_folds,
    split_groups,
    split_held_out,
    split_labels,
)
from seekroute.auto.lessons import Lessons, Rated, lessons_of
from seekroute.auto.online import Feedback, OnlineReport, evaluate_online
from seekroute.auto.outcomes import Outcomes, outcomes_of, read_outcomes
from seekroute.auto.router import Decision, Explanation, ModelExplanation, Router, Verdict
from seekroute.auto.scoring import (
    Features,
    Scorer,
    Scores,
    WordVectors,
    as_bytes,
    scan,
    scorer_of,
    shipped_vectors,
    word_vectors,
)
from seekroute.auto.training import Trainer, train

__all__ = [
    "PUBLISHED",
    "Decision",
    "Explanation",
    "Features",
    "Feedback",
    "Lessons",
    "Line",
    "ModelExplanation",
    "OnlineReport",
    "Outcomes",
    "Rated",
    "Report",
    "Router",
    "Scorer",
    "Scores",
    "Split",
    "Trainer",
    "Verdict",
    "WordVectors",
    "as_bytes",
    "evaluate",
    "evaluate_online",
    "evaluate_weights",
    "lessons_of",
    "outcomes_of",
    "read_outcomes",
    "scan",
    "scorer_of",
    "shipped_vectors",
    "split_folds",
    "split_groups",
    "split_held_out",
    "split_labels",
    "train",
    "word_vectors",
]
