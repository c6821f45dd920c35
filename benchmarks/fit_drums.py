"""Teach the small network that hears drums: writes musicgen/transcription/drums.safetensors.

It learns from patterns of `drum_patterns` in mixtures with accompaniments, a third of them played by some kits of the
SoundFont, the others by kits synthesised here, every one with sounds of its own. Rooms, filters, saturation and noise
are drawn too, so that it also hears recordings. Half of the patterns are scattered strokes: none can be guessed from
others. The thresholds come from other patterns and chorales. The benchmark `drums.py` measures on further patterns,
further chorales, and kits that are not heard here. Takes about ten minutes.
"""

import argparse
from pathlib import Path

import numpy as np
from drum_patterns import CLASSES, HIHAT, KICK, SCATTERED, TOMS, accompanied, chorales_of

from musicgen.files import atomic_path
from musicgen.transcription.drums import HOP, SAMPLE_RATE, WEIGHTS, _strokes, band_energies, features

KITS = (0, 8, 25, 40)
PATTERNS, VALIDATION = 420, 90
SEEDS = {"training": 100_000, "validation": 200_000}
LEVELS_DB = (9, 4, 0, -4, -8)
HIDDEN, EPOCHS, KEPT = 48, 16, 0.15
NEAR = 2  # frames beside a stroke that are neither stroke nor none


