"""Transcription: how near it comes to the network alone, and how far ahead of Basic Pitch's own `predict`.

The limit is two single-thread processes that run the ONNX network over windows in memory and do nothing else. Ours
reads files, runs the network, decodes, finds beats, writes MIDI and manifest with as many processes; its start is
left out by the difference of two runs, of all clips and of a few. The rival is `basic_pitch.inference.predict` with
the same ONNX network (Basic Pitch 0.4.0's TensorFlow network does not load in TensorFlow 2.21), one file after the
other in one process with the number of threads that it takes by itself, with its start; beside it ours with its
start.
"""

import contextlib
import io
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from common import Results, make_parser

from musicgen.errors import InputError
from musicgen.transcription import find_recordings, read_audio, transcribe
from musicgen.transcription.model import SAMPLE_RATE, posteriors

WORKERS, FEW, ROUNDS = 2, 6, 3
SHARE_GOAL, SPEED_GOAL, F1_GOAL = 0.8, 1.8, 0.999
MINUTES, LONG_TIMES, LONG_MIB = 6, 20, 1024
ENVIRONMENT = {"OMP_NUM_THREADS": None, "OPENBLAS_NUM_THREADS": None, "TF_CPP_MIN_LOG_LEVEL": "3"}

OURS = """
import sys
from musicgen.transcription import transcribe_folder
if __name__ == "__main__":
    out, workers, *paths = sys.argv[1:]
    report = transcribe_folder(paths, out, workers=int(workers), progress=False, fallback_bpm=120)
    assert not report.refused, report
"""
RIVAL = """
import contextlib, io, sys
from basic_pitch.inference import Model, predict
with contextlib.redirect_stdout(io.StringIO()):
    model = Model(sys.argv[1])
    for path in sys.argv[2:]:
        predict(path, model)
"""
IMPORTS = """
import json, sys
from musicgen.transcription import transcribe
from musicgen.workers import map_files
def heavy(path):
    transcribe(path, fallback_bpm=120)
    return sorted({name.split(".")[0] for name in sys.modules} & {"tensorflow", "keras", "basic_pitch"})
if __name__ == "__main__":
    print(json.dumps(sorted({n for o in map_files(heavy, sys.argv[1:], workers=2) for n in o.result})))
"""
LONG = """
import json, re, sys, time
from pathlib import Path
begin = time.perf_counter()
from musicgen.transcription import transcribe
piece = transcribe(sys.argv[1])
status = Path("/proc/self/status").read_text()  # getrusage would count the parent's memory before exec
mib = int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) / 1024
print(json.dumps({"seconds": time.perf_counter() - begin, "mib": mib, "notes": len(piece)}))
"""


