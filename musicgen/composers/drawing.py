"""Drawing a token from scores: temperature, top_k, top_p and min_p, without a sort."""

from dataclasses import asdict, dataclass

import numpy as np
from keras import ops

from ..errors import InputError

HALVINGS = 26  # of the interval in which a threshold is sought: two weights closer than 2**-26 count as equal


@dataclass(frozen=True)
class SamplingControls:
    """How tokens are drawn; applied in the order of the fields.

    Parameters
    ----------
    temperature : float
        Logits are divided by it; 0 takes the most probable token.
    top_k : int or None
        Keep the k most probable tokens (and those as probable as the k-th).
    top_p : float
        Keep the smallest set of most probable tokens that holds this probability (Holtzman et al. 2020).
    min_p : float
        Keep tokens at least this fraction as probable as the most probable one (Nguyen et al. 2024).

    Raises
    ------
    InputError
        If a value lies outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self):
        whole = isinstance(self.top_k, int | np.integer) and not isinstance(self.top_k, bool)
        rules = {
            "temperature": (_within(self.temperature, 0, 100), "0 (argmax) to 100"),
            "top_k": (self.top_k is None or (whole and self.top_k >= 1), "None or a whole number of at least 1"),
            "top_p": (_within(self.top_p, 0, 1) and self.top_p > 0, "above 0, at most 1"),
            "min_p": (_within(self.min_p, 0, 1), "0 to 1"),
        }
        for name, (holds, allowed) in rules.items():
            if not holds:
                raise InputError(f"{name} must be {allowed}, not {getattr(self, name)!r}")

    @property
    def filters(self):
        """Names of the controls that cut off tokens; the others cost nothing."""
        active = {"top_k": self.top_k is not None, "top_p": self.top_p < 1, "min_p": self.min_p > 0}
        return tuple(name for name, cuts in active.items() if cuts)

    def row(self, vocab_size):
        """The four numbers as float32, with top_k = vocab_size for None."""
        values = asdict(self) | {"top_k": vocab_size if self.top_k is None else min(self.top_k, vocab_size)}
        return np.array(list(values.values()), np.float32)


def _within(value, low, high):
    """Whether a value is a number from `low` to `high`."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(low <= value <= high)


def draw(logits, allowed, uniform, controls, *, filters=()):
    """Draw one token per stream.

    Parameters
    ----------
    logits : float32, shape (batch, vocab_size)
    allowed : bool, shape (batch, vocab_size)
    uniform : float32, shape (batch,)
        In [0, 1): the quantile that is taken.
    controls : float32, shape (4,)
        `SamplingControls.row`.
    filters : tuple of str
        Which of top_k, top_p and min_p are applied: `SamplingControls.filters`.

    Returns
    -------
    int32, shape (batch,)
    """
    temperature = controls[0]
    logits = ops.where(allowed, logits, -1e9)
    weights = ops.softmax(logits / ops.maximum(temperature, 1e-4), axis=-1)
    weights = _cut(ops.where(allowed, weights, 0.0), controls, filters)
    cumulative = ops.cumsum(weights, axis=-1)  # (batch, vocab_size)
    target = ops.expand_dims(uniform, 1) * cumulative[:, -1:]
    drawn = ops.sum(ops.cast(cumulative <= target, "int32"), axis=-1)
    best = ops.cast(ops.argmax(logits, axis=-1), "int32")
    safe = (temperature > 0) & (drawn < weights.shape[-1])
    return ops.where(safe, drawn, best)


def _cut(weights, controls, filters):
    """Weights of the tokens that top_k, top_p and min_p leave; 0 elsewhere."""
    _, top_k, top_p, min_p = (controls[i] for i in range(4))
    if "top_k" in filters:
        weights = _heaviest(weights, top_k, lambda kept: ops.cast(kept > 0, "float32"))
    if "top_p" in filters:
        weights = _heaviest(weights, top_p * ops.sum(weights, axis=-1, keepdims=True), lambda kept: kept)
    if "min_p" in filters:
        weights = ops.where(weights >= min_p * ops.max(weights, axis=-1, keepdims=True), weights, 0.0)
    return weights


def _heaviest(weights, least, measure):
    """The heaviest weights that together measure at least `least`, no fewer than one; 0 elsewhere.

    The lightest of them is found by halving, which needs no sort: a sort costs more than a small network's step.
    """
    least = least * (1 - 1e-6)  # sums of weights are rounded
    low, high = ops.zeros_like(weights[:, :1]), ops.max(weights, axis=-1, keepdims=True)
    top = high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = ops.sum(measure(ops.where(weights >= middle, weights, 0.0)), axis=-1, keepdims=True) >= least
        low, high = ops.where(enough, middle, low), ops.where(enough, high, middle)
    enough = ops.sum(measure(ops.where(weights >= top, weights, 0.0)), axis=-1, keepdims=True) >= least
    return ops.where(weights >= ops.where(enough, top, low), weights, 0.0)
