# Every command here sets up what it needs by itself. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE ?=

.PHONY: help demo test test-kills test-faults test-crowd test-e2e test-browser fuzz bench-concat bench-merge bench-orchestration cost cost-docs bench-imports bench-deploy layer bundles synth lint format lock clean

.PHONY: setup
setup:
	@$(PYTHON) tools/set_up.py test

help:  ## list the commands
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo:  ## set up, produce the example lesson, print where the video lies
	@$(PYTHON) tools/set_up.py demo
	@./jiki-video produce examples/lesson/pipeline.yaml

test: lint  ## set up, run every fast check and test
	@$(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow and not deployed and not browser"

test-kills: setup  ## kill everything at every stage, for both ElevenLabs ways (some minutes)
	@$(BIN)/python -m pytest -n 2 -m slow tests/e2e/test_killed.py tests/e2e/test_trials_provider.py

test-faults: setup  ## every fault at every moment between two side effects, for every provider (some ten minutes)
	@$(BIN)/python -m tests.faults --verbose
	@$(BIN)/python -m pytest -q -m slow tests/unit/takes

test-crowd: setup  ## 200 pipelines at once, whose provider allows five jobs (some ten minutes)
	@$(BIN)/python -m pytest -m slow tests/e2e/test_crowd.py

test-e2e: setup  ## deploy the CDK app into an emulated AWS and make a video there (some minutes)
	@$(BIN)/python -m pytest -x -s -m deployed tests/deployed

test-browser:  ## play spliced videos in a real Chromium, which it installs where it can
	@$(PYTHON) tools/set_up.py browser
	@$(BIN)/python -m pytest -m browser tests/browser

fuzz: setup  ## damaged videos through the reader and the splicer, for FUZZ_MINUTES (30)
	@$(BIN)/python -m tests.fuzz

bench-concat: setup  ## compare our merge with FFmpeg's concat on the example lesson's clips
	@$(BIN)/python -m benchmarks.concat_table

bench-merge: setup  ## compare merges of large objects in S3 with download, concat, upload (15 GB of disk, some minutes)
	@$(BIN)/python -m benchmarks.merge

bench-orchestration: setup  ## time 200 pipelines that share a provider, and one of 200 nodes (half an hour)
	@$(BIN)/python -m benchmarks.orchestration --write

cost: setup  ## measure two examples and print what they cost on AWS and at the providers
	@$(BIN)/python -m tools.cost

cost-docs: setup  ## the same, kept in the docs; not on a busy machine, unless FORCE=1
	@$(BIN)/python -m tools.cost --write $(if $(FORCE),--force)

bench-imports: setup  ## compare the functions' cold imports with `import boto3`
	@$(BIN)/python -m benchmarks.cold_imports

bench-deploy: setup  ## time the CDK: synth, and deployments into an emulated AWS
	@$(BIN)/python -m benchmarks.deploying

layer:  ## build the FFmpeg layer for both architectures
	@$(PYTHON) tools/set_up.py deploy
	@$(BIN)/python -m tools.bundles layer

bundles:  ## build the layer and every function's package, and print their sizes
	@$(PYTHON) tools/set_up.py deploy
	@$(BIN)/python -m tools.bundles

synth:  ## write what would be deployed, for all environments, to cdk.out
	@$(PYTHON) tools/set_up.py deploy
	@$(BIN)/python -m tools.synth

lint: setup  ## ruff and the strict type checker
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup  ## format the code and sort its imports
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

lock:  ## pin the dependencies of pyproject.toml anew (hashes, no addresses)
	@$(PYTHON) tools/lock.py

clean:  ## remove everything that set-up, tests and local runs made
	rm -rf .venv node_modules build cdk.out .jiki-video .pytest_cache .mypy_cache .ruff_cache .hypothesis examples/*/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
