# living-finance. `make` lists the commands; `make setup` runs by itself before the others.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
PYTHON ?=
BIN := $(VENV)/bin
UV := VIRTUAL_ENV=$(VENV) $(BIN)/uv
DEMO ?= .demo
DEMO_MONTH ?= 202001
NEXT_MONTH ?= 202002
WAREHOUSE ?= $(DEMO)/warehouse

# Another Spark, an editor's Python path or a tool's telemetry must not reach our runs.
unexport SPARK_HOME PYTHONPATH PYTHONHOME
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1
export SPARK_LOCAL_IP ?= 127.0.0.1
# uv does not read pip's settings; a mirror named for pip serves both.
ifneq ($(PIP_INDEX_URL),)
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- setup: each stamp is made again only when what it rests on has changed -------------------------------------------

IS_SUPPORTED = -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null
FIND_PYTHON = for candidate in $(PYTHON) python3.11 python3.12 python3 python; do \
	  if "$$candidate" $(IS_SUPPORTED); then echo "$$candidate"; exit 0; fi; \
	done; \
	echo "Python: no Python 3.11 or 3.12 found." >&2; \
	echo "  Remedy: install one (Debian: apt-get install python3.11 python3.11-venv) or name it: make setup PYTHON=/path/to/python3.11" >&2; \
	exit 11

.PHONY: setup preflight
setup: $(VENV)/.made-packages $(VENV)/.made-jars ## install everything into .venv (again only what changed)

preflight:
	@python="$$($(FIND_PYTHON))"; PYTHONPATH=src PYTHONDONTWRITEBYTECODE=1 "$$python" -m living_finance.doctor

$(VENV)/.made-venv: | preflight
	@if ! $(BIN)/python $(IS_SUPPORTED); then \
	  python="$$($(FIND_PYTHON))"; echo "setup: virtual environment with $$("$$python" --version)"; \
	  "$$python" -m venv --clear $(VENV) || { \
	    echo "  Remedy: this Python lacks its venv module (Debian: apt-get install python3.11-venv)" >&2; exit 1; }; \
	fi
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@touch $@

$(VENV)/.made-packages: $(VENV)/.made-venv requirements-dev.lock conf/bootstrap.lock conf/build.lock pyproject.toml | preflight
	@echo "setup: packages (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r conf/bootstrap.lock
	@$(UV) pip sync --quiet --require-hashes --build-constraints conf/build.lock requirements-dev.lock
	@$(UV) pip install --quiet --no-deps --build-constraints conf/build.lock --editable .
	@touch $@

$(VENV)/.made-jars: $(VENV)/.made-packages conf/jars.sha256 conf/fetch_jars.py | preflight
	@echo "setup: Delta jars for Spark"
	@$(BIN)/python conf/fetch_jars.py
	@touch $@

# --- use --------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## a small synthetic city: deliveries, one month to statistics, scores, database, report
	@$(BIN)/living-finance synthesize --gu 11140,11230 --fraction 0.02 --months $(DEMO_MONTH)..$(NEXT_MONTH) --seed 7 \
	  --out $(DEMO)/landing --truth $(DEMO)/truth
	@$(BIN)/living-finance run --landing $(DEMO)/landing --warehouse $(DEMO)/warehouse --month $(DEMO_MONTH)
	@$(BIN)/living-finance evaluate --warehouse $(DEMO)/warehouse --truth $(DEMO)/truth --month $(DEMO_MONTH) \
	  --json $(DEMO)/scores.json
	@$(BIN)/living-finance publish --warehouse $(DEMO)/warehouse --month $(DEMO_MONTH)
	@$(BIN)/living-finance report --warehouse $(DEMO)/warehouse --month $(DEMO_MONTH) --out $(DEMO)/report
	@echo
	@echo "The demo is made. Where to look:"
	@echo "  the report   $(DEMO)/report/report-$(DEMO_MONTH)-ko.html (and .pdf, .hwpx)"
	@echo "  more of it   make editions: a second month with changes, a district's, the public one, in English too"
	@echo "  deliveries   $(DEMO)/landing"
	@echo "  tables       $(DEMO)/warehouse/gold/household_statistics (and the others beside it)"
	@echo "  scores       $(DEMO)/scores.json"
	@echo "  a table      $(BIN)/living-finance describe gold.household_statistics"
	@echo "  its database $(BIN)/living-finance query --warehouse $(DEMO)/warehouse \\"
	@echo "                 \"select gu_name_ko, mean_total_income_krw_year, gini_total_income from statistics.household_statistics"
	@echo "                  where region_level = 'gu' and head_sex = 'all' and head_age_band = 'all' and household_type = 'all'\""
	@echo "  a figure     $(BIN)/living-finance explain gold.household_statistics --warehouse $(DEMO)/warehouse --month $(DEMO_MONTH)"
	@echo "  a notebook   notebooks/README.md"
	@echo "  the models   make mlflow-ui"

