# make demo and make test need nothing but Python >= 3.11, git and make: scripts/setup.sh does the rest.
SHELL := /bin/bash
PY := .venv/bin/python
DEMO_OUT ?= out/demo
DEMO_COUNT ?= 24

# One llvmpipe thread a process: two processes of one thread draw more pictures than one of two.
export LP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test lint types unit docs measure clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## make .venv ready, and the system's GL libraries
	@scripts/setup.sh

setup-dev:
	@scripts/setup.sh dev,pyrender,codecs,jxl,tables,remote,ray,train

demo: setup ## render a small captioned dataset from the built-in avatar
	@# Our own folder may be of an older version of the avatar, which would be refused; yours stays.
	@[ "$(DEMO_OUT)" != out/demo ] || rm -rf out/demo
	@$(PY) -m vrm_synth demo -o $(DEMO_OUT) --count $(DEMO_COUNT)

test: lint types unit ## what CI runs: lint, types and the short form of every test

lint: setup-dev ## ruff, both ways
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

types: setup-dev ## mypy
	@$(PY) -m mypy

unit: setup-dev ## the short form of every test
	@$(PY) -m pytest -q -n 2 -m "not slow"

docs: setup-dev ## a reference of the Python API from its docstrings: build/docs/index.html
	@$(PY) scripts/api_reference.py build/docs

measure: setup-dev ## the long form of every test and the benchmarks, into docs/measured.md
	@$(PY) scripts/measure.py

clean: ## remove what make has made
	@rm -rf .venv out build dist .pytest_cache .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
