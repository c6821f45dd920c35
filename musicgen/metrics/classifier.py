"""A linear classifier: softmax regression, for the genre of a piece from its vector of features."""

import numpy as np

#: Strength of the pull of all weights towards 0, per feature vector.
PENALTY = 0.05
STEPS = 300


class SoftmaxRegression:
    """Multinomial logistic regression with an L2 penalty on standardised features.

    Fitted by accelerated gradient descent (Nesterov 1983) with a step that the data allow, so that nothing is drawn
    by lot.

    Examples
    --------
    >>> model = SoftmaxRegression().fit(np.array([[0.0], [1.0], [8.0], [9.0]]), ["calm", "calm", "wild", "wild"])
    >>> model.predict(np.array([[2.0], [7.0]]))
    ['calm', 'wild']
    """

    def fit(self, rows, labels):
        """Learn from rows of features, float64 (n, d), and one label each; returns itself."""
        self.classes = sorted(set(labels))
        self._mean, spread = rows.mean(axis=0), rows.std(axis=0)
        self._scale = np.where(spread > 1e-9, spread, 1.0)
        given = self._standardised(rows)
        wanted = np.array([[label == each for each in self.classes] for label in labels], np.float64)
        curvature = np.linalg.norm(given, 2) ** 2 / (2 * len(given)) + PENALTY
        self._weights = _descended(given, wanted, 1 / curvature)
        return self

    def predict(self, rows):
        """The likeliest label of each row of features."""
        return [self.classes[place] for place in np.argmax(self._standardised(rows) @ self._weights, axis=1)]

    def _standardised(self, rows):
        """With a constant at the end."""
        return np.column_stack([(rows - self._mean) / self._scale, np.ones(len(rows))])


def _descended(given, wanted, step):
    weights = ahead = np.zeros((given.shape[1], wanted.shape[1]))
    pulled = np.append(np.full(given.shape[1] - 1, PENALTY), 0.0)[:, None]  # the constant is left free
    for count in range(STEPS):
        scores = given @ ahead
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = odds / odds.sum(axis=1, keepdims=True) - wanted
        earlier, weights = weights, ahead - step * (given.T @ error / len(given) + pulled * ahead)
        ahead = weights + count / (count + 3) * (weights - earlier)
    return weights
