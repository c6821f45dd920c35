"""The commands that make music: train, compose, interpolate, render, demo."""

import sys
import warnings
from pathlib import Path

from ..errors import InputError
from ..files import check_place
from .common import (
    AT_LEAST_0,
    COUNT,
    FRACTION,
    POSITIVE,
    PROBABILITY,
    SHARE,
    TEMPERATURE,
    WHOLE,
    command,
    number,
    progress_bar,
    read_piece,
    refusals,
    save,
    unused,
)


def add_train(commands):
    parser = command(commands, "train", _train, "train a composer on pieces")
    parser.add_argument("family", choices=["lstm", "vae", "gan"], help="kind of composer")
    parser.add_argument(
        "data",
        metavar="DATA",
        help="folder of MIDI files, recordings or prepared pieces, piano rolls (.mat), or a corpus: bach-chorales",
    )
    parser.add_argument("--out", required=True, metavar="MODEL", help="folder for the trained composer")
    sizes = ["tiny", "small", "base", "large"]
    parser.add_argument("--preset", choices=sizes, default="small", help="size of the composer (default small)")
    parser.add_argument("--fragment-bars", type=COUNT, metavar="N", help="VAE, GAN: bars of a fragment (default 4)")
    parser.add_argument("--samples", metavar="DIR", help="GAN: draw samples as they evolve into this folder")
    parser.add_argument("--epochs", type=COUNT, help="at most (default 50, of a GAN 400)")
    parser.add_argument("--minutes", type=POSITIVE, help="stop after this time")
    parser.add_argument("--held-out", type=SHARE, default=0.1, metavar="SHARE", help="of the pieces (default 0.1)")
    parser.add_argument("--seed", type=WHOLE, default=0, help="default 0")
    parser.add_argument("--overwrite", action="store_true", help="replace the composer at MODEL")
    parser.add_argument("--resume", action="store_true", help="go on with a training of the same settings that ended")
    parser.add_argument("--checkpoint-every", type=COUNT, default=200, metavar="STEPS", help="default 200")
    parser.add_argument("--log-dir", metavar="DIR", help="write logs for TensorBoard")
    parser.add_argument(
        "--devices",
        type=_devices,
        metavar="N|all",
        help="train on so many GPUs, or processors without one (default 1)",
    )
    kinds = ["float32", "mixed"]
    parser.add_argument("--precision", choices=kinds, default=kinds[0], help="of the computing (default float32)")


def _devices(text):
    return text if text == "all" else COUNT(text)


def _train(options):
    if Path(options.out).exists() and not options.overwrite:
        raise InputError("is there already", path=options.out, remedy="choose another name, or add --overwrite")
    check_place(options.out)
    from ..composers import composer_class
    from ..composers.resume import remove_state
    from ..datasets import hold_out

    own = _own_settings(options)  # before recordings are transcribed
    pieces, refused = _pieces_to_learn(options)
    training, held_out = hold_out(pieces, options.held_out, seed=options.seed)
    print(f"{len(training)} pieces to learn from, {len(held_out or [])} held out", file=sys.stderr)
    composer = composer_class(options.family)(preset=options.preset, seed=options.seed, **own["made"])
    state = Path(f"{options.out}.training")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*could not be used")  # each is named below
        history = composer.fit(
            training,
            validation=held_out,
            minutes=options.minutes,
            checkpoint=state,
            checkpoint_every=options.checkpoint_every,
            resume=options.resume,
            log_dir=options.log_dir,
            **own["trained"],
        ).history
    print(composer.save(options.out))
    remove_state(state)
    if "val_loss" in history:
        print(f"held-out loss {min(history['val_loss']):.3f} nats per token", file=sys.stderr)
    for look in composer.provenance.get("looks", [])[-1:]:
        held_out = composer.provenance.get("held_out_overlap")
        beside = "" if held_out is None else f", held-out pieces {held_out:.3f}"
        print(f"overlap with what was learnt from {look['overlap']:.3f}{beside}", file=sys.stderr)
    return refusals([*refused, *composer.refused])


def _own_settings(options):
    """What only one family of composers is made and trained with."""
    gan = options.family == "gan"
    if options.fragment_bars is not None and options.family == "lstm":
        raise InputError("lstm learns no fragments", remedy="leave out --fragment-bars, or train a vae or gan")
    if options.samples is not None and not gan:
        raise InputError(f"{options.family} shows no samples while it trains", remedy="leave out --samples")
    if gan and (options.devices is not None or options.precision != "float32"):
        raise InputError("a gan is trained on one device in float32", remedy="leave out --devices and --precision")
    made = {} if options.fragment_bars is None else {"fragment_bars": options.fragment_bars}
    if not gan:
        epochs = {"epochs": options.epochs or 50}
        return {"made": made, "trained": epochs | {"devices": options.devices, "precision": options.precision}}
    return {"made": made, "trained": {"epochs": options.epochs or 400, "listeners": _strips(options)}}


