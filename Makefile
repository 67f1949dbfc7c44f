# Everything a person does here. The first run of a target also sets up what it needs, once:
# a Python environment in .venv from hashed pins, Node inside it, and on Debian the system packages.
# Needs Python 3.11 or newer, git and make; another Python: make lab PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/done
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
NODE = $(shell $(BIN)/python -c "import hatch_build; print(hatch_build.node_root())")
NPM = PATH="$(NODE)/bin:$$PATH" node "$(NODE)/lib/node_modules/npm/bin/npm-cli.js"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help lab demo test check bench conformance laws format lock clean bundle setup setup-dev native-gpu browser

help: ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

lab: setup native-gpu ## Open the tour in JupyterLab
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks/00_tour.ipynb \
		$$(test "$$(id -u)" != 0 || echo --allow-root)

demo: setup native-gpu ## Compile and run a kernel without a notebook; writes build/demo
	$(BIN)/python -m workbench demo --out build/demo

test: setup-dev browser native-gpu ## Run every test suite and say how long each took
	$(BIN)/python tests/run_suites.py test

check: setup-dev ## Formatting, lint, types, layers and unit tests
	$(BIN)/python tests/run_suites.py check

bench: setup-dev browser native-gpu ## Measure, as ratios
	$(BIN)/python -m benchmarks

conformance: setup-dev native-gpu ## Run ONNX's core node tests on every device
	for d in cpu wasm native; do $(BIN)/python -m tests.models.suite $$d; done

laws: setup-dev native-gpu ## Try fresh random programs: make laws MINUTES=10; adds to docs/laws.md
	$(BIN)/python -m tests.laws.campaign $(or $(MINUTES),10)

format: setup-dev ## Format the Python and mend what the linter can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: setup-dev ## Pin the newest versions again, for Python and for the page
	$(COMPILE) --upgrade --group build --group dev --output-file requirements/dev.txt
	$(COMPILE) --group build --constraint requirements/dev.txt --output-file requirements/lab.txt
	cd js && $(NPM) update --ignore-scripts

clean: ## Remove what runs have made; keeps the set-up
	rm -rf build dist .hypothesis .pytest_cache .ruff_cache .import_linter_cache

# Set-up ---------------------------------------------------------------------------------------

COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	--extra cpu --extra wasm --extra native --extra notebook --extra onnx --extra tour

setup: $(DONE)/lab $(DONE)/package bundle

setup-dev: $(DONE)/dev js/node_modules/.complete $(DONE)/package bundle

bundle: $(DONE)/package
	@$(BIN)/python hatch_build.py

$(DONE)/venv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { $(PYTHON) --version; echo "needs Python 3.11 or newer: make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(call apt,python3-venv); }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	@mkdir -p $(DONE) && touch $@

$(DONE)/lab: requirements/lab.txt $(DONE)/venv
	$(UV) --require-hashes -r requirements/lab.txt
	@touch $@

$(DONE)/dev: requirements/dev.txt $(DONE)/venv
	$(UV) --require-hashes -r requirements/dev.txt
	@touch $@ $(DONE)/lab

# The lab's pins are a part of the developers' pins: whoever has these has those.
$(DONE)/package: pyproject.toml hatch_build.py | $(DONE)/venv
	@test -e $(DONE)/lab || $(MAKE) --no-print-directory $(DONE)/lab
	$(UV) --no-build-isolation --no-deps --editable .
	@touch $@

js/node_modules/.complete: js/package-lock.json $(DONE)/dev
	cd js && $(NPM) ci --ignore-scripts
	@touch $@

# The software GPU that stands in where there is none, and the browser of the tests.
native-gpu:
	@test "$$(uname)" != Linux || ls /usr/share/vulkan/icd.d/*.json >/dev/null 2>&1 \
		|| { $(call apt,mesa-vulkan-drivers libvulkan1); }

browser:
	@test "$$(uname)" != Linux || command -v chromium google-chrome >/dev/null \
		|| { $(call apt,chromium); }

# $(call apt,PACKAGES) installs Debian packages where that is allowed, and else names them.
define apt
if ! command -v apt-get >/dev/null; then echo "please install: $(1)"; \
elif [ "$$(id -u)" = 0 ]; then $(APT_GET); \
elif sudo -n true 2>/dev/null; then sudo sh -c '$(APT_GET)'; \
else echo "please run: sudo apt-get install $(1)"; fi
endef
APT_GET = apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends $(1) >/dev/null
