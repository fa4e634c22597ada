"""Routing by content, `model: "auto"`: features and scores of prompts through the core, training,
and the table that measures it.

Training needs the extra `seekroute[router]` (LightGBM, NumPy, SciPy), scores need NumPy.
"""

from seekroute.auto.evaluation import (
    PUBLISHED,
    Line,
    Report,
    Split,
    evaluate,
    split_folds,
    split_groups,
    split_held_out,
    split_labels,
)
from seekroute.auto.outcomes import Outcomes, read_outcomes
from seekroute.auto.scoring import (
    Features,
    Scorer,
    Scores,
    WordVectors,
    as_bytes,
    scan,
    shipped_vectors,
    word_vectors,
)
from seekroute.auto.training import Rated, Trainer, train

__all__ = [
    "PUBLISHED",
    "Features",
    "Line",
    "Outcomes",
    "Rated",
    "Report",
    "Scorer",
    "Scores",
    "Split",
    "Trainer",
    "WordVectors",
    "as_bytes",
    "evaluate",
    "read_outcomes",
    "scan",
    "shipped_vectors",
    "split_folds",
    "split_groups",
    "split_held_out",
    "split_labels",
    "train",
    "word_vectors",
]
