# make demo   the whole road, offline, in minutes
# make test   the tests
# Each does the set-up that it needs, once. PYTHON=python3.12 chooses another interpreter.

PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed

.PHONY: demo test check clean

demo: $(INSTALLED)
	$(VENV)/bin/instil demo

test: $(INSTALLED)
	$(VENV)/bin/pytest

# What .ci/run checks besides the tests.
check: $(INSTALLED)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python -m instil.docs --check

# Also what is compiled: it does not follow its source by itself.
KERNEL := hatch_build.py src/instil/kernels.py src/instil/novelty/kernel.c src/instil/shingles/kernel.c

$(INSTALLED): pyproject.toml constraints.txt $(KERNEL)
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist instil-demo
