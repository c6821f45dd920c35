"""One request to a token composer: what is asked, what is continued, how it is drawn; tokens in, pieces out."""

import numpy as np

from ..codecs.grammar import TYPE
from ..transforms import crop
from .base import finished
from .controls import CONTROLS, Asked, checked_number
from .diagnosis import warning
from .drawing import SamplingControls
from .primers import Primer
from .prompts import Prompt


class Plan:
    """A request that was checked.

    Parameters
    ----------
    composer : Composer
        Trained; its `codec`, `options` and `provenance` are used.
    bars : int or None
        Bars to compose; None for no end.
    genre : str or None
    primer : NoteSequence or None
    seed : int
    options : dict
        All of the composer's, with its defaults where nothing is asked.
    """

    def __init__(self, composer, *, bars, genre, primer, seed, options):
        self.codec, self.bars, self.seed, self._composer = composer.codec, bars, seed, composer
        wanted = {name: options[name] for name in CONTROLS}
        drawing = {name: value for name, value in options.items() if name not in (*CONTROLS, "repetition_penalty")}
        self.drawing = SamplingControls(**drawing)
        seen = composer.provenance.get("controls", {})
        self._keys = seen.get("Key", {})
        self.asked = Asked(self.codec, seen, bars=bars, genre=genre, primed=primer is not None, **wanted)
        penalty = checked_number("repetition_penalty", options["repetition_penalty"], 0, 100, "nats")
        self.primer = None if primer is None else Primer(self.codec, primer, self.asked.tokens())
        self.guidance = self.asked.guidance(penalty, self.primer)
        self._settings = {
            name: value
            for name, value in options.items()
            if name not in CONTROLS and value != SamplingControls.__dict__.get(name, composer.options[name])
        }

    @property
    def tracks(self):
        """Tracks of the pieces."""
        return self.asked.played(self.codec.tracks if self.primer is None else self.primer.tracks)

    def prompt(self, number):
        """The `Prompt` of piece `number`, which the number and the seed alone decide."""
        begin = {"controls": self._drawn_key(number) | self.asked.tokens()}
        if self.primer is not None:
            begin = {"primer": self.primer.tokens, "floor": self.primer.floor, "walked": self.primer.walked}
        return Prompt(self.codec, self.bars, [self.seed, number], **begin)

    def _drawn_key(self, number):
        """A key for piece `number`, as often as the training data have it; what is asked for goes before."""
        if not self._keys:
            return {}
        counts = np.array(list(self._keys.values()), float)
        random = np.random.default_rng([self.seed, number, 1])
        likeliest = self.drawing.temperature == 0
        chosen = np.argmax(counts) if likeliest else random.choice(len(counts), p=counts / counts.sum())
        return {"Key": list(self._keys)[chosen]}

    def piece(self, tokens, number, *, dense=False):
        """The NoteSequence that new tokens describe, with all that is to be known of it in `meta`."""
        meta = {"composer": type(self._composer).__name__, "seed": self.seed, "number": number, "bars": self.bars}
        meta |= {**self._settings, "title": f"{self.asked.genre or 'piece'} {number + 1}"}
        if self.primer is None:
            start, whole = 0.0, np.concatenate([[self.codec.token("BOS_None")], tokens])
            piece = self.codec.decode(whole, meta=meta)
        else:
            start, whole = self.primer.begin, np.concatenate([self.primer.tokens, tokens])
            piece = self.primer.continued(tokens, meta)
        piece = finished(piece, int(np.sum(self.codec.grammar.types[whole] == TYPE["Bar"])))
        piece = self.asked.finished(piece)
        new = piece if self.primer is None else crop(piece, start, piece.duration)
        found = self.asked.meta(piece, start)
        wrong = [
            warning(new, dense=dense, sampling=self.drawing, provenance=self._composer.provenance),
            self.asked.missed(found),
        ]
        if any(wrong):
            found["warning"] = "; ".join(filter(None, wrong))
        if self.primer is None and self.asked.key is None and "achieved_key" in found:
            found["key"] = found["achieved_key"]  # the one drawn is a beginning, not what became of it
        return piece.replace(meta=found)