def main(argv=None):
    """Fit, choose thresholds, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="default: %(default)s")
    parser.add_argument("--patterns", type=int, default=PATTERNS, help="default: %(default)s")
    args = parser.parse_args(argv)
    weights = fitted(*training_frames(args.patterns))
    weights["thresholds"] = chosen_thresholds(weights)
    from safetensors.numpy import save_file

    with atomic_path(args.out) as temporary:
        save_file({name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}, temporary)
    print(f"thresholds {weights['thresholds']}; written: {args.out}")


def recordings(part, count):
    """(notes, drums, accompaniment) of some patterns; two of three are played by a synthesised kit."""
    pieces = chorales_of(part)
    for seed in range(SEEDS[part], SEEDS[part] + count):
        rng = np.random.default_rng([seed, 1])
        kit = int(rng.choice(KITS)) if seed % 3 == 0 else None
        style = SCATTERED if seed % 4 > 1 else None
        notes, drums, others = accompanied(seed, pieces, kit=kit or 0, sample_rate=SAMPLE_RATE, style=style)
        yield notes, drums if kit is not None else filtered(synthesised(notes, len(drums), rng), rng, 4), others


def mixed(drums, others, level_db):
    """Drums so much louder than the accompaniment, in energy; None: drums alone, minus infinity: none."""
    if level_db is None:
        return drums
    if level_db == -np.inf:
        return others
    gain = 10 ** (level_db / 20) * np.sqrt(np.mean(others**2) / np.mean(drums**2))
    return gain * drums + others


def training_frames(count):
    """Frames and their labels: (frames, features) and (frames, classes), a label of -1 being neither."""
    seen, labels = [], []
    for number, (notes, drums, others) in enumerate(recordings("training", count)):
        rng = np.random.default_rng([number, 2])
        levels = [*rng.choice(LEVELS_DB, 3), *([None] if number % 3 == 0 else []), *([-np.inf] if number % 2 else [])]
        for level in levels:
            frames = seen_in(recorded(mixed(drums, others, level), rng))
            label = labels_of(notes, len(frames), struck=level != -np.inf)
            kept = (label.max(axis=1) > 0) | (rng.random(len(frames)) < KEPT)
            seen.append(frames[kept])
            labels.append(label[kept])
    return np.concatenate(seen), np.concatenate(labels)


def seen_in(audio):
    energies, _ = band_energies([audio.astype(np.float32)])
    return np.concatenate(list(features(energies)))


def labels_of(notes, n_frames, *, struck=True):
    labels = np.zeros((n_frames, len(CLASSES)), np.float32)
    if not struck:
        return labels
    for column, keys in zip(labels.T, CLASSES.values(), strict=True):
        frames = np.round(notes["start"][np.isin(notes["pitch"], keys)] * SAMPLE_RATE / HOP).astype(int)
        for shift in range(-NEAR, NEAR + 1):
            column[np.clip(frames + shift, 0, n_frames - 1)] = -1
        column[np.clip(frames, 0, n_frames - 1)] = 1
    return labels


def fitted(seen, labels):
    """Weights of the network, with the scaling of what it sees inside the first layer."""
    import keras

    keras.utils.set_random_seed(0)
    mean, scale = seen.mean(axis=0), seen.std(axis=0) + 1e-3
    steps = EPOCHS * len(seen) // 512
    net = keras.Sequential(
        [
            keras.Input((seen.shape[1],)),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(HIDDEN, "relu", kernel_regularizer=keras.regularizers.L2(1e-5)),
            keras.layers.Dense(len(CLASSES)),
        ]
    )
    net.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)), known_labels_loss)
    np.subtract(seen, mean, out=seen)
    np.divide(seen, scale, out=seen)
    net.fit(seen, labels, batch_size=512, epochs=EPOCHS, verbose=2)
    kernel, bias, output_kernel, output_bias = (weight.numpy() for weight in net.weights)
    kernel = kernel / scale[:, None]
    return {
        "hidden.kernel": kernel,
        "hidden.bias": bias - mean @ kernel,
        "output.kernel": output_kernel,
        "output.bias": output_bias,
    }


def known_labels_loss(labels, logits):
    from keras import ops

    known = ops.cast(labels >= 0, "float32")
    losses = ops.maximum(logits, 0) - logits * ops.maximum(labels, 0) + ops.log1p(ops.exp(-ops.abs(logits)))
    return ops.mean(known * losses)


def chosen_thresholds(weights):
    """Per class, the threshold of the best F over all mixtures, those without drums included."""
    import musicgen.transcription.drums as room

    candidates = np.arange(0.2, 0.91, 0.05)
    counts = np.zeros((len(CLASSES), len(candidates), 3))
    for number, (notes, drums, others) in enumerate(recordings("validation", VALIDATION)):
        for turn, level in enumerate((None, 6, 0, -6, -np.inf)):
            frames = seen_in(recorded(mixed(drums, others, level), np.random.default_rng([number, turn, 3])))
            probabilities = room._network(frames, weights)
            for row, keys in enumerate(CLASSES.values()):
                truth = [] if level == -np.inf else notes["start"][np.isin(notes["pitch"], keys)]
                for place, threshold in enumerate(candidates):
                    found = _strokes(probabilities[:, row], threshold) * HOP / SAMPLE_RATE
                    counts[row, place] += len(truth), len(found), matched(truth, found)
    f_measures = 2 * counts[..., 2] / (counts[..., 0] + counts[..., 1])
    print("best F", f_measures.max(axis=1))
    return candidates[f_measures.argmax(axis=1)]


def matched(truth, found):
    from mir_eval.util import match_events

    return len(match_events(np.unique(truth), found, 0.05)) if len(truth) and len(found) else 0


# ---- sounds


def synthesised(notes, samples, rng):
    """A kit with sounds drawn by `rng`, playing `notes`."""
    sounds = {key: rng.uniform(0.5, 1.3) * _sound(key, rng) for key in np.unique(notes["pitch"]).tolist()}
    audio = np.zeros(samples)
    for start, _, key, velocity, _ in notes.tolist():
        begin = int(start * SAMPLE_RATE)
        end = min(samples, begin + len(sounds[key]))
        audio[begin:end] += (velocity / 110) ** 1.7 * sounds[key][: end - begin]
    return audio


def _sound(key, rng):
    uniform = rng.uniform
    if key in KICK:
        click = _noise(rng, 100, 9000, uniform(0.001, 0.006), 0.1)
        return _falling(uniform(38, 75), uniform(0, 250), uniform(0.01, 0.05), uniform(0.04, 0.22)) + _placed(
            click, uniform(0, 0.5)
        )
    if key == 37:
        return 0.6 * _noise(rng, 800, 4000, 0.02, 0.2)
    if key in HIHAT:
        lowest, decay = uniform(3000, 8500), {42: (0.015, 0.06), 44: (0.015, 0.06)}.get(key, (0.1, 0.5))
        snap = _noise(rng, 200, 4000, uniform(0.002, 0.01), 0.1) if rng.random() < 0.5 else np.zeros(1)
        hiss = _noise(rng, lowest, 11000, uniform(*decay), 1.0)
        return uniform(0.15, 0.5) * (hiss + _placed(snap, uniform(0.1, 0.8), len(hiss)))
    if key in TOMS:
        pitch = (95 + 25 * (len(TOMS) - 1 - TOMS.index(key))) * uniform(0.8, 1.2)
        return _falling(pitch, 0.3 * pitch, 0.03, uniform(0.08, 0.25))
    wires = _noise(rng, uniform(300, 2000), uniform(4000, 11000), uniform(0.04, 0.15), 0.5)
    body = _falling(uniform(150, 280), 25, 0.02, uniform(0.03, 0.1))
    return uniform(0.2, 1) * body + _placed(wires, uniform(0.4, 1))


def _placed(sound, gain, samples=SAMPLE_RATE // 2):
    return gain * np.pad(sound, (0, max(0, samples - len(sound))))[:samples]


def _falling(hz, above_hz, fall_s, decay_s):
    """Half a second of a sine that falls to `hz`."""
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(hz + above_hz * np.exp(-time / fall_s)) / SAMPLE_RATE
    return np.sin(phase) * np.exp(-time / decay_s)


def _noise(rng, lowest_hz, highest_hz, decay_s, seconds):
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    spectrum = np.fft.rfft(rng.normal(size=len(time)))
    hz = np.maximum(np.fft.rfftfreq(len(time), 1 / SAMPLE_RATE), 1)
    noise = np.fft.irfft(spectrum / np.sqrt((1 + (lowest_hz / hz) ** 4) * (1 + (hz / highest_hz) ** 4)), len(time))
    return noise / np.abs(noise).max() * np.exp(-time / decay_s)


def filtered(audio, rng, depth_db, *, highest_hz=None):
    """Through a filter whose gain wanders by `depth_db`, and that falls by 24 dB per octave above `highest_hz`."""
    spectrum, hz = np.fft.rfft(audio), np.maximum(np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE), 30)
    gain = np.interp(np.log2(hz), np.log2(np.geomspace(30, 11025, 7)), rng.normal(0, depth_db, 7))
    if highest_hz is not None:
        gain = gain - 24 * np.maximum(0, np.log2(hz / highest_hz))
    return np.fft.irfft(spectrum * 10 ** (gain / 20), len(audio))


def recorded(audio, rng):
    """As some recording might sound: filter, room, saturation, noise, each now and then."""
    if rng.random() < 0.6:
        audio = filtered(audio, rng, 4, highest_hz=rng.uniform(4000, 9000) if rng.random() < 0.3 else None)
    if rng.random() < 0.4:
        from scipy.signal import fftconvolve

        length = int(rng.uniform(0.1, 0.6) * SAMPLE_RATE)
        room = rng.normal(size=length) * np.exp(-np.arange(length) / (length / 5))
        audio = audio + rng.uniform(0.05, 0.35) * fftconvolve(audio, room / np.linalg.norm(room))[: len(audio)]
    if rng.random() < 0.4:
        audio = np.tanh(rng.uniform(1, 6) * audio / np.abs(audio).max())
    if rng.random() < 0.3:
        audio = audio + np.abs(audio).max() * 10 ** rng.uniform(-3.5, -2) * rng.normal(size=len(audio))
    return audio


if __name__ == "__main__":
    main()
