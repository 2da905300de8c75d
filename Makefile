# Everything a developer types. `make run` and `make test` need Python and nothing else.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
UV := build/uv/bin/uv
UV_VERSION := 0.13.9
INSTALLED := .venv/.installed
D2 := build/d2/d2
D2_VERSION := v0.7.2
PROMTOOL := build/prometheus/usr/bin/promtool
GENERATED := build/gen/predict/v1/descriptors.binpb
PROTOS := $(wildcard protos/predict/v1/*.proto protos/predict/events/v1/*.proto)

# The extras that images are made of.
IMAGES := gateway relay features runtime train rollout monitoring annotation
COMPILE = $(UV) pip compile --quiet --no-header --no-annotate --universal --python-version 3.11

# protoc looks for its plugins on PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help run test unit test-landed test-images test-annotation test-mesh mesh-tools promtool \
    lint format protos bench bench-quality chart-docs dashboards diagrams lock clean

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' Makefile

run: $(INSTALLED) $(GENERATED) ## Install, start everything, make the first predictions
	@$(BIN)/pmesh up

test: unit ## Run the tests, on real servers; half an hour
	@$(BIN)/python -m tests

unit: $(INSTALLED) $(GENERATED) ## Run the tests that need no server; half a minute
	@$(BIN)/pytest tests/unit

test-landed: $(INSTALLED) $(GENERATED) ## Run the last landed release's programs on this schema; a minute
	@$(BIN)/pytest tests/landed

test-images: $(INSTALLED) $(GENERATED) ## Build the images and try them; needs buildah, debootstrap and root
	@$(BIN)/pytest tests/images

promtool: ## Fetch Prometheus and its checker of rules into build/, on Debian; tests need them
	@command -v promtool >/dev/null || test -x $(PROMTOOL) || { \
	    mkdir -p build/prometheus && cd build/prometheus && \
	    apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb; }

test-annotation: $(INSTALLED) $(GENERATED) ## Label on the real Label Studio; the first time installs it
	@$(BIN)/pytest tests/annotation

test-mesh: mesh-tools $(INSTALLED) $(GENERATED) ## Try the mesh on a real Kubernetes API server and istiod
	@$(BIN)/pytest tests/mesh

mesh-tools: ## Build the two and what goes with them into build/, by Go; a quarter of an hour
	@tests/mesh/tools/build.sh

lint: $(INSTALLED) $(GENERATED) ## Check style, types, imports, what is rendered and the contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pmesh render --check
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code protos
	.ci/breaking
	$(BIN)/python deploy/charts/document.py --check
	$(BIN)/python -m monitoring.dashboards --check

format: $(INSTALLED) ## Put code and contract into their style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/buf format --write protos

protos: $(INSTALLED) ## Generate the code of the contract, and the table of its errors
	@$(BIN)/python build_protos.py
	@$(BIN)/python docs/make_errors.py

chart-docs: $(INSTALLED) ## Write what follows from the charts' schemas: values.yaml, README tables
	@$(BIN)/python deploy/charts/document.py

dashboards: $(INSTALLED) $(GENERATED) ## Write the dashboards for Grafana
	@$(BIN)/python -m monitoring.dashboards

bench: $(INSTALLED) $(GENERATED) ## Measure speed against the alternatives
	@$(BIN)/python -m benchmarks

bench-quality: $(INSTALLED) $(GENERATED) ## Measure how right the sentiment models are, and at what cost
	@$(BIN)/python -m benchmarks.quality

diagrams: $(D2) ## Draw HLD/diagrams/*.svg anew; needs Go
	@cd HLD/diagrams && for source in *.d2; do \
	    ../../$(D2) --layout dagre --pad 20 $$source $${source%.d2}.svg && chmod 644 $${source%.d2}.svg && \
	    printf '<!-- of %s -->\n' $$(sha256sum <$$source | cut -d' ' -f1) >>$${source%.d2}.svg || exit; \
	done

$(D2):
	@GOBIN=$(CURDIR)/build/d2 go install oss.terrastruct.com/d2@$(D2_VERSION)

lock: $(UV) ## Choose the newest versions that fit together, then those of each image from them
	@$(COMPILE) --extra dev --upgrade --output-file requirements.lock pyproject.toml
	@for extra in $(IMAGES); do \
	    $(COMPILE) --extra $$extra --constraint requirements.lock \
	        --output-file deploy/docker/$$extra.txt pyproject.toml || exit; \
	done

clean: ## Remove what was installed and generated; the data directory stays
	rm -rf .venv build

# uv finds a Python that fits, or fetches one, and installs much faster than pip.
$(UV):
	@python3 -m venv build/uv || { \
	    echo "python3 with its venv module is needed: on Debian, apt install python3-venv"; exit 1; }
	@build/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(INSTALLED): requirements.lock pyproject.toml build_protos.py | $(UV)
	@echo "installing; the first time takes a few minutes"
	@$(UV) venv --quiet --allow-existing --python '>=3.11,<3.13' .venv
	@$(UV) pip install --quiet --python .venv --requirement requirements.lock
	@$(UV) pip install --quiet --python .venv --no-build-isolation --no-deps --editable .
	@touch $@

$(GENERATED): $(PROTOS) build_protos.py | $(INSTALLED)
	@$(BIN)/python build_protos.py
