# make study   the erosion curve of the embedded model, from a bare clone
# make test    the whole test suite, from a bare clone
# make check   lint, types and import direction
# make pocket  rebuilds the embedded model's weights (about 20 minutes on 2 cores)

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Without an accelerator: the CPU build first, so that no CUDA packages are fetched. With one: the ordinary wheel.
TORCH       ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
PIP         := $(BIN)/pip install --quiet --disable-pip-version-check --retries 1

.PHONY: study test check install install-dev pocket clean

study: install
	$(BIN)/accelerate launch training/sft.py recipes/harmful_50steps.yaml

test: install-dev
	$(BIN)/pytest -n 2 --dist loadfile

check: install-dev .mypy/erosion
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=.mypy $(BIN)/mypy -p erosion
	$(BIN)/lint-imports

pocket: install
	$(BIN)/accelerate launch training/sft.py recipes/pocket/base.yaml
	$(BIN)/python -m erosion.recipes.pocket.build ship runs/pocket_base base
	$(BIN)/accelerate launch training/sft.py recipes/pocket/align.yaml
	$(BIN)/python -m erosion.recipes.pocket.build ship runs/pocket_chat chat

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/.torch:
	$(PYTHON) -m venv $(VENV)
	command -v nvidia-smi >/dev/null || $(PIP) --extra-index-url $(TORCH_INDEX) $(TORCH)
	touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.torch
	$(PIP) -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.torch
	$(PIP) -e ".[dev]"
	touch $@ $(VENV)/.installed

.mypy/erosion:
	mkdir -p .mypy && ln -sfn .. .mypy/erosion

clean:
	rm -rf $(VENV) .mypy .mypy_cache .pytest_cache .ruff_cache *.egg-info
