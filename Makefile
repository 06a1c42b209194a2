# Everything a newcomer needs: `make demo` and `make test`; each sets up what it needs first.
PYTHON ?= python3
EXTRAS ?= dev,heic
JOBS   ?= 2

VENV  := .venv
BIN   := $(VENV)/bin
# The set-up is done again when what it depends on changes: the project file or the extras asked for.
STAMP := $(VENV)/.ready-$(shell { cat pyproject.toml; echo '$(EXTRAS)'; } | cksum | cut -d ' ' -f 1)
# What the tests need beside that: batches of poses and learned models run on torch, and some of these on ONNX.
# GeoCLIP goes in as in setup-torch: the prior of that name reads its files, and its tests compare with what it computes.
# Triton comes with a torch for CUDA; beside one without, its interpreter runs the kernels of a GPU for the tests.
TESTED     := torch,onnx,gazetteer,arrow
GEOCLIP    := 'geoclip>=1.3,<1.4'
TRITON     := triton>=3.2; platform_system == "Linux"
TEST_STAMP := $(STAMP)-tested

.DEFAULT_GOAL := help
.PHONY: help setup setup-torch demo test check fix bench

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(STAMP)  ## a virtual environment in .venv with the base, the developer's tools and HEIC (no torch)

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "geoloc needs Python 3.11 or newer; name one with 'make PYTHON=python3.12 ...'" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@rm -f $(VENV)/.ready-*
	@touch $@

$(TEST_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS),$(TESTED)]' '$(TRITON)' pandas
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(GEOCLIP)
	@touch $@

# A torch built without CUDA gets no torchvision: the one on PyPI is linked against CUDA's torch, does not load beside
# the other, and a torchvision that does not load takes the whole of transformers with it. geoclip asks for torchvision
# but uses it for training alone, so it goes in without its dependencies there; of these, only pandas is still missing.
setup-torch: setup  ## add torch and GeoCLIP, with torchvision only where torch is built for CUDA
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS),torch]'
	@if $(BIN)/python -c 'import sys, torch; sys.exit(torch.version.cuda is None)'; then set -x; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS),geoclip,gpu]'; \
	else set -x; \
	  $(BIN)/python -m pip uninstall --quiet --yes torchvision; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(GEOCLIP); \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check pandas; \
	fi
	$(BIN)/python -c 'import torch, transformers, geoclip; print("torch", torch.__version__, "with transformers and geoclip")'

demo: setup  ## render a small town, index it, locate held-out views of it
	$(BIN)/geoloc demo

test: setup $(TEST_STAMP) check  ## the checks and the whole test suite, with torch
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

check: setup  ## style, types, layers, generated documentation, the bounds of the extras
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python scripts/check_docs.py
	$(BIN)/python scripts/check_extras.py --offline

fix: setup  ## what tools can mend by themselves: style, and the generated parts of README.md
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python scripts/check_docs.py --write

bench: setup  ## every benchmark, each against a peer in the same run
	@for script in scripts/bench_*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done
