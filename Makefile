# Every target sets up what it needs by itself. Python 3.11 or newer is all that must be there.
PYTHON   ?= python3
VENV     ?= .venv
BIN      := $(VENV)/bin
SCENARIO ?= bad-deploy
HISTORIES ?= 100000
CASES    ?= 1000000
SECONDS  ?= 60
ROUNDS   ?= 50
JOBS     ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test check lint e2e stories simulate soak wire parts fuzz guided mutants gallery bench guard study synth deploy docs site lock licences sbom audit reproducible format clean conformance

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.ready ## a real bad deploy, rolled back end to end; SCENARIO=approve|hold|undo|codedeploy|stack|...
	@$(BIN)/python -m local.demo "$(SCENARIO)"

test: $(VENV)/.ready ## the test suite, with branch coverage of the domain
	@$(BIN)/pytest -m "not e2e and not wire" -n auto --dist loadfile --cov --cov-report=term

check: HISTORIES = 8000
check: CASES = 50000
check: SHORT = --short
check: test simulate wire fuzz guard lint site e2e ## everything CI runs: fewer histories and cases, four stories

simulate: $(VENV)/.ready ## a hundred thousand interleaved histories, and every schedule of faults
	@$(BIN)/python -m tests.simulation.soak --histories $(HISTORIES) --seed 0 $(FREEZE)

soak: $(VENV)/.ready ## the same with two million, from a seed that is drawn and printed
	@$(BIN)/python -m tests.simulation.soak --histories 2000000

fuzz: $(VENV)/.ready ## a million cases of whatever may come in, from a seed that is printed
	@$(BIN)/python -m tests.fuzz --cases $(CASES)

guided: $(VENV)/.ready ## the parsers alone, led by coverage; SECONDS=60
	@$(BIN)/python -m tests.fuzz.guided $(SECONDS)

mutants: $(VENV)/.ready ## the domain and the actions, broken in every small way: do the tests notice; forty minutes; ONLY=gates,leg
	@PYTHONPATH=functions:. $(BIN)/python -m tests.mutation --only "$(ONLY)" --jobs $(JOBS)

wire: $(VENV)/.ready ## every call of AWS, made to fail on the wire in every way; three minutes; ONLY="alias: move"
	@PYTHONPATH=tests/functional $(BIN)/python -m tests.wire --only "$(ONLY)" $(SHORT)

parts: $(VENV)/.ready ## parts fail on the emulator: fifty rounds from a seed, half an hour; ROUNDS= SEED=
	@PYTHONPATH=tests/functional $(BIN)/python -m tests.parts --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

gallery: $(VENV)/.ready ## every Slack message that real incidents come to, on one page
	@PYTHONPATH=tests/functional $(BIN)/python -m tests.simulation.gallery

bench: $(VENV)/.ready ## how fast, beside what a user would otherwise write; storms, growth, cost; 20 minutes
	@$(BIN)/python -m bench.hot_path --publish
	@$(BIN)/python -m bench.storm
	@$(BIN)/python -m bench.growth
	@$(BIN)/python -m bench.cost

guard: $(VENV)/.ready ## how rarely a deploy is wrongly condemned, how soon rightly: the figures that must hold
	@$(BIN)/python -m bench.detection --short

study: $(VENV)/.ready ## the whole study of that, and bench/detection/RESULTS.md; ten minutes
	@$(BIN)/python -m bench.detection --publish

lint: $(VENV)/.ready ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=functions:. $(BIN)/lint-imports

e2e: $(VENV)/.ready ## the emulator, and four stories of the demo, each with its own ending
	@$(BIN)/python -c "from local import cdk, emulator; emulator.install(print); cdk.install(print)"
	@$(BIN)/pytest -m "e2e and not every_story" -n 2 --dist worksteal --durations=10

stories: $(VENV)/.ready ## the other stories of the demo, and other buttons: before a release; fifteen minutes
	@$(BIN)/python -c "from local import cdk, emulator; emulator.install(print); cdk.install(print)"
	@$(BIN)/pytest -m every_story -n 2 --dist worksteal

conformance: $(VENV)/.ready ## what is assumed of AWS, checked in your ACCOUNT=; listed without
	@$(BIN)/python -m conformance \
		$(if $(ACCOUNT),--account $(ACCOUNT) $(OPTIONS),--dry-run)

synth: $(VENV)/.ready ## the CloudFormation templates, into cdk.out
	@$(BIN)/python -m local.cdk synth --quiet

deploy: $(VENV)/.ready ## into the AWS account of your credentials
	@$(BIN)/python -m local.cdk deploy --all

docs: $(VENV)/.ready ## docs/configuration.md and schema/, from the policy's types, and docs/conformance.md
	@PYTHONPATH=. $(BIN)/python docs/generate.py

site: $(VENV)/.ready ## the documentation as a site, into build/site; a dead link or anchor ends it
	@rm -rf build/site
	@$(BIN)/sphinx-build -q -n -W --keep-going -E -d .cache/site -c docs . build/site
	@echo "the site is build/site/index.html"

LOCK := $(BIN)/uv pip compile --quiet --no-header --generate-hashes
# An index of one's own must not get into the files: neither uv nor npm is to write where from.
lock: $(VENV)/.ready ## pin the world again with its hashes, after a change in pyproject.toml
	@$(LOCK) --universal --python-version 3.11 --group install --output-file requirements-install.txt
	@$(LOCK) --universal --python-version 3.11 pyproject.toml --output-file functions/requirements.txt
	@$(LOCK) --python-version 3.13 --python-platform aarch64-manylinux_2_28 --only-binary :all: \
		pyproject.toml --group notify --constraint functions/requirements.txt \
		--output-file functions/requirements-notify.txt
	@$(LOCK) --universal --python-version 3.11 --group emulator \
		--output-file local/emulator-requirements.txt
	@$(LOCK) --universal --python-version 3.11 pyproject.toml --group dev \
		--constraint requirements-install.txt --output-file requirements.txt
	@$(BIN)/python -c "from local import cdk; cdk.lock()"

licences: $(VENV)/.ready ## docs/licences.md: the licence of everything shipped, and of what builds it
	@$(BIN)/python -m supply.licences

sbom: $(VENV)/.ready ## a bill of materials (CycloneDX) for each set of pins, into build/sbom
	@$(BIN)/python -m supply.bill

audit: $(VENV)/.ready ## known weaknesses of every pin; asks a source of advisories over the network
	@$(BIN)/python -m supply.audit

reproducible: $(VENV)/.ready ## two builds of the last commit, apart in all that should not matter, compared
	@$(BIN)/python -m supply.reproducible

format: $(VENV)/.ready ## mend style
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

clean: ## remove everything that was made
	rm -rf $(VENV) .venv-emulator .tools build cdk.out .cache .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis .coverage

# Nothing is installed but by its hash, and nothing is built but this package, by a pinned builder.
$(VENV)/.ready: requirements.txt requirements-install.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@echo "setting up the environment in $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip --quiet --disable-pip-version-check install --require-hashes --only-binary :all: \
		-r requirements-install.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --only-binary :all: \
		-r requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-index --no-deps --no-build-isolation -e .
	@touch $@
