# `make` lists the targets. An environment of your own is used with
# `make TARGET PYTHON=/path/to/python`; it is then checked, not changed.

PYTHON3 ?= $(shell command -v python3.11 || echo python3)
PYTHON ?= .venv/bin/python

.PHONY: help setup demo docs test test-originals bench gpu lint clean

help:
	@echo 'make setup   the reference environment in .venv (slow once)'
	@echo 'make demo    small data, seven trainings, one table, one page (10 minutes)'
	@echo 'make docs    the documentation as a site, in site/'
	@echo 'make test    lint, types and the whole test suite'
	@echo 'make test-originals   the suite with the original OpenMMLab packages'
	@echo 'make bench   the benchmarks'
	@echo 'make gpu     what IES costs on this GPU, and whether it works there'
	@echo 'make lint    ruff and mypy alone, and the site where mkdocs is installed'
	@echo 'make clean   remove the environment and what demo made'

setup:
ifeq ($(PYTHON),.venv/bin/python)
	@$(PYTHON3) -c 'import sys; assert sys.version_info >= (3, 10)' \
	    2> /dev/null || { echo 'setup: Python 3.11 is needed, and' \
	    '$(PYTHON3) is missing or too old; name another:' \
	    'make setup PYTHON3=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON3) tools/setup_env.py
else
	@$(PYTHON) tools/setup_env.py --check
endif

demo: setup
	$(PYTHON) tools/demo.py

docs: setup
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict

test: lint
	$(PYTHON) -m pytest -q -n 2 --dist worksteal

test-originals:
	tools/test_originals.sh

bench: setup
	$(PYTHON) tools/bench.py

gpu: setup
	$(PYTHON) tools/gpu.py $(GPU)

lint: setup
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	@! $(PYTHON) -c 'import material, mkdocstrings' 2> /dev/null \
	    || $(MAKE) --no-print-directory docs

clean:
	rm -rf .venv .venv-originals site work_dirs/demo data/demo