RELEASED = $(DEMO)/releases/portal/$(DEMO_MONTH)-v1
.PHONY: editions
editions: setup ## every edition of the demo's report: a second month (year), a district, public; English; quality pages
	@test -d $(DEMO)/warehouse/gold || { echo "No warehouse $(DEMO)/warehouse. Remedy: make demo" >&2; exit 1; }
	@$(BIN)/living-finance run --landing $(DEMO)/landing --warehouse $(DEMO)/warehouse --month $(NEXT_MONTH)
	@$(BIN)/living-finance report --warehouse $(DEMO)/warehouse --year $(shell echo $(NEXT_MONTH) | cut -c1-4) --lang ko,en --out $(DEMO)/editions
	@$(BIN)/living-finance report --warehouse $(DEMO)/warehouse --month $(NEXT_MONTH) --region 11140 --lang ko,en --out $(DEMO)/editions
	@for lang in ko en; do $(BIN)/living-finance quality --warehouse $(DEMO)/warehouse --month $(NEXT_MONTH) --lang $$lang \
	  --out $(DEMO)/editions/quality-$(NEXT_MONTH)-$$lang.html; done
	@test -d $(RELEASED) || $(BIN)/living-finance release --warehouse $(DEMO)/warehouse --month $(DEMO_MONTH) --out $(DEMO)/releases
	@grep -q '"approved"' $(DEMO)/releases/register.jsonl || $(BIN)/living-finance approve $(RELEASED) --approver demo
	@$(BIN)/living-finance report --release $(RELEASED) --lang ko,en --out $(DEMO)/editions

MODELS = $(WAREHOUSE)/mlflow/mlflow.db
.PHONY: mlflow-ui
mlflow-ui: setup ## the models of WAREHOUSE (default: the demo's), at http://127.0.0.1:5000
	@test -f $(MODELS) || { echo "No models in $(WAREHOUSE). Remedy: make demo, or WAREHOUSE=folder" >&2; exit 1; }
	$(BIN)/mlflow ui --backend-store-uri sqlite:///$(abspath $(MODELS)) --host 127.0.0.1 --port 5000

