"""`NGram`: counts of token n-grams, smoothed into a proper probability after every context."""

from typing import NamedTuple

import numpy as np

from ..errors import InputError

SMOOTHINGS = ("kneser-ney", "witten-bell", "add-one")
MAX_ORDER = 5

_FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)  # for counts of 1, 2 and more


class _Level(NamedTuple):
    """Contexts of k - 1 tokens and n-grams of k tokens seen in training, all arrays sorted by key.

    A context's key joins the number of its k - 2 nearer tokens' context and its farthest token; an n-gram's key
    joins its context's number and its last token. `weight` is an n-gram's own share of the probability,
    `backoff` what a context leaves to the next shorter one.
    """

    contexts: np.ndarray  # (n_contexts,) int64
    grams: np.ndarray  # (n_grams,) int64
    weight: np.ndarray  # (n_grams,) float64
    backoff: np.ndarray  # (n_contexts,) float64


class NGram:
    """An n-gram model of token sequences.

    A proper probability distribution over the vocabulary after every context, seen or unseen. The beginning of a
    sequence is a context of its own; no end is added, as codecs write their own end token if they have one.

    Parameters
    ----------
    order : int
        1 to 5: tokens in an n-gram, so that order - 1 tokens predict the next.
    vocab_size : int
        Tokens are whole numbers from 0 to vocab_size - 1.
    smoothing : str
        "kneser-ney": interpolated, modified (Chen and Goodman, An empirical study of smoothing techniques for
        language modeling, Computer Speech and Language 13, 1999), with three discounts per order estimated from
        the counts of counts, or 0.5, 1 and 1.5 where these do not yield three in (0, count].
        "witten-bell": interpolated (Witten and Bell, The zero-frequency problem, 1991).
        "add-one": one is added to every count of the highest order (at the beginning: of the longest context).
        Unigrams of the first two are interpolated with the uniform distribution.

    Raises
    ------
    InputError
        If an argument is out of range; it names what is allowed.

    Examples
    --------
    >>> model = NGram(2, 3, smoothing="add-one").fit([[0, 1, 0, 1, 0, 2]])
    >>> model.probabilities([0]).round(3)  # after 0 came 1, 1 and 2
    array([0.167, 0.5  , 0.333])
    >>> float(np.exp(-model.nll([0, 1])[1]).round(3))
    0.5
    """

    def __init__(self, order, vocab_size, *, smoothing="kneser-ney"):
        if not (isinstance(order, (int, np.integer)) and 1 <= order <= MAX_ORDER):
            raise InputError(f"order must be a whole number from 1 to {MAX_ORDER}, not {order!r}")
        if not (isinstance(vocab_size, (int, np.integer)) and 1 <= vocab_size < 2**31):
            raise InputError(f"vocab_size must be a whole number from 1 to 2**31 - 1, not {vocab_size!r}")
        if smoothing not in SMOOTHINGS:
            raise InputError(f"unknown smoothing {smoothing!r}", remedy=f"use one of {', '.join(SMOOTHINGS)}")
        self.order, self.vocab_size, self.smoothing = int(order), int(vocab_size), smoothing
        self._levels = None

    def fit(self, sequences):
        """Count the n-grams of token sequences, forgetting what was counted before.

        Parameters
        ----------
        sequences : iterable of array-like of int, shape (n_tokens,)
            At least one token in all.

        Returns
        -------
        NGram
            Itself.

        Raises
        ------
        InputError
            If there is no token or one outside the vocabulary.
        """
        pieces = [self._checked(tokens, f"sequences[{index}]") for index, tokens in enumerate(sequences)]
        tokens = np.concatenate([np.empty(0, np.int64), *pieces])
        if not len(tokens):
            raise InputError("sequences hold no token", remedy="give at least one token array that is not empty")
        position = np.concatenate([np.arange(len(piece)) for piece in pieces])
        counted = self._count(tokens, position)
        self._levels = [self._level(counted, k) for k in range(self.order)]
        return self

    def nll(self, tokens):
        """Negative log-likelihood of each token given those before it.

        Parameters
        ----------
        tokens : array-like of int, shape (n_tokens,)
            One sequence, from its beginning.

        Returns
        -------
        numpy.ndarray of float64, shape (n_tokens,)
            Nats per token. `np.exp(nll.mean())` is the perplexity.

        Raises
        ------
        InputError
            If a token is outside the vocabulary or the model is not fitted.
        """
        tokens = self._checked(tokens, "tokens")
        contexts = self._find_contexts(self._left(tokens, np.arange(len(tokens))), len(tokens))
        return -np.log(self._mix(contexts, tokens))

    def probabilities(self, context=()):
        """Distribution of the next token.

        Parameters
        ----------
        context : array-like of int, shape (n_tokens,)
            All tokens before it, from the beginning of the sequence; only the last order - 1 matter.

        Returns
        -------
        numpy.ndarray of float64, shape (vocab_size,)
            Sums to 1, every entry is positive.

        Raises
        ------
        InputError
            If a token is outside the vocabulary or the model is not fitted.
        """
        return self._next(self._checked(context, "context"))

    def generate(self, length, *, seed, context=()):
        """Draw tokens one after the other.

        Parameters
        ----------
        length : int
            How many, at least 0.
        seed : int
            The same seed gives the same tokens.
        context : array-like of int
            Tokens that come before; they are not returned.

        Returns
        -------
        numpy.ndarray of int64, shape (length,)

        Raises
        ------
        InputError
            If `length` is negative, a token is outside the vocabulary or the model is not fitted.
        """
        if not (isinstance(length, (int, np.integer)) and length >= 0):
            raise InputError(f"length must be a whole number of at least 0, not {length!r}")
        tokens = self._checked(context, "context").tolist()
        given = len(tokens)
        for draw in np.random.default_rng(seed).random(length):
            mass = np.cumsum(self._next(np.array(tokens[-self.order :], np.int64)))
            tokens.append(int(np.searchsorted(mass, draw * mass[-1], side="right")))
        return np.array(tokens[given:], np.int64)

    def _checked(self, tokens, name):
        array = np.asarray(tokens)
        if array.ndim != 1 or not (np.issubdtype(array.dtype, np.integer) or not array.size):
            raise InputError(f"{name} must be a list of whole numbers, not shape {array.shape} of {array.dtype}")
        wrong = np.flatnonzero((array < 0) | (array >= self.vocab_size))
        if len(wrong):
            raise InputError(
                f"{name} holds token {array[wrong[0]]} at {wrong[0]}, outside the vocabulary of {self.vocab_size}",
                remedy="encode with the codec whose vocab_size the model was given",
            )
        return array.astype(np.int64)

    def _left(self, tokens, position):
        """Tokens 1, 2 … order - 1 places to the left: vocab_size before the beginning, -1 beyond that."""
        for distance in range(1, self.order):
            left = np.concatenate([np.zeros(min(distance, len(tokens)), np.int64), tokens[:-distance]])
            yield np.where(position >= distance, left, np.where(position == distance - 1, self.vocab_size, -1))

    def _count(self, tokens, position):
        """Per order: context keys, n-gram keys, counts of these."""
        number, contexts = np.zeros(len(tokens), np.int64), np.zeros(1, np.int64)
        counted = [(contexts, *np.unique(tokens, return_counts=True))]
        for left in self._left(tokens, position):
            inside = left >= 0
            contexts, shared = np.unique(number[inside] * (self.vocab_size + 1) + left[inside], return_inverse=True)
            number[inside] = shared
            grams = shared * self.vocab_size + tokens[inside]
            counted.append((contexts, *np.unique(grams, return_counts=True)))
        return counted

    def _level(self, counted, k):
        contexts, grams, counts = counted[k]
        if self.smoothing == "kneser-ney" and k + 1 < self.order:
            counts = self._continuation_counts(counted[k + 1], grams, counts)
        owner = grams // self.vocab_size
        total = np.bincount(owner, counts, len(contexts))
        if self.smoothing == "add-one":
            return self._add_one_level(contexts, grams, counts, owner, total, k)
        if self.smoothing == "witten-bell":
            kinds = np.bincount(owner, minlength=len(contexts))
            return _Level(contexts, grams, counts / (total + kinds)[owner], kinds / (total + kinds))
        discount = np.array([0.0, *_discounts(counts)])[np.minimum(counts, 3)]
        return _Level(
            contexts, grams, (counts - discount) / total[owner], np.bincount(owner, discount, len(contexts)) / total
        )

    def _add_one_level(self, contexts, grams, counts, owner, total, k):
        """Only the longest context there is counts; a shorter one hands everything down, at last to uniform."""
        longest = (contexts % (self.vocab_size + 1) == self.vocab_size) | (k + 1 == self.order)
        total = total + self.vocab_size
        weight = np.where(longest[owner], counts / total[owner], 0.0)
        return _Level(contexts, grams, weight, np.where(longest, self.vocab_size / total, 1.0))

    def _continuation_counts(self, longer, grams, counts):
        """In how many different tokens' company, to the left, each n-gram was seen.

        An n-gram at the beginning of a sequence has no left neighbour and keeps its count.
        """
        contexts, longer_grams, _ = longer
        owner, token = longer_grams // self.vocab_size, longer_grams % self.vocab_size
        suffix = contexts[owner] // (self.vocab_size + 1) * self.vocab_size + token
        kinds = np.bincount(np.searchsorted(grams, suffix), minlength=len(grams))
        return np.where(kinds > 0, kinds, counts)

    def _find_contexts(self, lefts, length):
        """Numbers of the contexts of 0, 1 … tokens, -1 where one was not seen in training."""
        number = np.zeros(length, np.int64)
        yield number
        for level, left in zip(self._fitted()[1:], lefts, strict=True):
            found = _find(level.contexts, number * (self.vocab_size + 1) + left)
            number = np.where((number < 0) | (left < 0), -1, found)
            yield number

    def _mix(self, contexts, tokens):
        """Probability of each token, interpolated from the shortest context to the longest."""
        probability = np.full(len(tokens), 1.0 / self.vocab_size)
        for level, number in zip(self._fitted(), contexts, strict=True):
            if not len(level.contexts):
                break  # every training sequence was shorter
            gram = np.where(number < 0, -1, _find(level.grams, number * self.vocab_size + tokens))
            weight = np.where(gram < 0, 0.0, level.weight[gram])
            probability = weight + np.where(number < 0, 1.0, level.backoff[number]) * probability
        return probability

    def _next(self, context):
        lefts = [context[-distance] if distance <= len(context) else -1 for distance in range(1, self.order)]
        if len(context) < self.order - 1:
            lefts[len(context)] = self.vocab_size
        tokens = np.arange(self.vocab_size)
        return self._mix(self._find_contexts(map(np.int64, lefts), 1), tokens)

    def _fitted(self):
        if self._levels is None:
            raise InputError("the model holds no counts yet", remedy="call fit first")
        return self._levels


def _find(keys, wanted):
    """Places of `wanted` in the sorted `keys`, -1 where it is not among them."""
    if not len(keys):
        return np.full(np.shape(wanted), -1)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, -1)


def _discounts(counts):
    """Kneser-Ney's three discounts from the numbers of n-grams seen once, twice, three and four times."""
    one, two, three, four = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].tolist()
    if not (one and two and three and four):
        return _FALLBACK_DISCOUNTS
    share = one / (one + 2 * two)
    found = (1 - 2 * share * two / one, 2 - 3 * share * three / two, 3 - 4 * share * four / three)
    return (
        found
        if all(0 < value <= limit for value, limit in zip(found, (1, 2, 3), strict=True))
        else _FALLBACK_DISCOUNTS
    )
