# Every target installs its dependencies, inside this folder: .venv (Python), node_modules (the CDK command line),
# web/node_modules (the web client) and .local/ministack (the local AWS).

SHELL := /bin/bash
VERSION := $(shell cat .python-version)
CDK := node_modules/.bin/cdk
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version $(VERSION) --generate-hashes \
	--custom-compile-command "make lock"
# Ignore an activated .venv of another project, and allow bytecode to be cached.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
# The project installs its own Node (package.json), so that an older one on the machine suffices.
export PATH := $(CURDIR)/node_modules/.node:$(PATH)

WEB_SOURCES := docs/openapi.json $(shell find web \( -name node_modules -o -name dist -o -name e2e -o -name results \) \
	-prune -o -type f -print)

.PHONY: help install run demo reset test pr e2e screenshots simulate soak bench plan check format openapi lock web browser synth deploy destroy smoke republish redrive restore ledger refund clean
.DEFAULT_GOAL := help

help: ## List the targets
	@echo "Admit One: a serverless ticket marketplace. make ..."
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## /{printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: install web/dist/index.html ## Run the whole system locally, at http://127.0.0.1:3000 (PORT=, ORDER_WINDOW_SECONDS=)
	@exec $(BIN)/python -m local.cli.run

demo: install ## Make a purchase step by step, on the running stack or a temporary one
	@exec $(BIN)/python -m local.cli.demo

reset: .venv/.installed ## Delete the data of `make run`: users, tickets, orders, payments
	@exec $(BIN)/python -m local.cli.reset

test: install ## All tests except those in a browser (LAYER=unit, ONLY=path or expression, THOROUGH=1: every fault)
ifneq ($(LAYER)$(ONLY),)
	@exec $(BIN)/python -m pytest $(if $(LAYER),tests/$(LAYER)) $(only)
else
	@npm --prefix web run --silent test
	@exec $(BIN)/python -m tests
endif

only = $(if $(wildcard $(firstword $(subst ::, ,$(ONLY)))),$(ONLY),$(if $(ONLY),-k "$(ONLY)"))

pr: ## Everything to run before a pull request: format, check, test
	@$(MAKE) --no-print-directory format
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory test

e2e: install web/dist/index.html browser ## Test the web client in a browser, on a separate stack (ONLY=purchase)
	@exec $(BIN)/python -m local.cli.browser test $(ONLY)

screenshots: install web/dist/index.html browser ## Retake the pictures in docs/screenshots
	@exec $(BIN)/python -m local.cli.browser screenshots

simulate: .venv/.installed ## Simulate the whole system with injected faults (RUNS=1000, SEED=0)
	@exec $(BIN)/python -m tests.simulation --runs $(or $(RUNS),1000) --seed $(or $(SEED),0)

soak: install ## Load and faults on the local stack, then the simulation's checks (MINUTES=10, SEED=0)
	@exec $(BIN)/python -m tests.simulation.soak --minutes $(or $(MINUTES),10) --seed $(or $(SEED),0)

bench: install web/dist/index.html browser .local/lighthouse/.installed ## Measure the figures in docs/performance.md, in twenty minutes (QUICK=1: six)
	@exec $(BIN)/python -m benchmarks $(if $(QUICK),--quick)

plan: .venv/.installed ## Show limits and remedies at a rate of orders per second: make plan RATE=1000
	@exec $(BIN)/python -m benchmarks.plan $(or $(RATE),$(error Which rate? RATE=1000))

check: .venv/.installed web/node_modules/.installed ## Check style, types, import rules and the CloudFormation templates
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-cache
	npm --prefix web run --silent check
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/python -m tools.inspection
	$(BIN)/cfn-lint --regions us-east-1 --ignore-checks W3005 -- .local/inspected/*.template.json operations/*.yml

format: .venv/.installed web/node_modules/.installed ## Format all code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	npm --prefix web run --silent format

openapi: .venv/.installed web/node_modules/.installed ## Generate docs/openapi.json from the routes, and the client's types
	@$(BIN)/python -m tools.openapi
	@npm --prefix web run --silent api

lock: .venv/.installed ## Lock all requirement files, with hashes (UPGRADE=1 for newer versions)
	$(COMPILE) $(if $(UPGRADE),--upgrade) requirements-dev.in -o requirements-dev.txt
	set -e; for each in requirements.in functions/*/requirements.in; do \
	  $(COMPILE) -c requirements-dev.txt $$each -o $${each%.in}.txt; done
	$(COMPILE) $(if $(UPGRADE),--upgrade) local/cloud/requirements-ministack.in -o local/cloud/requirements-ministack.txt

web: web/dist/index.html ## Build the web client into web/dist

synth: .venv/.installed node_modules/.installed ## Write the CloudFormation template to cdk.out (STAGE=dev)
	@$(CDK) synth --quiet --no-notices -c stage=$(or $(STAGE),dev) -c webAclArn=none
	@echo "cdk.out/AdmitOne-$(or $(STAGE),dev).template.json"

deploy: .venv/.installed node_modules/.installed ## Deploy to your AWS account: make deploy STAGE=dev (WATCH=no, CONFIRM=dev)
	@$(BIN)/python -m operations.deploy deploy $(needs_stage) $(if $(WATCH),--watch $(WATCH)) \
	  $(if $(APPROVAL),--approval $(APPROVAL)) $(if $(CONFIRM),--confirm $(CONFIRM)) \
	  || { code=$$?; [ $$code = 2 ] || echo "Is this account new, or the region? docs/operations.md, First deployment" >&2; exit $$code; }

destroy: .venv/.installed node_modules/.installed ## Destroy a stage, and list what remains: make destroy STAGE=dev
	@$(BIN)/python -m operations.deploy destroy $(needs_stage) $(if $(CONFIRM),--confirm $(CONFIRM))

