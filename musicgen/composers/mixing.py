"""What a VAEComposer does with given music: encode, decode, blend, vary, move along attributes."""

import itertools

import numpy as np

from ..codecs.lines import codes_of
from ..errors import InputError
from ..timing import Timing
from ..transforms import crop
from .alignment import Heard, cuts_of, pieces_to_hear
from .attributes import ATTRIBUTES
from .base import checked_seed, whole_number
from .controls import checked_number
from .fragments import TIED, moved
from .latent_space import blended, checked_weights, spherical

DRAWING = {"temperature": 1.0, "top_k": None, "top_p": 0.98, "min_p": 0.0}


class Mixing:
    """Methods of a trained VAEComposer that work on latents.

    Latents are points of the space that the encoder maps fragments to: one row of `latent_dim` numbers for each
    fragment of `fragment_bars` bars.
    """

    def fragments(self, sequence):
        """A piece cut into fragments as `encode` takes them, one behind the other.

        Parameters
        ----------
        sequence : NoteSequence

        Returns
        -------
        list of NoteSequence
            Each of `fragment_bars` bars from a downbeat on; a pickup and bars left over are not among them.

        Raises
        ------
        InputError
            If the piece has fewer bars.
        """
        self._need_training()
        bars = self._cutter.bars
        timing = sequence.timing
        starts = timing.bars(sequence.duration)
        starts = starts[timing.quarters_to_seconds(starts) > -1e-6]
        count = len(starts) // bars
        if not count:
            reason = f"the piece has {len(starts)} bars, the fragments of this composer have {bars}"
            raise InputError(reason, remedy=f"give at least {bars} bars")
        edges = np.append(timing.quarters_to_seconds(starts[::bars]), sequence.duration)[: count + 1]
        edges[-1] = min(edges[-1], sequence.duration)
        return [crop(sequence, max(a, 0.0), b) for a, b in itertools.pairwise(edges)]

    def encode(self, sequences):
        """Latents of fragments.

        Parameters
        ----------
        sequences : iterable of NoteSequence
            Each of `fragment_bars` bars, see `fragments`.

        Returns
        -------
        numpy.ndarray of float32, shape (n, latent_dim)

        Raises
        ------
        InputError
            If a piece has no notes, another number of bars, another meter, or an empty bar; or the codec cannot hold
            it.
        """
        self._need_training()
        sequences = pieces_to_hear(sequences)
        tokens = np.concatenate([cut.tokens for cut in cuts_of(self, sequences, exactly=1)])
        return self._writer.encode(tokens)[0]

    def decode(self, latents, *, seed=None, bpm=None, **drawing):
        """Fragments of latents.

        Parameters
        ----------
        latents : array-like, shape (n, latent_dim)
        seed : int, optional
            Default: a fresh one.
        bpm : float, optional
            Beats per minute. Default: the median of the training data.
        **drawing
            temperature, top_k, top_p, min_p, as in `compose`.

        Returns
        -------
        list of NoteSequence

        Raises
        ------
        InputError
            If latents have another shape or are not finite, or an option is unknown or out of range.
        """
        self._need_training()
        latents, drawing = self._checked_latents(latents), self._checked_drawing(drawing)
        bpm = checked_number("bpm", bpm, 10, 400, "beats per minute") or self.provenance["tempo"][""]
        seed = checked_seed(seed)
        tokens = self._writer.write(latents, [[seed, row] for row in range(len(latents))], drawing)
        timing, meta = Timing.regular(bpm, self._cutter.meter), {"composer": type(self).__name__, "seed": seed}
        return [self._cutter.piece(lines, timing=timing, meta=meta) for lines in tokens]

    def reconstruct(self, sequences, *, seed=None, **drawing):
        """Pieces as they come back from latent space, at their own timing.

        Parameters
        ----------
        sequences : iterable of NoteSequence
            Of at least `fragment_bars` bars, a pickup counting as one; bars that do not fill the last fragment are
            left out, as `meta["aligned"]` tells.
        seed, **drawing
            As in `decode`.

        Returns
        -------
        list of NoteSequence
        """
        return [self.blend([piece], [1.0], seed=seed, **drawing) for piece in pieces_to_hear(sequences)]

    def interpolate(self, a, b, steps=9, *, align_keys=True, seed=None, **drawing):
        """A way from one piece to another.

        Fragment by fragment the latents go along the great circle between both pieces'. The shorter piece is repeated
        to the length of the longer one, the tempo goes evenly from one to the other, and `b` is moved into the key of
        `a` before, and every step back towards its own by its share: `meta["aligned"]` tells all of it. With it stand
        `meta["share"]`, 0 for `a` to 1 for `b`, and `meta["distance"]`: the share of grid steps at which something
        else sounds than in `a`, before a step is moved back towards the key of `b`.

        Parameters
        ----------
        a, b : NoteSequence
            Of at least `fragment_bars` bars.
        steps : int
            Pieces of the result, those of both ends included; at least 2.
        align_keys : bool
            Whether to move `b` into the key of `a`.
        seed, **drawing
            As in `decode`; all steps are drawn with the same random numbers.

        Returns
        -------
        list of NoteSequence
            As long as the longer piece.

        Raises
        ------
        InputError
            As `encode`, whatever the number of fragments.
        """
        steps = whole_number("steps", steps, 2)
        shares = np.linspace(0.0, 1.0, steps)
        heard = self._hear([a, b], align_keys)
        seed, drawing = checked_seed(seed), self._checked_drawing(drawing)
        made = []
        for number, share in enumerate(shares):
            latents = spherical(*heard.latents, share)
            back = round(share * heard.distances[1])
            meta = {"title": f"step {number + 1} of {steps}", "aligned": heard.told, "share": f"{share:.4g}"}
            tokens = self._written(latents, seed, drawing)
            meta["distance"] = f"{np.mean(codes_of(tokens) != codes_of(heard.tokens[0])):.4f}"
            made.append(self._piece_of(heard, tokens, [1 - share, share], back, seed, meta))
        return made

    def blend(self, sequences, weights=None, *, align_keys=True, seed=None, **drawing):
        """One piece out of several: the mean of their latents, fragment by fragment.

        Parameters
        ----------
        sequences : iterable of NoteSequence
            Of at least `fragment_bars` bars. Lengths, keys and tempi are aligned as in `interpolate`, keys to the
            first piece.
        weights : sequence of float, optional
            At least 0, with sum 1. Default: equal ones.
        align_keys, seed, **drawing
            As in `interpolate`.

        Returns
        -------
        NoteSequence

        Raises
        ------
        InputError
            As `interpolate`, or if weights are not one per piece or do not sum to 1.
        """
        sequences = pieces_to_hear(sequences)
        count = len(sequences)
        weights = checked_weights(np.full(count, 1 / count) if weights is None else weights, count)
        heard = self._hear(sequences, align_keys)
        meta = {"title": "a blend" if count > 1 else "a reconstruction"}
        latents = blended(heard.latents, weights)
        return self._mixed(heard, latents, weights, checked_seed(seed), self._checked_drawing(drawing), meta)

    def vary(self, sequence, amount=0.3, *, seed=None, **drawing):
        """A piece like the given one.

        Parameters
        ----------
        sequence : NoteSequence
            Of at least `fragment_bars` bars.
        amount : float
            0 is the piece's reconstruction, 1 has nothing in common with it.
        seed, **drawing
            As in `decode`.

        Returns
        -------
        NoteSequence
        """
        amount, seed = _checked_amount(amount, 0, 1), checked_seed(seed)
        heard = self._hear([sequence], False)
        normal = self._space.normal(heard.latents[0])
        fresh = np.random.default_rng([seed, 2]).standard_normal(normal.shape)
        latents = self._space.point(np.sqrt(1 - amount**2) * normal + amount * fresh)
        meta = {"title": "a variation", "amount": f"{amount:g}"}
        return self._mixed(heard, latents, [1.0], seed, self._checked_drawing(drawing), meta)

    def attribute_vector(self, name):
        """What to add to latents for more of an attribute.

        It is found by what it does: the direction in which the attribute of decoded fragments grows most, on the mean
        over the training data, and as long as raises it by a standard deviation of these, where that can be reached.

        Parameters
        ----------
        name : {"diatonic_share", "note_density", "interval_size", "syncopation"}
            See `composers.attributes`.

        Returns
        -------
        numpy.ndarray of float32, shape (latent_dim,)

        Raises
        ------
        InputError
            If there is no such attribute.
        """
        self._need_training()
        if not isinstance(name, str) or name not in ATTRIBUTES:
            raise InputError(f"attribute {name!r} is unknown", remedy=f"one of {', '.join(ATTRIBUTES)}")
        return self._space.attributes[list(ATTRIBUTES).index(name)].copy()

    def shift(self, sequence, name, amount=1.0, *, seed=None, **drawing):
        """A piece moved along an attribute.

        Parameters
        ----------
        sequence : NoteSequence
            Of at least `fragment_bars` bars.
        name : str
            See `attribute_vector`.
        amount : float
            Times that the attribute's vector is added; negative ones take away.
        seed, **drawing
            As in `decode`.

        Returns
        -------
        NoteSequence
        """
        amount = _checked_amount(amount, -10, 10)
        vector, heard = self.attribute_vector(name), self._hear([sequence], False)
        meta = {"title": f"{name.replace('_', ' ')} {amount:+g}"}
        latents = heard.latents[0] + amount * vector
        return self._mixed(heard, latents, [1.0], checked_seed(seed), self._checked_drawing(drawing), meta)

    # ---- what they share

    def _hear(self, sequences, align_keys):
        self._need_training()
        return Heard(self, pieces_to_hear(sequences), align_keys)

    def _written(self, latents, seed, drawing):
        """Tokens of latents (fragments, latent_dim)."""
        return self._writer.write(latents, [[seed, place] for place in range(len(latents))], drawing)

    def _mixed(self, heard, latents, weights, seed, drawing, meta):
        meta = {**meta, "aligned": heard.told}
        return self._piece_of(heard, self._written(latents, seed, drawing), weights, 0, seed, meta)

    def _piece_of(self, heard, tokens, weights, semitones, seed, meta):
        """The piece of fragments, moved by semitones, at the weighted mean tempo."""
        nearest = int(np.argmax(weights))
        lines = self._cutter.joined(moved(tokens, semitones), heard.ties[nearest] == TIED)
        timing, tracks = heard.sequences[nearest].timing, heard.sequences[nearest].tracks
        if len(heard.sequences) > 1 or timing.beats[0] > 0 or len(heard.ties[nearest]) > heard.counts[nearest]:
            bpm = float(np.exp(np.dot(weights, np.log([piece.timing.bpm for piece in heard.sequences]))))
            timing = Timing.regular(bpm, self._cutter.meter)
        else:
            lines = lines[heard.before[nearest] :]  # a pickup's bar begins before the piece
        if len(tracks) != len(self._cutter.counts):
            tracks = None
        meta = {"composer": type(self).__name__, "seed": seed, **meta}
        return self._cutter.piece(lines, timing=timing, tracks=tracks, meta=meta)

    def _checked_latents(self, latents):
        try:
            latents = np.asarray(latents)
        except ValueError as error:  # rows of several lengths
            raise InputError(f"latents must be rows of {self.latent_dim} numbers each: {error}") from error
        if latents.dtype.kind not in "iuf":
            raise InputError(f"latents must be real numbers, not {latents.dtype}")
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim:
            raise InputError(f"latents must have the shape (n, {self.latent_dim}), not {latents.shape}")
        with np.errstate(over="ignore"):
            latents = latents.astype(np.float32)
        if not np.isfinite(latents).all():
            raise InputError("latents must be finite numbers of float32")
        return latents

    def _checked_drawing(self, drawing):
        unknown = sorted(set(drawing) - set(DRAWING))
        if unknown:
            raise InputError(f"there is no option {unknown[0]!r}", remedy=f"there are seed, {', '.join(DRAWING)}")
        return self._drawing(DRAWING | drawing)


def _checked_amount(amount, low, high):
    if amount is None:
        raise InputError(f"amount must be {low} to {high}, not None")
    return checked_number("amount", amount, low, high, "")
