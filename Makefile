# Everything a developer does with this repository. `make help` lists it. Nothing needs an activated environment.

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV ?= .venv
INVENTORY ?= inventories/lab
PYTEST_ARGS ?=

BIN := $(abspath $(VENV))/bin
READY := $(VENV)/.ready
export PATH := $(BIN):$(PATH)
export PYTHONDONTWRITEBYTECODE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help setup lab demo test crash molecule molecule-all unit check format python yaml sanity lint galaxy readmes docs coverage policies mutate matrix bench build clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(READY)  ## Make the virtual environment, once and after a change of what it needs

$(READY): requirements.txt requirements-dev.txt lab/pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --without-pip --clear $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m pip --python $(BIN)/python install --quiet pip
	$(BIN)/python -m pip install --quiet --quiet -r requirements.txt -r requirements-dev.txt -e 'lab[data-plane]'
	@$(BIN)/python tests/tools/link_collection.py
	@touch $@

lab: setup  ## Start the local AWS and say where it is
	@$(BIN)/lab start

demo: lab  ## Build the whole stack on the local AWS, or INVENTORY=inventories/...
	$(BIN)/ansible-playbook site.yml -i $(INVENTORY)

test: setup  ## Run every test that needs no AWS account; PYTEST_ARGS="-k word" chooses
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not measured" $(PYTEST_ARGS); many=$$?; \
	$(BIN)/python -m pytest -m measured --reruns 1 $(PYTEST_ARGS); alone=$$?; \
	for code in $$many $$alone; do test $$code = 0 -o $$code = 5 || exit 1; done

crash: setup  ## Let runs die at every call, site.yml and drills by every signal, lose every answer, have bad days
	@WEBSTACK_ALL_KILLS=yes $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder tests/unit/crash tests/integration/test_killed_site.py $(PYTEST_ARGS)
	@WEBSTACK_ALL_KILLS=yes $(BIN)/python -m pytest --reruns 1 tests/integration/test_undo.py tests/integration/test_deploy_in_place.py $(PYTEST_ARGS)

molecule: setup  ## Run every Molecule scenario, each on a local AWS of its own; ROLE=network runs those of one role
	@SCENARIOS=$(or $(ROLE),all) $(BIN)/python -m pytest -n auto --maxschedchunk 1 --durations 0 tests/molecule $(PYTEST_ARGS)

molecule-all: molecule  ## The same, under the name that tells it from the scenarios of `make test`

unit: setup  ## Run the unit tests only
	@$(BIN)/python -m pytest tests/unit $(PYTEST_ARGS)

check: python yaml lint sanity galaxy coverage  ## Run every check of the source

format: setup  ## Put the Python code in shape
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

python: setup  ## Check the Python code: ruff, mypy
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --diff .
	@$(BIN)/mypy

yaml: setup  ## Check the YAML: yamllint, ansible-lint
	@$(BIN)/yamllint --strict .
	@$(BIN)/ansible-lint --profile production --offline --nocolor -q

lint: setup  ## Check our own rules: imports, reasons, commands, versions, roles, changelog, documentation
	@$(BIN)/python tests/tools/lint_imports.py
	@$(BIN)/python tests/tools/lint_reasons.py
	@$(BIN)/python tests/tools/lint_commands.py
	@$(BIN)/python tests/tools/lint_versions.py
	@$(BIN)/python tests/tools/role_files.py --check
	@$(BIN)/python tests/tools/lint_roles.py
	@$(BIN)/python tests/tools/role_readmes.py --check
	@$(BIN)/antsibull-changelog lint
	@$(BIN)/python tests/tools/lint_docs.py
	@$(BIN)/python tests/tools/policies.py --check

sanity: setup  ## Run ansible-test sanity; SANITY_ARGS="--test import" chooses
	@$(BIN)/python tests/tools/sanity.py $(SANITY_ARGS)

galaxy: setup  ## Import the archive with Galaxy's own importer, offline
	@$(BIN)/python tests/tools/galaxy_import.py

readmes: setup  ## Write the roles' files from the modules' documentation, and their READMEs from the argument specs
	@$(BIN)/python tests/tools/role_files.py
	@$(BIN)/python tests/tools/role_readmes.py

docs: readmes  ## Build the reference of modules and roles as HTML, in docs/build/html
	@$(BIN)/python tests/tools/build_docs.py

coverage: setup  ## Prove that the engine's tests reach every line and branch of the engine
	@$(BIN)/python -m pytest tests/unit/engine --cov --cov-report=term-missing

policies: setup  ## Write the IAM policies, after recording with RECORD=yes; STACK=shop ACCOUNT=111122223333 fills them in
	@$(BIN)/python tests/tools/policies.py $(if $(RECORD),--record) $(if $(STACK),--stack $(STACK)) $(if $(ACCOUNT),--account $(ACCOUNT))

mutate: setup  ## Take behaviours out of a copy and see that tests notice; WORD=tags chooses
	@$(BIN)/python tests/tools/mutate.py $(WORD)

matrix: setup  ## Test other Pythons and Ansibles; ROWS="core-2.17 newest" chooses
	@$(BIN)/python tests/tools/matrix.py $(ROWS)

bench: setup  ## Measure runs beside plain tasks and the limit, 25 minutes on a quiet machine; WORD=quiet chooses, REPEAT=5 runs of each
	@$(BIN)/python tests/bench/bench.py $(WORD) $(if $(REPEAT),--repeat $(REPEAT))

build: setup  ## Make the archive that Galaxy takes, in dist/
	@$(BIN)/ansible-galaxy collection build --force --output-path dist .

clean:  ## Remove all that can be made again, and stop the local AWS
	@test ! -x $(BIN)/lab || $(BIN)/lab stop
	rm -rf $(VENV) .lab build dist docs/build tests/output .pytest_cache .ruff_cache .mypy_cache .ansible
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
