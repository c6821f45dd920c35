"""Diagrams of the site as SVG: the way of the data, and how each model works.

They are put into the pages themselves, drawn in the colour of the text around them, so that they can be read on light
and on dark ground; narrow, so that a phone shows them in full.
"""

from html import escape

from musicgen.plots import COLOURS

BLUE, RED, GREEN, YELLOW, CYAN, PURPLE = COLOURS[:6]
WIDTH = 400
LINE = 16  # from one line of text to the next


class Figure:
    """An SVG that grows by boxes, arrows and notes.

    Parameters
    ----------
    name : str
    height : int
    title, description : str
        What those are told who do not see it.
    """

    def __init__(self, name, height, title, description):
        self.name, self.height, self.title, self.description, self.parts = name, height, title, description, []

    def box(self, x, y, width, height, colour, head, *lines):
        """A named box, lines of small text under its name."""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{colour}" fill-opacity="0.16" '
            f'stroke="{colour}" stroke-width="1.5"/>'
        )
        first = y + height / 2 - LINE * len(lines) / 2 + 4.5
        self._text(x + width / 2, first, head, 'font-size="13.5" font-weight="600"')
        for number, line in enumerate(lines, 1):
            self._text(x + width / 2, first + LINE * number, line, 'font-size="12" opacity="0.85"')

    def arrow(self, *points, dashed=False):
        """A line through points, with a head at its end."""
        way = " ".join(f"{x},{y}" for x, y in points)
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        self.parts.append(
            f'<polyline points="{way}" fill="none" stroke="currentColor" stroke-width="1.3" opacity="0.75"{dashes} '
            f'marker-end="url(#head-{self.name})"/>'
        )

    def note(self, x, y, text, anchor="middle", turned=False):
        """Small text beside an arrow."""
        rest = f'font-size="12" font-style="italic" opacity="0.85" text-anchor="{anchor}"'
        self._text(x, y, text, rest + (f' transform="rotate(-90 {x} {y})"' if turned else ""))

    def _text(self, x, y, text, rest):
        anchor = "" if "text-anchor" in rest else 'text-anchor="middle" '
        self.parts.append(f'<text x="{x:g}" y="{y:g}" fill="currentColor" {anchor}{rest}>{escape(text)}</text>')

    def html(self):
        """The figure as it stands in a page."""
        head = (
            f'<marker id="head-{self.name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor"/></marker>'
        )
        named = f'role="img" aria-labelledby="{self.name}-title {self.name}-description"'
        told = (
            f'<title id="{self.name}-title">{escape(self.title)}</title>'
            f'<desc id="{self.name}-description">{escape(self.description)}</desc>'
        )
        return "\n".join(
            [
                '<figure class="diagram">',
                f'<svg viewBox="0 0 {WIDTH} {self.height}" {named}>{told}<defs>{head}</defs>',
                *self.parts,
                "</svg>",
                f"<figcaption>{escape(self.title)}</figcaption>",
                "</figure>",
            ]
        )


