"""Writing fragments from latents, and reading latents from fragments: compiled, many at once."""

import numpy as np
from keras import ops

from ..codecs.lines import SILENT, codes_of
from ..codecs.melody import HOLD
from .backend import compile_method, scan, to_numpy
from .drawing import draw
from .latent import NOTHING, OUTPUTS, code_of

BATCH_SIZES = (16, 64, 256)  # fragments per call: compiled once for each size that occurs


class Writer:
    """Compiled ways of a `LatentNetwork`.

    Parameters
    ----------
    network : LatentNetwork
    """

    def __init__(self, network):
        self.network, self._loops = network, {}
        self._variables = list(network.named_variables().values())
        self._encode = compile_method(network.encode, self._variables)
        self._told = compile_method(self._tell, self._variables)

    def encode(self, tokens):
        """Mean and log variance of the latents of fragments: float32 (n, latent_dim) each.

        Parameters
        ----------
        tokens : int, shape (n, steps, lines)
        """
        codes = codes_of(tokens).astype(np.int32)
        parts = [to_numpy(self._encode(group)) for group in groups(codes)]
        return tuple(np.concatenate(part)[: len(tokens)] for part in zip(*parts, strict=True))

    def write(self, latents, seeds, controls):
        """Tokens drawn from latents.

        Parameters
        ----------
        latents : float, shape (n, latent_dim)
        seeds : list of n seeds
            A fragment does not depend on those beside it.
        controls : SamplingControls

        Returns
        -------
        uint8, shape (n, steps, lines)
        """
        if not len(latents):
            return np.zeros((0, self.network.steps, self.network.lines), np.uint8)
        if controls.filters not in self._loops:
            self._loops[controls.filters] = compile_method(self._made_loop(controls.filters), self._variables)
        loop, numbers = self._loops[controls.filters], controls.row(OUTPUTS)
        shape = (self.network.steps, self.network.lines)
        uniform = np.stack([np.random.default_rng(seed).random(shape, np.float32) for seed in seeds])
        pairs = zip(groups(np.asarray(latents, np.float32)), groups(uniform), strict=True)
        written = [to_numpy(loop(some, numbers, np.moveaxis(drawn, 0, 2))) for some, drawn in pairs]
        return np.concatenate([np.moveaxis(tokens, 1, 0) for tokens in written])[: len(latents)].astype(np.uint8)

    def _made_loop(self, filters):
        network = self.network

        def run(latents, controls, uniform):  # (steps, lines, batch)
            contexts = ops.transpose(network.contexts(latents), (1, 0, 2))
            batch = latents.shape[0]

            def body(carry, inputs):
                codes, state = carry
                context, keep, drawn = inputs

                def choose(line, scores):
                    sounding = codes[:, line : line + 1] < SILENT
                    allowed = sounding | (np.arange(OUTPUTS) != HOLD)[None]
                    token = draw(scores, allowed, drawn[line], controls, filters=filters)
                    return token, code_of(token, codes[:, line])

                tokens, codes, state = network.step(codes, context, state, keep, choose)
                return (codes, state), tokens

            zeros = ops.zeros((batch, network.units), "float32")
            start = ops.full((batch, network.lines), NOTHING, "int32"), (zeros, zeros)
            keep = ops.convert_to_tensor(network.keep())
            return scan(body, start, (contexts, keep, ops.convert_to_tensor(uniform)))[1]

        return run

    def nll(self, tokens, latents):
        """Nats of every token of fragments, given their latents: float32, (n, steps, lines)."""
        return self._judged(tokens, latents)[0]

    def hits(self, tokens, latents):
        """Which tokens of fragments are the likeliest, given latents and the tokens before: bool, as `tokens`."""
        return self._judged(tokens, latents)[1]

    def _judged(self, tokens, latents):
        pairs = zip(groups(np.asarray(latents, np.float32)), groups(np.asarray(tokens, np.int32)), strict=True)
        parts = [to_numpy(self._told(some, told, codes_of(told).astype(np.int32))) for some, told in pairs]
        return tuple(np.concatenate(part)[: len(tokens)] for part in zip(*parts, strict=True))

    def _tell(self, latents, tokens, codes):
        scores = self.network.decode(latents, codes)
        chosen = ops.take_along_axis(scores, ops.expand_dims(tokens, -1), axis=-1)[..., 0]
        return ops.logsumexp(scores, axis=-1) - chosen, chosen >= ops.max(scores, axis=-1)


def groups(array):
    """An array in parts of the sizes that are compiled; the last is filled up with its last row."""
    for first in range(0, len(array), BATCH_SIZES[-1]):
        group = array[first : first + BATCH_SIZES[-1]]
        size = next(size for size in BATCH_SIZES if size >= len(group))
        yield np.concatenate([group, np.repeat(group[-1:], size - len(group), axis=0)])
