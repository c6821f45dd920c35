"""Exact likelihood of token streams under a recurrent network: the state runs through each from its beginning."""

import numpy as np
from keras import ops

from .backend import compile_function, scan, to_numpy

CHUNK = 256  # tokens per compiled call
TOGETHER = 64  # streams per call


class Scorer:
    """Negative log-likelihoods under one network.

    Parameters
    ----------
    network : RecurrentNetwork
    """

    def __init__(self, network):
        self.network = network
        self._chunk = compile_function(self._score)

    def nll(self, streams, weights=None):
        """Nats for every token of each stream but the first.

        Parameters
        ----------
        streams : list of int array
            Each begins with the start token.
        weights : dict, optional
            Default: those of the network as it is now.

        Returns
        -------
        list of numpy.ndarray of float64
        """
        weights = self.network.step_weights(weights)
        order = np.argsort([len(stream) for stream in streams], kind="stable")
        scores = [None] * len(streams)
        for first in range(0, len(order), TOGETHER):
            group = order[first : first + TOGETHER]
            for index, nats in zip(group, self._group([streams[i] for i in group], weights), strict=True):
                scores[index] = nats
        return scores

    def _group(self, streams, weights):
        length = -(-(max(map(len, streams)) - 1) // CHUNK) * CHUNK + 1
        tokens = np.zeros((length, len(streams)), np.int32)
        for column, stream in enumerate(streams):
            tokens[: len(stream), column] = stream
        carry = self.network.initial_carry(len(streams))
        scores = []
        for start in range(0, length - 1, CHUNK):
            inputs = tokens[start : start + CHUNK], tokens[start + 1 : start + CHUNK + 1]
            carry, nats = self._chunk(weights, carry, *inputs)
            scores.append(to_numpy(nats))
        scores = np.concatenate(scores).astype(np.float64)
        return [scores[: len(stream) - 1, column] for column, stream in enumerate(streams)]

    def _score(self, weights, carry, tokens, targets):
        """Nats of `targets` (time, batch) after `tokens`, and the state behind them."""

        def body(carry, inputs):
            token, target = inputs
            logits, carry = self.network.step(weights, token, carry)
            chosen = ops.take_along_axis(logits, ops.expand_dims(target, 1), axis=1)[:, 0]
            return carry, ops.logsumexp(logits, axis=-1) - chosen

        return scan(body, carry, (tokens, targets))
