# Two targets do everything on a fresh Debian or Ubuntu with Go and Node:
#   make demo   installs what is missing, builds, makes a demo event, serves it
#   make test   installs what is missing, and tests everything
.DEFAULT_GOAL := build
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
ORT := build/lib/libonnxruntime.so.1
WEB := web/dist/index.html
export CGO_ENABLED = 1

.PHONY: build demo test test-short test-ogc fuzz-api test-models bench clean dependencies test-dependencies

build: $(ORT) $(WEB)
	go build -trimpath -buildvcs=false -ldflags "-X github.com/scarp-map/scarp/server/cli.version=$(VERSION)" -o build/scarp .

demo: dependencies build
	@[ -f data/demo/event.yaml ] || build/scarp simulate -o data/demo
	@build/scarp event add data/demo/event.yaml
	@exec build/scarp serve

dependencies:
	@scripts/install-dependencies.sh

test-dependencies:
	@scripts/install-dependencies.sh test

$(ORT): scripts/install-onnxruntime.sh
	scripts/install-onnxruntime.sh build/lib
	@touch $@

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	npm --prefix web ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

$(WEB): web/node_modules/.package-lock.json web/index.html web/try.html web/tsconfig.json web/vite.config.ts $(wildcard web/src/* web/public/*)
	npm --prefix web run --silent build
	@touch $@

# Real parts: PostGIS, GDAL, ONNX Runtime, a browser and OGC clients. A part
# that is absent fails the tests instead of skipping them.
TEST_ENVIRONMENT = SCARP_ONNXRUNTIME=$(CURDIR)/$(ORT) SCARP_REQUIRE_ONNXRUNTIME=1 SCARP_REQUIRE_POSTGIS=1 SCARP_REQUIRE_CLIENTS=1 SCARP_TEST_PYTHON=$(CURDIR)/build/clients/bin/python

# The race detector leaves out SQLite's C, translated to Go: to watch each of its accesses to memory makes the
# stores' tests several times as long. The locks that it takes are in another package, which is watched.
RACE = -race -gcflags=modernc.org/sqlite/lib=-race=false

test: test-dependencies build build/clients/installed
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt wants to change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	$(TEST_ENVIRONMENT) go test $(RACE) -timeout 30m ./...
	@$(MAKE) --no-print-directory test-models

# OWSLib as it is now: Debian's can't execute processes. pyarrow (55 MB) reads GeoParquet. Of MapProxy only the
# OGC's schemas are wanted, which it brings along.
build/clients/installed: scripts/clients-requirements.txt scripts/schemas-requirements.txt
	python3 -m venv build/clients
	build/clients/bin/pip install --quiet --disable-pip-version-check -r scripts/clients-requirements.txt
	build/clients/bin/pip install --quiet --disable-pip-version-check --no-deps -r scripts/schemas-requirements.txt
	@touch $@

# Without the race detector and without the parts that take long.
test-short: build build/clients/installed
	$(TEST_ENVIRONMENT) go test -short ./...

# The standards' abstract tests, and the OGC's own suites where they can be had,
# against a server with the demo event.
test-ogc: build
	scripts/with-demo-server.sh scripts/test-ogc.sh

# FUZZ_SECONDS of requests made up from the server's own OpenAPI document.
fuzz-api: build build/fuzz/bin/schemathesis
	scripts/with-demo-server.sh scripts/fuzz-api.sh

build/fuzz/bin/schemathesis: scripts/fuzz-requirements.txt
	python3 -m venv build/fuzz
	build/fuzz/bin/pip install --quiet -r scripts/fuzz-requirements.txt
	@touch $@

# The networks' own tests need Python and PyTorch, which nothing else does;
# among them those that hold the server against the training code.
test-models: build build/venv/bin/pytest
	SCARP_BINARY=$(CURDIR)/build/scarp build/venv/bin/python -m pytest -q models/tests

# PyTorch for the processor alone (200 MB) where its own index can be reached;
# else PyPI's, which brings CUDA's libraries (3 GB) and can't do without them.
PIP = build/venv/bin/pip --disable-pip-version-check --no-input
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
build/venv/bin/pytest: models/requirements.txt
	python3 -m venv build/venv
	@$(PIP) --retries 0 --timeout 10 install --quiet --no-compile --index-url $(TORCH_INDEX) $$(grep -E '^torch(vision)?==' $<) 2>/dev/null \
	  || echo "$(TORCH_INDEX) can't be reached: taking PyPI's PyTorch"
	$(PIP) install --quiet --no-compile -r $<
	@touch $@

bench: build
	build/scarp bench

clean:
	rm -rf build web/dist/assets web/dist/index.html web/node_modules
