# Needs make and Python 3.11 or newer; everything else is installed into .venv and .envs.
# The newest Python on PATH, of pyenv or of uv is taken, or make PYTHON=python3.12 test; `make clean` for another
# one later. Arguments for what is run: make demo ARGS="--steps 50".

# Looked for once, and only where an environment is made.
ifeq ($(origin PYTHON), undefined)
PYTHON = $(eval PYTHON := $$(or $$(shell .ci/newest-python),python3))$(PYTHON)
endif
PYTHON_3_11 ?= $(or $(shell .ci/newest-python 3.11),python3.11)
ARGS ?=
QUICK := -m pytest -n 2 -m "not slow and not aot" --ignore tests/clients
SMOKE := --laws-one-in 12 tests/core tests/laws tests/frameworks tests/sharding
BIN := .venv/bin
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo demo-sharded test test-all test-examples test-golden test-versions smoke-versions test-aot test-clients test-peer lint format hooks stubs golden bench bench-aot docs docs-check pictures deviations links dist newcomer clean

# Notices of newer versions, which are no business of a build.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export NO_MKDOCS_2_WARNING := 1

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.installed-examples  ## train a small language model on the CPU and show its curves
	$(BIN)/python examples/train_lm.py $(ARGS)

demo-sharded: .venv/.installed-examples  ## train it over eight devices made of the CPU
	$(BIN)/python examples/train_sharded.py $(or $(ARGS),--devices 8)

test: .venv/.installed-test  ## the quick suite, on the CPU
	JAX_PLATFORMS=cpu $(BIN)/python $(QUICK) --durations=20 $(ARGS)

test-all: .venv/.installed-test  ## the quick and the slow suite
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest -n 2 -m "not aot" $(ARGS)

OTHERS := .envs/py311 .envs/lowest

EXAMPLES := tests/examples tests/notebooks tests/distributed tests/test_docs.py

test-examples: .venv/.installed-test  ## examples in their short form, every notebook and every page of docs
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest -n 2 -m example $(EXAMPLES) $(ARGS)

test-golden: .venv/.installed-test  ## the golden trajectories that the quick suite leaves out
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest -n 2 -m slow -k test_trajectory tests/golden $(ARGS)

test-versions: test $(OTHERS:%=%/.installed)  ## the quick suite on the newest versions, on Python 3.11 and on the lowest promised
	for env in $(OTHERS); do JAX_PLATFORMS=cpu $$env/bin/python $(QUICK) $(ARGS) || exit 1; done

smoke-versions: $(OTHERS:%=%/.installed)  ## the core, Flax, sharding and a twelfth of the laws on the two others
	for env in $(OTHERS); do JAX_PLATFORMS=cpu $$env/bin/python $(QUICK) $(SMOKE) $(ARGS) || exit 1; done

test-aot: .envs/tpu/.installed .envs/h100/.installed  ## compile for TPU and H100 with the real compilers
	$(TPU_ENV) .envs/tpu/bin/python -m pytest -m "aot and not slow" tests/aot/compiled $(ARGS)
	$(TPU_ENV) .envs/tpu/bin/python -m pytest tests/notebooks -k "runs_by_itself and scaling_on_paper" $(ARGS)
	$(H100_ENV) .envs/h100/bin/python -m pytest -m "aot and not slow" tests/aot/compiled $(ARGS)

test-clients: .envs/peer/.installed  ## programs written for Optax with one import changed, and L-BFGS on real data
	JAX_PLATFORMS=cpu .envs/peer/bin/python -m pytest -n 2 tests/clients tests/rules/curvature/test_lbfgs.py $(ARGS)

# Optax's tests are in its wheel. This project's options are not for them; xdist reads filterwarnings all the same.
test-peer: .envs/peer/.installed  ## Optax's own tests on gradchain.optax; those expected to fail: tests/peer/expected.toml
	JAX_PLATFORMS=cpu PYTHONPATH=. .envs/peer/bin/python -m pytest -q -c /dev/null --rootdir=. -p no:cacheprovider \
	  -o filterwarnings=default -n 2 --tb=short -p tests.peer.swap --pyargs optax --least 2300 $(ARGS)

lint: .venv/.installed-test  ## ruff check, ruff format --check, what is written twice, pyright
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pylint --jobs 1 gradchain
	$(BIN)/pyright --pythonpath $(BIN)/python

format: .venv/.installed-test  ## rewrite the code as ruff would have it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

stubs: .venv/.installed-test  ## write the .pyi files, from which editors and type checkers know the names
	JAX_PLATFORMS=cpu $(BIN)/python .ci/stubs.py

hooks: .venv/.installed-test  ## run ruff and pyright before each commit
	$(BIN)/pre-commit install

golden: .envs/oracle/.installed  ## write the golden trajectories anew from the independent oracle
	.envs/oracle/bin/python tests/golden/generate.py
	.envs/oracle/bin/python tests/golden/generate_schedules.py
	.envs/oracle/bin/python tests/checkpoint/torch_runs.py
	.envs/oracle/bin/python tests/torch_page.py

bench: .venv/.installed-bench  ## time the step on this machine
	$(BIN)/python -m benchmarks $(ARGS)