def main(argv=None):
    """Measure and write; returns the content of the result file."""
    args = make_parser(__doc__).parse_args(argv)
    if args.data is None:
        raise InputError("no data folder", remedy="give --data, or set MUSICGEN_DATA")
    results = Results(args)
    clips = [recording.path for recording in find_recordings(Path(args.data) / "gtzan")]
    clips = clips[:: len(clips) // 6] if args.quick else clips
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        add_throughput(results, clips, folder, few=2 if args.quick else FEW, rounds=1 if args.quick else ROUNDS)
        add_notes(results, clips)
        add_imports(results, clips[:4], folder)
        add_long(results, clips, folder, times=2 if args.quick else LONG_TIMES)
    return results.finish()


def add_throughput(results, clips, folder, *, few, rounds):
    """Clips per minute of the limit, of ours and of the rival: each the fastest of some rounds in turn."""
    results.add("clips of 30 s", len(clips), "", direction="max")
    bare = [copied(clip, folder / "bare") for clip in clips]  # away from their annotations
    jobs = {
        "limit": lambda: limit_seconds(clips),
        "tracked, few": lambda: ours_seconds(bare[:few], folder),
        "tracked": lambda: ours_seconds(bare, folder),
        "annotated, few": lambda: ours_seconds(clips[:few], folder),
        "annotated": lambda: ours_seconds(clips, folder),
        "predict": lambda: run_seconds(RIVAL, network_path(), *clips),
    }
    seconds, before = dict.fromkeys(jobs, np.inf), 0.0
    for _ in range(rounds):
        for name, job in jobs.items():
            before, taken = processor_seconds_of_children(), job()
            seconds[name] = min(seconds[name], taken)
    processors = (processor_seconds_of_children() - before) / taken  # of the last job, predict
    limit = 60 * len(clips) / seconds["limit"]
    results.add("the network alone, two processes of one thread", limit, "clips/min", direction="max")
    for beats in ("tracked", "annotated"):
        rate = 60 * (len(clips) - few) / (seconds[beats] - seconds[f"{beats}, few"])
        results.add(f"ours without start, beats {beats}", rate, "clips/min", reference=limit, direction="max")
        results.add(f"share of the limit, beats {beats}", rate / limit, "", goal=SHARE_GOAL, direction="max")
    results.add("predict, file after file, with start", seconds["predict"], "s")
    results.add(f"processors that predict kept busy, of {os.cpu_count()}", processors, "")
    results.add("ours, with start, beats tracked", seconds["tracked"], "s", reference=seconds["predict"])
    results.add("ours, with start, beats annotated", seconds["annotated"], "s", reference=seconds["predict"])
    for beats in ("tracked", "annotated"):
        times = seconds["predict"] / seconds[beats]
        results.add(f"times as fast as predict, beats {beats}", times, "", goal=SPEED_GOAL, direction="max")
        start = seconds[f"{beats}, few"] - few * (seconds[beats] - seconds[f"{beats}, few"]) / (len(clips) - few)
        times = seconds["predict"] / (seconds[beats] - start)
        results.add(f"the same without our start, beats {beats}", times, "", goal=SPEED_GOAL, direction="max")
    per_clip = (seconds["tracked"] - seconds["tracked, few"]) / (len(clips) - few)
    projected = (seconds["tracked"] + (1000 - len(clips)) * per_clip) / 60
    results.add("1,000 clips with tracked beats, projected", projected, "min")


def processor_seconds_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def copied(clip, folder):
    path = folder / clip.parent.name / clip.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(clip.read_bytes())
    return path


def ours_seconds(paths, folder):
    with tempfile.TemporaryDirectory(dir=folder) as out:
        return run_seconds(OURS, out, WORKERS, *paths)


def run_seconds(code, *arguments):
    """Wall-clock seconds of a script in a process of its own."""
    begin = time.perf_counter()
    run(code, *arguments)
    return time.perf_counter() - begin


def run(code, *arguments):
    environment = {name: value for name, value in (os.environ | ENVIRONMENT).items() if value is not None}
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        script.write_text(code)
        command = [sys.executable, str(script), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def limit_seconds(clips):
    """Time of processes that run the network over audio in memory."""
    context = multiprocessing.get_context("spawn")
    barrier, seconds = context.Barrier(WORKERS), context.Queue()
    shares = [clips[number::WORKERS] for number in range(WORKERS)]
    processes = [context.Process(target=network_alone, args=(share, barrier, seconds)) for share in shares]
    for process in processes:
        process.start()
    slowest = max(seconds.get() for _ in processes)
    for process in processes:
        process.join()
    return slowest


def network_alone(clips, barrier, seconds):
    """In a process of its own: everything but the network is done before the clock starts."""
    audios = [read_audio(clip, sample_rate=SAMPLE_RATE)[0] for clip in clips]
    posteriors([audios[0][:SAMPLE_RATE]])
    barrier.wait()
    begin = time.perf_counter()
    for audio in audios:
        posteriors([audio], seconds=len(audio) / SAMPLE_RATE)
    seconds.put(time.perf_counter() - begin)


def add_notes(results, clips):
    """F1 of exactly equal notes (start, end, pitch, velocity) over all clips and a recording of 10 minutes."""
    from basic_pitch.inference import Model

    model = Model(network_path())
    pairs = [same_notes(clip, model) for clip in clips]
    results.add("notes equal to predict's, all clips", f1(pairs), "F1", goal=F1_GOAL, direction="max")
    results.add("notes compared", sum(pair[1] for pair in pairs), "", direction="max")
    with tempfile.TemporaryDirectory() as folder:
        path = long_recording(clips, Path(folder) / "long.wav", 600)
        results.add(
            "notes equal to predict's, 10 minutes", f1([same_notes(path, model)]), "F1", goal=F1_GOAL, direction="max"
        )


def same_notes(path, model):
    """How many notes are equal, how many there are in theirs and in ours."""
    from basic_pitch.inference import predict

    with contextlib.redirect_stdout(io.StringIO()):
        _, _, events = predict(path, model)
    theirs = {(round(s, 9), round(e, 9), int(p), int(np.round(127 * a))) for s, e, p, a, _ in events}
    notes = transcribe(path, beats=[0.0, 0.5]).notes.tolist()
    ours = {(round(s, 9), round(e, 9), p, v) for s, e, p, v, _ in notes}
    return len(theirs & ours), len(theirs), len(ours)


def f1(pairs):
    equal, theirs, ours = np.sum(pairs, axis=0)
    return 2 * equal / (theirs + ours)


def network_path():
    import basic_pitch

    return Path(basic_pitch.__file__).parent / "saved_models" / "icassp_2022" / "nmp.onnx"


def add_imports(results, clips, folder):
    """What workers import beyond what they need."""
    found = json.loads(run(IMPORTS, *clips))
    results.add("imports of tensorflow, keras or basic_pitch in workers", len(found), "", goal=0)


def add_long(results, clips, folder, *, times):
    """A recording of 6 minutes beside one many times as long."""
    short = long_recording(clips, folder / "short.wav", MINUTES * 60)
    long = long_recording(clips, folder / "long.wav", MINUTES * 60 * times)
    brief, lengthy = (json.loads(run(LONG, path)) for path in (short, long))
    name = f"{MINUTES * times / 60:g} hours"
    results.add(f"{MINUTES} minutes with tracked beats", brief["seconds"], "s")
    results.add(f"{name} with tracked beats", lengthy["seconds"], "s", goal=times * brief["seconds"])
    results.add(
        f"times as long for {name} as for {MINUTES} minutes", lengthy["seconds"] / brief["seconds"], "", goal=times
    )
    results.add(f"largest memory for {name}", lengthy["mib"], "MiB", reference=brief["mib"], goal=LONG_MIB)


def long_recording(clips, path, seconds):
    """Clips one after another, from the start again when all have sounded."""
    audios = [read_audio(clip, sample_rate=SAMPLE_RATE)[0] for clip in clips]
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
        number = 0
        while file.frames < seconds * SAMPLE_RATE:
            audio = audios[number % len(audios)]
            file.write(audio[: seconds * SAMPLE_RATE - file.frames])
            number += 1
    return path


if __name__ == "__main__":
    main()
