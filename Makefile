# `make help` lists the targets. The CI script runs `make check`, nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
MARKUP := invoiceapp/templates

##@ Use
.PHONY: run
run: $(RUN_STAMP) ## Install what is missing and start everything, with the demo company
	@./scripts/system-packages run
	$(BIN)/python app.py

.PHONY: rulepacks
rulepacks: $(RUN_STAMP) ## Download and install the official rules of Peppol and OIOUBL (needs Maven)
	@./scripts/rulepacks

##@ Develop
.PHONY: install
install: $(DEV_STAMP) ## Install the product, the tools and the test libraries
	@./scripts/system-packages test

.PHONY: test
test: install ## The whole test suite: unit, SQLite and PostgreSQL, real servers, browser
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not browser and not interop" --durations=10
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not browser and not server and not interop" --database=postgresql tests/services tests/models tests/migrations tests/crash
	$(BIN)/python -m pytest -q -m browser

.PHONY: interop
interop: install ## Ask independent judges: official rules, their test suites, a second engine, other readers, veraPDF
	./scripts/interop

.PHONY: check
check: lint test chaos-short interop ## Everything that must hold before a change lands

.PHONY: lint
lint: install ## Style, types, import contracts, templates, translations, lock files, deployment files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --quiet --lint $(MARKUP)
	./scripts/translations --check
	./scripts/lock --check
	PYTHONPATH=. $(BIN)/python scripts/permissions.py --check
	./scripts/lint-deploy

.PHONY: audit
audit: install ## Known vulnerabilities (asks a service), insecure code, licences, list of parts
	$(BIN)/python scripts/audit.py

.PHONY: sbom
sbom: install ## The list of parts alone, as CycloneDX JSON in build/sbom.json
	$(BIN)/python scripts/audit.py sbom

.PHONY: fuzz
fuzz: install ## Every parser of foreign bytes for FUZZ_SECONDS (600), as many at once as there are cores
	$(BIN)/python -m fuzz

.PHONY: chaos
chaos: install ## Ten minutes of kills, full disks, wrong clocks and unreliable partners on 10 000 documents (docs/reliability.md)
	$(BIN)/python -m chaos

.PHONY: chaos-short
chaos-short: install ## The same within a minute: 200 documents, 3 workers, SQLite
	$(BIN)/python -m chaos --seconds 20 --documents 200 --workers 3 --database sqlite --seed 1

.PHONY: format
format: $(DEV_STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: install ## Measure everything, beside peers, and bring docs/performance.md up to date (BENCH=quick: five minutes)
	BENCH=$(BENCH) $(BIN)/python -m benchmarks

.PHONY: golden
golden: install ## Write the golden files anew; read the difference before committing it
	$(BIN)/python -m pytest -q tests/formats --update-golden

.PHONY: screens
screens: install ## Take the screenshots of docs/screens anew
	$(BIN)/python -m pytest -q -m browser --update-screens tests/browser

.PHONY: lock
lock: $(DEV_STAMP) ## Lock requirements.in and requirements-dev.in with hashes
	./scripts/lock

.PHONY: translations
translations: $(DEV_STAMP) ## Collect the texts and compile the Danish catalogue
	./scripts/translations

.PHONY: permissions
permissions: $(DEV_STAMP) ## Write docs/permissions.md from what the views declare
	PYTHONPATH=. $(BIN)/python scripts/permissions.py

.PHONY: clean
clean: ## Remove the virtual environment and caches; instance/ (your data) stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=python3.12 or the like") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(DEV_STAMP): requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(RUN_STAMP)