smoke: .venv/.installed ## Make a purchase on a deployed stage with Stripe's test keys: make smoke URL=https://...
	@$(BIN)/python -m local.cli.demo --url $(or $(URL),$(error Which address? make smoke URL=https://...))

republish: .venv/.installed ## Publish each item's last event again: make republish TABLE=orders STAGE=dev (TOKEN=, RATE=)
	@$(BIN)/python -m operations.republish --stage $(needs_stage) --table $(or $(TABLE),$(error Which table? TABLE=orders)) \
	  $(if $(TOKEN),--token $(TOKEN)) $(if $(RATE),--rate $(RATE))

redrive: .venv/.installed ## Publish the events again that a relay has set aside: make redrive TABLE=orders STAGE=dev
	@$(BIN)/python -m operations.redrive --stage $(needs_stage) --table $(or $(TABLE),$(error Which table? TABLE=orders))

restore: .venv/.installed ## Replace a table's content with a restored copy: see docs/operations.md
	@$(BIN)/python -m operations.restore --stage $(needs_stage) --table $(or $(TABLE),$(error Which table? TABLE=orders)) \
	  --source $(or $(FROM),$(error From which table? FROM=...)) --confirm "$(CONFIRM)"

ledger: .venv/.installed ## Compare the table of Payments with Stripe: make ledger STAGE=dev FROM=2026-11-01 (TO=)
	@$(BIN)/python -m operations.ledger --stage $(needs_stage) \
	  --since $(or $(FROM),$(error From which day? FROM=2026-11-01)) $(if $(TO),--until $(TO))

refund: .venv/.installed ## Refund a completed order as the operator: make refund ORDER=... STAGE=dev (REASON="...")
	@$(BIN)/python -m operations.refund --stage $(needs_stage) \
	  --order $(or $(ORDER),$(error Which order? ORDER=...)) $(if $(REASON),--reason "$(REASON)")

needs_stage = $(or $(STAGE),$(error Which stage? STAGE=dev))

clean: ## Remove everything that make created, including local data
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local.cli.reset; fi
	rm -rf .local cdk.out node_modules web/node_modules web/dist web/results .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: ## Install all dependencies
install: .venv/.installed node_modules/.installed web/node_modules/.installed .local/ministack/.installed

# The first Python of the right version: by name, as pyenv's python3, or as found by uv.
find_python = $$(for each in python$(VERSION) python3 python; do \
	  $$each -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(VERSION)")' 2>/dev/null && { echo $$each; exit; }; done; \
	  uv python find --no-python-downloads $(VERSION) 2>/dev/null || true)

.venv/.installed: requirements-dev.txt .python-version
	@python="$(find_python)"; \
	if [ -z "$$python" ]; then \
	  echo "Python $(VERSION) is needed and was not found. Install it, for example with: pyenv install $(VERSION)" >&2; exit 1; fi; \
	if ! $(BIN)/python -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(VERSION)")' 2>/dev/null; then \
	  echo "Creating .venv with $$python"; "$$python" -m venv --clear .venv || exit 1; fi
	@if [ ! -x $(BIN)/uv ]; then \
	  awk '/^uv==/ {found = 1} found {print} found && !/\\$$/ {exit}' requirements-dev.txt > .venv/uv.txt; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt; fi
	@echo "Installing the Python packages into .venv"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.txt
	@touch $@

node_modules/.installed: package.json package-lock.json .npmrc
	@command -v npm >/dev/null && node -e 'process.exit(+(parseInt(process.versions.node) < 20))' 2>/dev/null || \
	  { echo "Node 20 or newer with npm is needed; found: $$(node --version 2>/dev/null || echo none)." >&2; exit 1; }
	@echo "Installing the CDK command line and Node 24 into node_modules"
	@npm ci --silent
	@mkdir node_modules/.node; for each in node_modules/node-*/bin/node; do \
	  [ ! -x $$each ] || ln -s ../../$$each node_modules/.node/node; done
	@node -e 'process.exit(+(parseInt(process.versions.node) < 22))' || \
	  { echo "npm has no Node 24 for this platform; install Node 22 or newer. Found: $$(node --version)." >&2; exit 1; }
	@touch $@

web/node_modules/.installed: web/package.json web/package-lock.json web/.npmrc node_modules/.installed
	@echo "Installing the web client's packages into web/node_modules"
	@npm --prefix web ci --silent
	@touch $@

# For `make bench` only: 180 MB.
.local/lighthouse/.installed: $(addprefix benchmarks/lighthouse/,package.json package-lock.json .npmrc) node_modules/.installed
	@echo "Installing Lighthouse into .local/lighthouse"
	@mkdir -p $(@D) && cp $(filter benchmarks/%,$^) $(@D)
	@npm --prefix $(@D) ci --silent
	@touch $@

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	@echo "Building the web client into web/dist"
	@npm --prefix web run --silent build -- --logLevel error
	@touch $@

# Install Debian's Chromium if no supported browser is installed.
browser:
	@for each in chromium chromium-browser google-chrome; do command -v $$each >/dev/null && exit 0; done; \
	if command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then \
	  echo "Installing Chromium"; become=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  { $$become apt-get update && $$become apt-get install -y --no-install-recommends chromium fonts-liberation; } >/dev/null; \
	else echo "Install Chromium or Google Chrome for the browser tests." >&2; exit 1; fi

.local/ministack/.installed: local/cloud/requirements-ministack.txt .venv/.installed
	@echo "Installing the local AWS (ministack) into .local/ministack"
	@mkdir -p .local
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .local/ministack
	@$(BIN)/uv pip sync --quiet --python .local/ministack/bin/python --require-hashes local/cloud/requirements-ministack.txt
	@touch $@