.PHONY: notebooks
notebooks: setup ## execute notebooks/*.py on WAREHOUSE, results in .demo/*.ipynb
	@test -d $(WAREHOUSE) || { echo "No warehouse $(WAREHOUSE). Remedy: make demo, or WAREHOUSE=folder" >&2; exit 1; }
	@mkdir -p $(DEMO)
	@for file in notebooks/*.py; do \
	  made=$(DEMO)/$$(basename "$$file" .py).ipynb; \
	  $(BIN)/jupytext --quiet --to notebook --output "$$made" "$$file"; \
	  DEMO_WAREHOUSE=$(abspath $(WAREHOUSE)) $(BIN)/jupyter-execute --inplace "$$made"; \
	  echo "$$made"; \
	done

.PHONY: cluster-up cluster-down
cluster-up: setup ## a standalone Spark cluster on this machine: one master, two workers
	@docker/cluster.sh up
cluster-down: ## stop it
	@docker/cluster.sh down

# --- work on it -------------------------------------------------------------------------------------------------------

.PHONY: test test-cluster
test: setup ## all tests but the cluster's
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not cluster"
test-cluster: setup ## the same months on a real cluster and locally, row by row
	@$(BIN)/python -m pytest -m cluster -o faulthandler_timeout=3600

# The browser's own packages stay apart from the others; the browser is the machine's.
BROWSER_VENV ?= .venv-browser
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
.PHONY: test-browser browser
test-browser: browser $(BROWSER_VENV)/.made editions ## open every edition of the demo's report in Chromium, draw the PDFs; pictures in .demo
	@$(BROWSER_VENV)/bin/python tests/browser/check_report.py $(DEMO)/report/report-*.html $(DEMO)/editions/report-*.html \
	  --pages $(DEMO)/editions/quality-*.html $(RELEASED)/report/*.html --browser "$(CHROMIUM)" --out $(DEMO)/screenshots

.PHONY: mlflow-picture
mlflow-picture: browser $(BROWSER_VENV)/.made setup ## open the models of WAREHOUSE in Chromium and make the pictures in docs anew
	@test -f $(MODELS) || { echo "No models in $(WAREHOUSE). Remedy: make demo, or WAREHOUSE=folder" >&2; exit 1; }
	@$(BROWSER_VENV)/bin/python tests/browser/picture_models.py --store $(MODELS) --mlflow $(BIN)/mlflow \
	  --fonts "$$($(BIN)/python -c 'from living_finance.reports.fonts import font_folder; print(font_folder())')" \
	  --browser "$(CHROMIUM)" --out docs

browser:
	@test -n "$(CHROMIUM)" || { echo "No Chromium found. Remedy: Debian: apt-get install chromium, or CHROMIUM=/path/to/it" >&2; exit 1; }

$(BROWSER_VENV)/.made: conf/browser.lock
	@python="$$($(FIND_PYTHON))"; "$$python" -m venv --clear $(BROWSER_VENV)
	@$(BROWSER_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r conf/browser.lock
	@touch $@

# Libraries that ours are measured beside; nothing else may import them.
BENCH_LIBRARIES = .cache/bench
.PHONY: lint types docs bench
lint: setup ## ruff (rules and format) and hadolint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/hadolint docker/Dockerfile
types: setup ## mypy, strict
	@$(BIN)/mypy
docs: setup ## make data-dictionary.md, analyses.md, methodology.md and definitions.md in docs anew from the code
	@$(BIN)/python -m living_finance.catalog.dictionary > docs/data-dictionary.md.new
	@mv docs/data-dictionary.md.new docs/data-dictionary.md
	@$(BIN)/python -m living_finance.analyses.registry > docs/analyses.md.new
	@mv docs/analyses.md.new docs/analyses.md
	@$(BIN)/python -m living_finance.catalog.methodology > docs/methodology.md.new
	@mv docs/methodology.md.new docs/methodology.md
	@$(BIN)/python -m living_finance.contracts.definitions > docs/definitions.md.new
	@mv docs/definitions.md.new docs/definitions.md
bench: setup $(BENCH_LIBRARIES)/.made ## the full city once and what it is measured beside (more than an hour)
	@$(BIN)/python benchmarks/full_city.py
	@PYTHONPATH=$(BENCH_LIBRARIES) $(BIN)/python benchmarks/calibration.py
	@PYTHONPATH=$(BENCH_LIBRARIES) $(BIN)/python benchmarks/calibration.py --warehouse .bench/city/warehouse --month 202001
	@$(BIN)/python benchmarks/city_draws.py
	@$(BIN)/python benchmarks/relational.py --warehouse .bench/city/warehouse --month 202001
	@$(BIN)/python benchmarks/postgres.py
	@PYTHONPATH=$(BENCH_LIBRARIES) $(BIN)/python benchmarks/suppression.py
	@$(BIN)/python benchmarks/disclosure.py

$(BENCH_LIBRARIES)/.made: conf/bench.lock
	@rm -rf $(BENCH_LIBRARIES)
	@$(UV) pip install --quiet --no-deps --require-hashes --target $(BENCH_LIBRARIES) -r conf/bench.lock
	@touch $@

COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
	  --python-version 3.11 $(LOCK_FLAGS)
.PHONY: lock
lock: setup ## resolve the lock files anew (LOCK_FLAGS=--upgrade for newer versions)
	@$(COMPILE) conf/bootstrap.in --output-file conf/bootstrap.lock
	@$(COMPILE) conf/build.in --output-file conf/build.lock
	@$(COMPILE) conf/browser.in --output-file conf/browser.lock
	@$(COMPILE) --no-deps conf/bench.in --output-file conf/bench.lock
	@$(COMPILE) pyproject.toml --output-file requirements.lock
	@$(COMPILE) pyproject.toml --extra dev --output-file requirements-dev.lock

.PHONY: clean distclean
clean: ## remove what was made, but not the environment
	@rm -rf $(DEMO) .bench build dist spark-warehouse metastore_db derby.log .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
distclean: clean ## the environment and fetched jars too
	@rm -rf $(VENV) $(BROWSER_VENV) .cache