def way():
    """The way of the data."""
    figure = Figure(
        "way",
        382,
        "The way of the data: up from recordings to weights, and back to music",
        "Recordings are transcribed, and MIDI files, scores and corpora are read, into NoteSequences. A codec "
        "encodes these as arrays, from which a composer learns. It composes arrays, which the codec decodes into "
        "new NoteSequences; these are measured against the others and leave as MIDI, audio or scores.",
    )
    figure.box(2, 4, 92, 62, YELLOW, "recordings", "WAV, MP3 …")
    figure.box(102, 4, 92, 62, YELLOW, "notes", "MIDI, scores,", "corpora")
    figure.box(230, 4, 168, 62, YELLOW, "new music", ".mid .wav .musicxml")
    figure.arrow((20, 66), (20, 112))
    figure.note(28, 94, "transcribed", "start")
    figure.arrow((120, 66), (120, 112))
    figure.note(128, 94, "read", "start")
    figure.box(2, 114, 192, 50, BLUE, "NoteSequence", "the pieces to learn from")
    figure.box(230, 114, 168, 50, BLUE, "NoteSequence", "the new pieces")
    figure.arrow((290, 114), (290, 68))
    figure.note(282, 94, "saved, rendered", "end")
    figure.arrow((194, 131), (228, 131))
    figure.arrow((230, 147), (196, 147))
    figure.note(212, 182, "metrics")
    figure.arrow((98, 164), (98, 208))
    figure.note(90, 192, "codec.encode", "end")
    figure.box(2, 210, 192, 50, GREEN, "arrays", "tokens, lines or rolls")
    figure.arrow((290, 210), (290, 166))
    figure.note(298, 192, "codec.decode", "start")
    figure.box(230, 210, 168, 50, GREEN, "arrays", "of the same kind")
    figure.arrow((98, 260), (98, 314))
    figure.note(90, 291, "fit", "end")
    figure.arrow((290, 316), (290, 262))
    figure.note(298, 291, "compose", "start")
    figure.box(
        2,
        316,
        396,
        60,
        PURPLE,
        "composer",
        "LSTM, VAE or GAN: a network and its codec,",
        "saved as JSON and safetensors",
    )
    return figure


def lstm():
    """One token of the LSTM."""
    figure = Figure(
        "lstm",
        634,
        "The LSTM: how one token is written",
        "The last token is embedded, and a memory tells what pitches sounded last. Both go into the recurrent "
        "layers. From these come scores of all tokens, and, through patterns of intervals around the pitches in "
        "the memory, further scores of pitches. Masks and biases say what is allowed and asked, a token is drawn, "
        "and it goes the same way again, until the piece ends and is decoded.",
    )
    figure.box(36, 4, 328, 52, BLUE, "tokens so far", "… Position_4 Pitch_67 Duration_2 Position_6")
    figure.arrow((115, 56), (115, 84))
    figure.arrow((285, 56), (285, 84))
    figure.box(36, 86, 158, 66, GREEN, "embedding", "of the last token")
    figure.box(206, 86, 158, 66, GREEN, "pitch memory", "what sounds, the two", "groups before, own last")
    figure.arrow((115, 152), (115, 180))
    figure.arrow((285, 152), (285, 180))
    figure.box(36, 182, 328, 52, PURPLE, "LSTM layers", "carry what the piece has been so far")
    figure.arrow((115, 234), (115, 262))
    figure.arrow((285, 234), (285, 262))
    figure.arrow((364, 119), (384, 119), (384, 297), (366, 297))
    figure.box(36, 264, 158, 66, CYAN, "scores", "of every token")
    figure.box(206, 264, 158, 66, CYAN, "interval head", "patterns around", "each pitch")
    figure.arrow((115, 330), (115, 358))
    figure.arrow((285, 330), (285, 358))
    figure.note(200, 350, "added up")
    figure.box(
        36,
        360,
        328,
        68,
        RED,
        "what is allowed, what is asked",
        "masks: grammar, range, meter, polyphony",
        "biases: key, density, no endless loops",
    )
    figure.arrow((200, 428), (200, 456))
    figure.box(36, 458, 328, 52, YELLOW, "one token is drawn", "temperature, top-k, top-p, min-p, seed")
    figure.arrow((36, 484), (16, 484), (16, 30), (34, 30))
    figure.note(10, 257, "and again, in one compiled loop", turned=True)
    figure.arrow((200, 510), (200, 576))
    figure.note(208, 548, "at the end: decoded", "start")
    figure.box(36, 578, 328, 50, BLUE, "NoteSequence", "with what was asked and achieved in meta")
    return figure