def _strips(options):
    if options.samples is None:
        return []
    from ..plots import SampleStrips

    return [SampleStrips(options.samples, log_dir=options.log_dir)]


def _pieces_to_learn(options):
    from ..datasets import PreparedPieces, is_prepared
    from ..datasets.sources import load_data

    if is_prepared(options.data):
        return PreparedPieces(options.data), []
    data = load_data(options.data, notes=f"{options.out}-notes")
    return data.pieces, data.refused


def add_compose(commands):
    parser = command(commands, "compose", _compose, "compose pieces with a trained composer")
    parser.add_argument("model", metavar="MODEL", help="folder of a trained composer")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the pieces")
    parser.add_argument("-n", "--count", type=COUNT, default=1, metavar="N", help="pieces (default 1)")
    parser.add_argument("--bars", type=COUNT, default=16, help="bars of each (default 16)")
    parser.add_argument("--genre", help="a label of the training data")
    parser.add_argument("--primer", metavar="FILE", help="MIDI file or score to continue")
    parser.add_argument("--key", metavar="KEY", help="such as 'A minor' or 'F# major'")
    parser.add_argument("--tempo", type=POSITIVE, metavar="BPM", help="beats per minute")
    parser.add_argument("--meter", metavar="N/D", help="such as 3/4")
    parser.add_argument("--density", type=POSITIVE, metavar="D", help="notes per quarter note")
    parser.add_argument("--polyphony", type=COUNT, metavar="N", help="notes that sound at once, at most")
    parser.add_argument(
        "--pitch-range", type=int, nargs=2, metavar=("LOW", "HIGH"), help="lowest and highest MIDI pitch"
    )
    parser.add_argument("--instrument", metavar="NAME", help="General MIDI name, family or program: Flute, piano, 73")
    parser.add_argument("--temperature", type=TEMPERATURE, help="higher is bolder, 0 always takes the likeliest")
    parser.add_argument("--top-k", type=COUNT, metavar="K", help="keep the K likeliest tokens")
    parser.add_argument(
        "--top-p", type=PROBABILITY, metavar="P", help="keep the likeliest tokens that hold probability P"
    )
    parser.add_argument(
        "--min-p", type=FRACTION, metavar="P", help="keep tokens at least P times as likely as the best"
    )
    parser.add_argument(
        "--repetition-penalty", type=AT_LEAST_0, metavar="P", help="against loops of a bar or less; 0 switches off"
    )
    parser.add_argument(
        "--smoothness", type=FRACTION, metavar="S", help="VAE, GAN: how near fragments are to those before, 0 to 1"
    )
    parser.add_argument("--truncation", type=AT_LEAST_0, metavar="T", help="GAN: below 1 is safer, above 1 bolder")
    parser.add_argument(
        "--candidates",
        type=COUNT,
        metavar="N",
        help="GAN: fragments of which one is taken, as the data would; 1: any",
    )
    parser.add_argument("--seed", type=WHOLE, help="the same seed gives the same notes (default: a fresh one)")
    parser.add_argument("--render", action="store_true", help="write audio too")
    parser.add_argument("--plot", action="store_true", help="write a picture too")
    parser.add_argument("--score", action="store_true", help="write MusicXML too")


