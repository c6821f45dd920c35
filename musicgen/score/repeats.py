"""The order in which the measures of a part are played."""

import copy


def playing_order(part):
    """Indices of the part's measures in the order of playing, repeats and jumps followed.

    music21 expands a skeleton: measures without notes, whose copies cost next to nothing. Repeats that it cannot
    resolve are not followed.

    Parameters
    ----------
    part : music21.stream.Stream

    Returns
    -------
    list of int
    """
    from music21 import repeat

    measures = list(part.getElementsByClass("Measure"))
    written = list(range(len(measures)))
    skeleton = _skeleton(part, measures)
    if skeleton is None:
        return written
    try:
        expander = repeat.Expander(skeleton)
        return _indices(expander.process()) if expander.isExpandable() else written
    except repeat.ExpanderException:
        return written


def _indices(skeleton):
    return [
        int(measure.getElementsByClass("Rest").first().lyric) for measure in skeleton.getElementsByClass("Measure")
    ]


def _skeleton(part, measures):
    """The part's measures with their repeat signs alone, each with its index as lyric; None if there is no sign."""
    from music21 import note, spanner, stream

    skeleton, copies, found = stream.Part(), {}, False
    for index, measure in enumerate(measures):
        bare = stream.Measure(number=index + 1)
        bare.append(note.Rest(quarterLength=1.0, lyric=str(index)))
        found |= _copy_signs(measure, bare)
        copies[id(measure)] = bare
        skeleton.append(bare)
    for bracket in part.recurse().getElementsByClass(spanner.RepeatBracket):
        spanned = [copies[id(measure)] for measure in bracket.getSpannedElements() if id(measure) in copies]
        if spanned:
            skeleton.insert(0, spanner.RepeatBracket(spanned, number=bracket.number))
    return skeleton if found else None


def _copy_signs(measure, bare):
    from music21 import bar, repeat

    found = False
    for side in ("leftBarline", "rightBarline"):
        line = getattr(measure, side)
        if isinstance(line, bar.Repeat):
            setattr(bare, side, bar.Repeat(direction=line.direction, times=line.times))
            found = True
    for expression in measure.getElementsByClass(repeat.RepeatExpression):
        bare.insert(0, copy.deepcopy(expression))
        found = True
    return found