def vae():
    """Fragment to latent and back."""
    figure = Figure(
        "vae",
        626,
        "The VAE: a fragment becomes a point, and a point a fragment",
        "A fragment of a few bars is read beat by beat in both directions. What was found is turned into mean and "
        "variance of a point in latent space. There points are mixed, moved and walked through. A conductor turns a "
        "point into one vector for each beat or bar, and the decoder writes the steps, line after line. The loss "
        "weighs what is told wrongly against how much the latent tells.",
    )
    figure.box(36, 4, 328, 52, BLUE, "fragment", "bars × steps × lines of onset, hold or rest")
    figure.arrow((200, 56), (200, 84))
    figure.box(36, 86, 328, 52, GREEN, "encoder", "LSTMs forward and backward, beat by beat")
    figure.arrow((115, 138), (115, 166))
    figure.arrow((285, 138), (285, 166))
    figure.box(36, 168, 158, 40, CYAN, "mean")
    figure.box(206, 168, 158, 40, CYAN, "variance")
    figure.arrow((115, 208), (115, 240))
    figure.arrow((285, 208), (285, 226), (170, 226), (170, 240))
    figure.note(292, 229, "noise", "start")
    figure.box(36, 242, 158, 72, PURPLE, "latent", "a point: what is alike", "lies close together")
    figure.box(236, 242, 128, 72, YELLOW, "yours to move", "interpolate, blend,", "vary, shift, walk")
    figure.arrow((194, 268), (234, 268))
    figure.arrow((236, 288), (196, 288))
    figure.arrow((115, 314), (115, 352))
    figure.box(36, 354, 328, 52, GREEN, "conductor", "one vector for every beat, or every bar")
    figure.arrow((200, 406), (200, 434))
    figure.box(36, 436, 328, 52, GREEN, "decoder", "an LSTM over steps; lines one after the other")
    figure.arrow((200, 488), (200, 516))
    figure.box(36, 518, 328, 40, BLUE, "fragment again")
    figure.arrow((36, 538), (16, 538), (16, 30), (34, 30), dashed=True)
    figure.note(200, 584, "loss: what is told otherwise than it was,")
    figure.note(200, 602, "and beta times how much the latent tells")
    return figure


def gan():
    """The contest."""
    figure = Figure(
        "gan",
        626,
        "The GAN: a generator and a critic in a contest",
        "Noise, a genre and beats that are given go into the generator, which makes bars, beats and steps of them by "
        "convolutions. Its output becomes a binary roll, beside which the given beats stay as they are. A critic is "
        "shown real and made fragments and says which is real; its gradient teaches the generator. A guard compares "
        "what is made with the data and keeps the best generator.",
    )
    figure.box(36, 4, 92, 50, YELLOW, "noise")
    figure.box(142, 4, 92, 50, YELLOW, "genre")
    figure.box(248, 4, 116, 50, BLUE, "given beats", "none, or some")
    for x in (82, 188, 306):
        figure.arrow((x, 54), (x, 82))
    figure.box(36, 84, 328, 52, GREEN, "generator", "convolutions over bars, then beats, then steps")
    figure.arrow((200, 136), (200, 164))
    figure.box(36, 166, 328, 52, CYAN, "binary neurons", "one pitch or silence in each line, onset or none")
    figure.arrow((285, 218), (285, 262))
    figure.note(277, 244, "given beats are kept", "end")
    figure.box(206, 264, 158, 50, BLUE, "made fragments", "on the white keys")
    figure.box(36, 264, 158, 50, BLUE, "real fragments", "moved to white keys")
    figure.arrow((115, 314), (115, 346))
    figure.arrow((285, 314), (285, 346))
    figure.box(
        36, 348, 328, 66, RED, "critic", "which of both is real? sees too how much the", "fragments of a batch differ"
    )
    figure.arrow((36, 381), (16, 381), (16, 110), (34, 110), dashed=True)
    figure.note(10, 245, "gradient", turned=True)
    figure.arrow((364, 289), (384, 289), (384, 486), (366, 486))
    figure.box(
        36,
        452,
        328,
        68,
        PURPLE,
        "guard",
        "overlap with the data, diversity, divergence;",
        "keeps the generator that came nearest",
    )
    figure.arrow((200, 520), (200, 556))
    figure.note(208, 543, "after the training", "start")
    figure.box(
        36,
        558,
        328,
        62,
        GREEN,
        "the generator alone",
        "fills what is empty, window by window:",
        "composes, accompanies, refines",
    )
    return figure


FIGURES = {figure.__name__: figure for figure in (way, lstm, vae, gan)}
