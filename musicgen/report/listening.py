"""The blind listening test: pieces shuffled, real ones among them, votes kept in the page and exported as JSON."""

import base64
import json

import numpy as np

from .players import anonymous, player

#: Contestants that are heard beside the models.
HEARD = ("real", "markov")
#: Pieces of each, and pieces of each unit that are shown elsewhere on the page and so not heard blind.
PER_CONTESTANT, SHOWN = 3, 2

_MARKS = ("not at all", "a little", "fairly", "well", "very much")


def chosen_files(content):
    """Names of the files that are heard, in random order.

    Parameters
    ----------
    content : dict
        Of `comparison.json`.

    Returns
    -------
    list of str
    """
    found = []
    for name in (*content["models"], *HEARD):
        units = [content["files"].get(f"{name}-{seed}", []) for seed in content["seeds"]]
        hidden = [file for place, files in enumerate(units) for file in files[SHOWN if place == 0 else 0 :]]
        found += hidden[-PER_CONTESTANT:]
    order = np.random.default_rng(int(content["data"], 16)).permutation(len(found))
    return [found[place] for place in order]


def listening_test(content, read):
    """HTML of the test.

    Parameters
    ----------
    content : dict
        Of `comparison.json`.
    read : callable
        Piece of a file's name.
    """
    files = chosen_files(content)
    if not files:
        return "<p>Too few pieces to hide some: compose more than two of each.</p>"
    questions = "".join(_question(number, read(file)) for number, file in enumerate(files, 1))
    secret = base64.b64encode(json.dumps({"comparison": content["comparison"], "pieces": files}).encode()).decode(
        "ascii"
    )
    return f"""
<p>{len(files)} pieces in random order: real ones, and such as the models and a Markov chain wrote. All are played
on the piano, equally loud. Say of each what you hear; what you leave open does not count. Votes stay in this
browser until you export them; <code>musicgen compare … --votes FILE</code> reads the file. Once you have been shown
who wrote what, voting is over.</p>
<form id="test" data-secret="{secret}"><div class="pairs">{questions}</div>
<p id="told" role="status" aria-live="polite"></p>
<p class="buttons"><button type="button" id="export">Export the votes</button>
<button type="button" id="reveal">Show who wrote what</button>
<button type="button" id="forget">Forget my votes</button></p>
<ol id="answers" hidden></ol></form>
<noscript><p>Voting needs JavaScript; listening does not.</p></noscript>"""


def _question(number, piece):
    real = "".join(
        f'<label><input type="radio" name="real-{number}" value="{value}"> {text}</label>'
        for value, text in (("true", "a person"), ("false", "a machine"))
    )
    liking = "".join(
        f'<label><input type="radio" name="liking-{number}" value="{mark}"> {mark}<span class="hidden"> {text}</span>'
        "</label>"
        for mark, text in enumerate(_MARKS, 1)
    )
    return f"""
<section class="question"><h3>Piece {number}</h3>{player(anonymous(piece), f"Listen to piece {number}")}
<fieldset><legend>Who wrote it?</legend>{real}</fieldset>
<fieldset><legend>How do you like it? 1 not at all, 5 very much</legend>{liking}</fieldset></section>"""
