"""The package as users get it: a wheel in an empty environment, extras by name, nothing of any one machine inside."""

import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ["transcription", "rendering", "score", "plot", "notebook", "distributed", "miditok", "all", "dev"]

COMPOSE = """
import musicgen
scale = musicgen.NoteSequence([(i / 2, i / 2 + 0.5, 60 + i % 8, 80, 0) for i in range(64)])
composer = musicgen.LSTMComposer(preset="tiny", seed=0)
composer.fit([scale], epochs=1, progress=False)
composer.save("composer")
piece = musicgen.load_composer("composer").compose(bars=2, seed=7)
piece.save("new.mid")
assert len(musicgen.read_midi("new.mid")) == len(piece)
print(musicgen.__file__)
"""

NEEDS = {  # what a user calls without any extra, and the line that must be told
    "piece.save('a.wav')": "pip install 'musicgen-midi[rendering]'",
    "piece.save('a.musicxml')": "pip install 'musicgen-midi[score]'",
    "piece.plot()": "pip install 'musicgen-midi[plot]'",
    "musicgen.load_corpus('bach-chorales')": "pip install 'musicgen-midi[score]'",
    "musicgen.estimate_beats([0.0] * 22050, 22050)": "pip install 'musicgen-midi[transcription]'",
    "musicgen.transcription.transcribe_audio([0.5] * 22050, 22050)": "pip install 'musicgen-midi[transcription]'",
}


def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_the_extras_have_their_names_and_all_holds_the_others():
    extras = setup()["options.extras_require"]
    assert list(extras) == EXTRAS
    assert extras["all"].strip() == f"musicgen-midi[{','.join(EXTRAS[:-2])}]"
    assert "musicgen-midi[all]" in extras["dev"]


def test_the_base_install_asks_for_no_optional_package():
    base = {re.split(r"[<>=]", line)[0] for line in setup()["options"]["install_requires"].split()}
    assert base == {"filelock", "keras", "numpy", "pretty_midi", "safetensors", "symusic", "tensorflow", "tqdm"}


def test_every_dependency_has_a_tested_version():
    lines = setup()["options"]["install_requires"].split() + [
        line for extra in EXTRAS for line in setup()["options.extras_require"][extra].split()
    ]
    wanted = {_plain(re.split(r"[<>=\[]", line)[0]) for line in lines} - {"musicgen-midi"}
    pins = {_plain(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines()[1:]}
    assert wanted <= pins, f"constraints.txt does not name {wanted - pins}"


def _plain(name):
    return name.lower().replace("_", "-")


def tracked_files():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout: the tracked files are not known")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a package index", rb"pypi[.]org|pythonhosted|--(extra-)?index" + rb"-url|artifact" + rb"ory"),
        ("an absolute path", rb"/(root|workspace|Users)/\w|/work/\w|/home/[a-z]|[A-Z]:\\\\?Users|/opt/\w|/tmp/\w"),
    ],
)
def test_no_tracked_file_names(what, pattern):
    here = Path(__file__).resolve()
    hits = [path for path in tracked_files() if path != here and re.search(pattern, path.read_bytes())]
    assert not hits, f"{what} is named in {', '.join(str(path.relative_to(ROOT)) for path in hits)}"


# ---- a wheel in an empty environment


def run(*command, cwd, fails=False):
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=600)
    assert bool(done.returncode) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    hidden = shutil.ignore_patterns(".*", "out", "build", "dist", "*.egg-info", "__pycache__")
    source = shutil.copytree(ROOT, folder / "source", ignore=hidden)  # building leaves files beside the code
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, source, cwd=folder)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def empty(wheel, tmp_path_factory):
    """Folder of an environment that holds the wheel and what it requires, nothing else."""
    folder = tmp_path_factory.mktemp("user")
    run(sys.executable, "-m", "venv", folder / "env", cwd=folder)
    install(folder, wheel)
    return folder


def python(folder):
    return folder / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def install(folder, *what):
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    return run(python(folder), *pip, "-c", ROOT / "constraints.txt", *what, cwd=folder)


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_the_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "musicgen").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == code
    assert "musicgen/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert wheel.stat().st_size < 1_000_000


@pytest.mark.slow
def test_the_wheel_composes_without_extras(empty):
    where = run(python(empty), "-c", COMPOSE, cwd=empty)
    assert str(empty / "env") in where
    assert "Recordings in, new music out" in run(python(empty).with_name("musicgen"), "--help", cwd=empty)
    facts = run(python(empty).with_name("musicgen"), "info", "composer", cwd=empty)
    assert '"class": "LSTMComposer"' in facts


@pytest.mark.slow
@pytest.mark.parametrize("call", NEEDS)
def test_what_an_extra_is_missing_for_is_said_with_the_line_that_installs_it(empty, call):
    code = f"import musicgen; piece = musicgen.NoteSequence([(0, 1, 60, 80, 0)]); {call}"
    said = run(python(empty), "-c", code, cwd=empty, fails=True)
    assert said.rstrip().splitlines()[-1].startswith("musicgen.errors.MissingDependencyError: ")
    assert said.rstrip().endswith(f"Install it with: {NEEDS[call]}")


@pytest.mark.slow
def test_the_line_works_and_what_it_promised_then_works(empty):
    said = NEEDS["piece.plot()"]
    install(empty, said.split("'")[1])
    code = "import musicgen; musicgen.NoteSequence([(0, 1, 60, 80, 0)]).plot().figure.savefig('roll.png')"
    run(python(empty), "-c", code, cwd=empty)
    assert (empty / "roll.png").stat().st_size > 1000
