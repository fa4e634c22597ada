"""Boosted trees: LightGBM's training, in the form that the core evaluates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 240
_LEAVES = 8
_RATE = 0.025
_L2 = 20.0
_LEAST_ROWS = 30  # of a leaf, from _MANY rows on; below, a twentieth of the rows
_MANY = 600


def train_trees(
    features: NDArray[np.float32], outcomes: NDArray[np.float64], seed: int, *, copies: int = 1
) -> Any:
    """A LightGBM booster for the logarithm of the odds of outcomes between 0 and 1.

    Args:
        features: Of each row.
        outcomes: Of each row.
        seed: The same gives the same trees.
        copies: How many rows are of one prompt: together they count as one.
    """
    try:
        import lightgbm
    except ImportError:
        raise SeekrouteError("training needs LightGBM: pip install 'seekroute[router]'") from None
    rows = len(features) // copies
    least = _LEAST_ROWS if rows >= _MANY else max(2, rows // 20)
    parameters = {
        "objective": "cross_entropy",  # which takes outcomes that are neither 0 nor 1
        "num_leaves": _LEAVES,
        "learning_rate": _RATE,
        "lambda_l2": _L2 * copies,
        "min_data_in_leaf": least * copies,
        "feature_fraction": 0.4,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "use_missing": False,
        "feature_pre_filter": False,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(np.asarray(features, np.float64), label=outcomes)
    return lightgbm.train(parameters, data, num_boost_round=ROUNDS)


def trees_of(booster: Any) -> list[dict[str, bytes]]:
    """A booster's trees as `_core.write_auto_weights` takes them."""
    return [_tree(info["tree_structure"]) for info in booster.dump_model()["tree_info"]]


def _tree(root: dict[str, Any]) -> dict[str, bytes]:
    features: list[int] = []
    thresholds: list[np.float32] = []
    left: list[int] = []
    right: list[int] = []
    leaves: list[float] = []

    def add(node: dict[str, Any]) -> int:
        if "split_feature" not in node:
            leaves.append(float(node["leaf_value"]))
            return ~(len(leaves) - 1)
        if node["decision_type"] != "<=":
            raise SeekrouteError("LightGBM made a split that is none of a number")
        place = len(features)
        features.append(node["split_feature"])
        thresholds.append(_below(float(node["threshold"])))
        left.append(0)
        right.append(0)
        left[place] = add(node["left_child"])
        right[place] = add(node["right_child"])
        return place

    add(root)
    return {
        "features": np.array(features, np.uint16).tobytes(),
        "thresholds": np.array(thresholds, np.float32).tobytes(),
        "left": np.array(left, np.int16).tobytes(),
        "right": np.array(right, np.int16).tobytes(),
        "leaves": np.array(leaves, np.float64).tobytes(),
    }


def _below(threshold: float) -> np.float32:
    """The largest float32 that is not above: features are float32, so that none changes sides."""
    if abs(threshold) > float(np.finfo(np.float32).max):
        return np.float32(np.copysign(np.finfo(np.float32).max, threshold))
    near = np.float32(threshold)
    return near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf))
