"""The forest's trees as flat arrays, and what each feature did to a row's path through them.

An isolation forest's score depends on the mean path length of a row: odd rows are cut off early
(F. T. Liu, K. M. Ting, Z.-H. Zhou, Isolation Forest, 2008). Where a tree ends before a row is
alone, the length that is left is taken as c(n), the mean for n rows. So at each node a path of
c(n) is to be expected, and a cut into a child of m rows changes that by 1 + c(m) - c(n). The cut's
feature is given this change. Over a path the changes add up to the path's length less c of the
whole sample: the explanation is exact, and what shortened the path made the row odd.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hubblewatch.model.matrix import AnyArray, Indices, Matrix

_LEAF = -1


def mean_path_length(rows: AnyArray) -> Matrix:
    """Give c(n): the mean path length of a random tree over n rows."""
    n = np.asarray(rows, dtype=np.float64)
    safe = np.maximum(n, 3.0)
    usual = 2.0 * (np.log(safe - 1.0) + np.euler_gamma) - 2.0 * (safe - 1.0) / safe
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, usual))


class Trees:
    """All nodes of all trees, children given by their place; leaves lead to themselves."""

    def __init__(self, trees: list[Any], width: int) -> None:
        """``trees`` are scikit-learn's ``Tree`` objects over ``width`` features."""
        sizes = [int(tree.node_count) for tree in trees]
        begins = np.cumsum([0, *sizes[:-1]])
        own = np.arange(sum(sizes))
        shifts = np.repeat(begins, sizes)

        def children(name: str) -> Indices:
            places = np.concatenate([getattr(tree, name) for tree in trees]).astype(np.int64)
            return np.where(places == _LEAF, own, places + shifts)

        self.roots: Indices = begins.astype(np.int64)
        self.depth = max(int(tree.max_depth) for tree in trees)
        self._left = children("children_left")
        self._right = children("children_right")
        self._feature = np.concatenate([tree.feature for tree in trees]).astype(np.int64)
        self._threshold = np.concatenate([tree.threshold for tree in trees])
        self._is_leaf = self._left == own
        rows = np.concatenate([tree.n_node_samples for tree in trees])
        self._expected = mean_path_length(rows)
        self._width = width

    def contributions(self, values: Matrix) -> Matrix:
        """Give how much each feature shortened each row's mean path; more than 0 made it odd.

        Shape as ``values``. A row's sum is c of the sample less its mean path length.
        """
        # Trees cut at single precision: the row must fall as it fell when it was scored.
        values32 = values.astype(np.float32)
        count, trees = len(values), len(self.roots)
        row = np.repeat(np.arange(count), trees)
        node = np.tile(self.roots, count)
        gained = np.zeros((count, self._width))
        for _ in range(self.depth):
            inner = ~self._is_leaf[node]
            row, node = row[inner], node[inner]
            if not len(node):
                break
            feature = self._feature[node]
            goes_left = values32[row, feature] <= self._threshold[node]
            child = np.where(goes_left, self._left[node], self._right[node])
            np.add.at(gained, (row, feature), self._expected[node] - 1.0 - self._expected[child])
            node = child
        return gained / trees