bench-aot: .envs/tpu/.installed .envs/h100/.installed  ## bytes and kernels of the compiled TPU and H100 programs
	$(TPU_ENV) .envs/tpu/bin/python -m benchmarks.aot tpu $(ARGS)
	$(H100_ENV) .envs/h100/bin/python -m benchmarks.aot h100 $(ARGS)

docs: .venv/.installed-docs  ## build the documentation into site/
	$(BIN)/mkdocs build --strict

dist: .venv/.installed-dist  ## build the wheel and the sdist, and try the wheel in an empty environment
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/python .ci/try_wheel.py dist

newcomer:  ## time the way from this checkout to the first step, in an empty environment: under a minute
	$(check_python)
	$(PYTHON) .ci/newcomer.py $(ARGS)

docs-check: docs  ## open every page in Chromium, wide and narrow, light and dark, and follow its links
	$(BIN)/python docs/check_site.py site $(ARGS)

pictures: .venv/.installed-docs  ## run what has no picture yet on the pages of the algorithms; ARGS=--all: everything
	JAX_PLATFORMS=cpu PYTHONPATH=. $(BIN)/python -m docs.pages.paths $(ARGS)

deviations: .venv/.installed-test  ## measure the deviations from other implementations that the site shows; ARGS=NAMES
	JAX_PLATFORMS=cpu PYTHONPATH=. $(BIN)/python -m docs.pages.deviations $(ARGS)

links: .venv/.installed-test  ## write links to Colab into README and notebooks
	JAX_PLATFORMS=cpu PYTHONPATH=. $(BIN)/python -m docs.pages.repository

clean:  ## remove environments, caches and build products; runs/ stays
	rm -rf .venv .envs build dist site .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Environments ------------------------------------------------------------------------------------------

define check_python
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "gradchain needs Python 3.11 or newer, and '$(PYTHON)' is not: try make PYTHON=python3.12 ..." >&2; exit 1; }
endef

# One stamp per extra: installing again only when pyproject.toml changed.
.venv/.installed-%: pyproject.toml | .venv/bin/python
	$(BIN)/python $(PIP_INSTALL) --editable ".[$*]"
	@touch $@

.PRECIOUS: .venv/bin/python .venv/.installed-%
.venv/bin/python:
	$(check_python)
	$(PYTHON) -m venv .venv

# The oldest Python, once with the last JAX for it and once with the lowest versions that pyproject.toml promises.
.envs/py311/.installed: pyproject.toml
	$(PYTHON_3_11) -m venv .envs/py311
	$(@D)/bin/python $(PIP_INSTALL) --editable ".[test]"
	@touch $@

.envs/lowest/.installed: pyproject.toml .ci/lowest.py
	$(PYTHON_3_11) -m venv .envs/lowest
	$(@D)/bin/python .ci/lowest.py > $(@D)/constraints.txt
	$(@D)/bin/python $(PIP_INSTALL) --constraint $(@D)/constraints.txt --editable ".[test]"
	@touch $@

# The compilers for hardware this machine need not have, each apart from the others and from the tests.
# ALLOW_MULTIPLE_LIBTPU_LOAD: two processes would otherwise meet at one lock file.
TPU_ENV := AOT_TARGET=tpu JAX_PLATFORMS=cpu TPU_SKIP_MDS_QUERY=1 TPU_ACCELERATOR_TYPE=v5litepod-8 \
  TPU_WORKER_HOSTNAMES=localhost TPU_WORKER_ID=0 ALLOW_MULTIPLE_LIBTPU_LOAD=1

H100_ENV := AOT_TARGET=h100 JAX_PLATFORMS=cpu

JAX_VERSION = $$($(@D)/bin/python -c 'from importlib.metadata import version; print(version("jax"))')

.envs/tpu/.installed: pyproject.toml
	$(check_python)
	$(PYTHON) -m venv .envs/tpu
	$(@D)/bin/python $(PIP_INSTALL) --editable ".[aot]"
	$(@D)/bin/python $(PIP_INSTALL) "jax[tpu]==$(JAX_VERSION)"
	@touch $@

# XLA needs CUDA's assembler: it takes the machine's ptxas or the one of nvidia-cuda-nvcc.
.envs/h100/.installed: pyproject.toml
	$(check_python)
	$(PYTHON) -m venv .envs/h100
	$(@D)/bin/python $(PIP_INSTALL) --editable ".[aot]"
	$(@D)/bin/python $(PIP_INSTALL) "jax-cuda13-plugin==$(JAX_VERSION)" "jax-cuda13-pjrt==$(JAX_VERSION)"
	command -v ptxas >/dev/null || $(@D)/bin/python $(PIP_INSTALL) nvidia-cuda-nvcc
	@touch $@

.envs/peer/.installed: pyproject.toml tests/peer/requirements.txt tests/clients/requirements.txt
	$(check_python)
	$(PYTHON) -m venv .envs/peer
	$(@D)/bin/python $(PIP_INSTALL) --editable ".[test]" --requirement tests/peer/requirements.txt \
	  --requirement tests/clients/requirements.txt
	@touch $@

.envs/oracle/.installed: tests/golden/requirements.txt
	$(check_python)
	$(PYTHON) -m venv .envs/oracle
	$(@D)/bin/python $(PIP_INSTALL) --requirement tests/golden/requirements.txt
	@touch $@
