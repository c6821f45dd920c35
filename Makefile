# make demo    recordings in, new music out, into out/demo (AUDIO=folder for your own)
# make test    everything that a change must pass
# make docs    the site, into out/docs
# All build .venv first, once. PYTHON chooses the interpreter (3.11 to 3.13).
PYTHON ?= python3
VENV := .venv$(if $(filter-out python3,$(notdir $(PYTHON))),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
AUDIO ?=
OUT ?= out/demo
NO_DEPS := basic-pitch==0.4.0
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: setup demo test test-slow docs lint clean
setup: $(VENV)/.ready

$(VENV)/.ready: setup.cfg pyproject.toml constraints.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "musicgen needs Python 3.11, 3.12 or 3.13; choose one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(NO_DEPS)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: tinysoundfont==0.3.7 2>/dev/null || \
	  echo "tinysoundfont has no wheel for this Python: audio is rendered by FluidSynth if its library is found, else additively"
	@touch $@

demo: setup
	$(BIN)/musicgen demo $(if $(AUDIO),--audio "$(AUDIO)") --out "$(OUT)"

test: setup lint
	$(BIN)/python -m pytest -n 2

test-slow: setup
	$(BIN)/python -m pytest -m slow

docs: setup
	$(BIN)/python docs/build.py out/docs

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

clean:
	rm -rf .venv* out build dist *.egg-info
