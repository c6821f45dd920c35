"""musicgen: recordings in, new music out.

    >>> import musicgen
    >>> piece = musicgen.NoteSequence([(0.0, 0.5, 60, 80, 0)])

Names are imported when first used, so that `import musicgen` loads no heavy package.
"""

import importlib

__version__ = "0.1.0"

_ROOMS = {
    "errors": ["MusicgenError", "InputError", "CheckpointError", "MissingDependencyError"],
    "timing": ["Timing", "Meter"],
    "notes": ["NoteSequence", "Track"],
    "midi": ["read_midi", "write_midi", "to_pretty_midi", "from_pretty_midi"],
    "transforms": [
        *("canonical", "concatenate", "crop", "monophonic", "quantise", "stretch", "transpose"),
        *("clean", "cut_overlaps", "drop_echoes", "drop_faint", "drop_ghosts", "drop_short", "limit_polyphony"),
        *("merge_fragments", "trim_tails"),
    ],
    "beats": ["estimate_beats", "read_beats"],
    "transcription": ["transcribe", "transcribe_folder", "read_audio"],
    "rendering": ["render", "write_audio"],
    "score": ["read_score", "write_score", "to_music21", "from_music21", "estimate_key"],
    "metrics": ["evaluate"],
    "baselines": [],
    "codecs": ["EventsCodec", "FramesCodec", "MelodyCodec", "MidiTokCodec", "PianorollCodec"],
    "datasets": [
        *("download_gtzan", "load_corpus", "load_folder", "load_gtzan", "load_polyphonic"),
        *("report_data", "split"),
    ],
    "composers": ["GANComposer", "LSTMComposer", "VAEComposer", "load_composer"],
    "plots": ["latent_map", "plot_data_report", "plot_interpolation", "plot_latent_map", "plot_piece"],
    "comparison": ["compare"],
    "report": ["write_report"],
    "notebook": ["show_latent_map"],
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    elif name in _ROOMS:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__, *_ROOMS})