_OF_THE_COMPOSER = (
    *("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "smoothness", "truncation", "candidates"),
    *("key", "tempo", "meter", "density", "polyphony", "pitch_range", "instrument"),
)


def _compose(options):
    from ..composers import load_composer
    from ..composers.base import fresh_seed

    composer = load_composer(options.model)
    seed = fresh_seed() if options.seed is None else options.seed
    wanted = {name: getattr(options, name) for name in _OF_THE_COMPOSER if getattr(options, name) is not None}
    if str(wanted.get("instrument")).isdecimal():
        wanted["instrument"] = int(wanted["instrument"])
    primer = None if options.primer is None else read_piece(Path(options.primer))
    with progress_bar(options.count * options.bars, "bar", "composing") as bar:
        pieces = composer.compose_many(
            options.count,
            bars=options.bars,
            genre=options.genre,
            primer=primer,
            seed=seed,
            progress=bar.update,
            **wanted,
        )
    suffixes = [".mid"] + [s for s, wanted in _extra_formats(options).items() if wanted]
    empty = []
    for place, piece in enumerate(pieces, 1):
        if not len(piece):
            empty.append(
                (f"piece {place}", "has no notes (train the composer longer, or ask for another seed or more bars)")
            )
            continue
        stem = unused(Path(options.out), f"{options.genre or 'piece'}-{seed}-{place}", suffixes)
        for suffix in suffixes:
            print(save(piece, stem.with_name(stem.name + suffix)))
        if "warning" in piece.meta:
            print(f"musicgen: {stem.name}: {piece.meta['warning']}", file=sys.stderr)
    return refusals(empty)


def _extra_formats(options):
    return {".wav": options.render, ".png": options.plot, ".musicxml": options.score}


def add_interpolate(commands):
    parser = command(commands, "interpolate", _interpolate, "go from one piece to another in latent space")
    parser.add_argument("model", metavar="MODEL", help="folder of a trained VAEComposer")
    parser.add_argument("first", metavar="A", help="MIDI file or score")
    parser.add_argument("last", metavar="B", help="MIDI file or score")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the steps and their picture")
    parser.add_argument("--steps", type=_AT_LEAST_2, default=9, metavar="K", help="both ends included (default 9)")
    parser.add_argument("--keep-keys", action="store_true", help="do not move B into the key of A on the way")
    parser.add_argument("--temperature", type=TEMPERATURE, help="higher is bolder, 0 always takes the likeliest")
    parser.add_argument("--seed", type=WHOLE, help="the same seed gives the same notes (default: a fresh one)")
    parser.add_argument("--render", action="store_true", help="write audio of all steps in a row too")


_AT_LEAST_2 = number(int, lambda value: value >= 2, "a whole number of at least 2")


def _interpolate(options):
    from ..composers import VAEComposer
    from ..composers.base import fresh_seed
    from ..composers.checkpoint import read_config
    from ..plots import plot_interpolation, save_figure
    from ..transforms import concatenate

    kind = read_config(options.model).get("class")
    if kind != VAEComposer.__name__:
        reason = f"holds a composer of class {kind}, which has no latent space"
        raise InputError(reason, path=options.model, remedy="train one with: musicgen train vae")
    ends = [read_piece(file).replace(meta={"title": file.name}) for file in map(Path, (options.first, options.last))]
    composer = VAEComposer.load(options.model)
    seed = fresh_seed() if options.seed is None else options.seed
    drawing = {} if options.temperature is None else {"temperature": options.temperature}
    pieces = composer.interpolate(*ends, options.steps, align_keys=not options.keep_keys, seed=seed, **drawing)
    print(pieces[0].meta["aligned"], file=sys.stderr)
    names = [Path(file).stem for file in (options.first, options.last)]
    steps = [f"-step-{place}.mid" for place in range(1, len(pieces) + 1)]
    stem = unused(Path(options.out), f"{names[0]}-{names[1]}-{seed}", [*steps, "-row.mid", "-row.wav", ".png"])
    for piece, suffix in zip(pieces, steps, strict=True):
        print(piece.save(stem.with_name(stem.name + suffix)))
    told = {name: value for name, value in pieces[0].meta.items() if name not in ("share", "distance")}
    row = concatenate(pieces, meta=told | {"title": f"{names[0]} to {names[1]}"})
    for suffix in (".mid", ".wav") if options.render else (".mid",):
        print(row.save(stem.with_name(f"{stem.name}-row{suffix}")))
    print(
        save_figure(
            plot_interpolation(pieces, ends=[end.meta["title"] for end in ends]), stem.with_name(stem.name + ".png")
        )
    )
    return 0


def add_render(commands):
    parser = command(commands, "render", _render, "render MIDI files or scores to audio")
    parser.add_argument("files", nargs="+", metavar="FILE", help="MIDI files or scores")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the audio")
    parser.add_argument("--soundfont", metavar="SF2", help="SoundFont (default: a General MIDI one)")
    parser.add_argument("--format", default="wav", choices=["wav", "flac", "ogg"], help="default wav")


def _render(options):
    refused, used = [], set()
    with progress_bar(len(options.files), "file", "rendering") as bar:
        for file in map(Path, options.files):
            try:
                stem, version = file.stem, 1
                while stem in used:
                    version += 1
                    stem = f"{file.stem}-{version}"
                used.add(stem)
                target = Path(options.out) / f"{stem}.{options.format}"
                print(read_piece(file).save(target, soundfont=options.soundfont))
            except InputError as error:
                refused.append((file, str(error)))
            bar.update()
    return refusals(refused)


def add_demo(commands):
    parser = command(commands, "demo", _demo, "walk the whole way once: recordings, notes, composer, new music")
    parser.add_argument("--audio", metavar="DIR", help="your recordings (default: a dozen Bach chorales, rendered)")
    parser.add_argument("--out", default="out/demo", metavar="DIR", help="default out/demo")
    parser.add_argument("--minutes", type=POSITIVE, default=2.5, help="training time at most (default 2.5)")
    parser.add_argument("--seed", type=WHOLE, default=0, help="default 0")


def _demo(options):
    from ..demo import run_demo

    report = run_demo(options.audio, options.out, minutes=options.minutes, seed=options.seed)
    return refusals([*report["refused"], *report["problems"]])
