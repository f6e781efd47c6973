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

.PHONY: build demo test test-short test-models bench clean dependencies test-dependencies

build: $(ORT) $(WEB)
	go build -trimpath -buildvcs=false -ldflags "-X scarp/server/cli.version=$(VERSION)" -o build/scarp .

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

$(WEB): web/node_modules/.package-lock.json web/index.html web/tsconfig.json web/vite.config.ts $(wildcard web/src/* web/public/*)
	npm --prefix web run --silent build
	@touch $@

# Real parts: PostGIS, GDAL, ONNX Runtime, a browser and OGC clients. A part
# that is absent fails the tests instead of skipping them.
TEST_ENVIRONMENT = SCARP_ONNXRUNTIME=$(CURDIR)/$(ORT) SCARP_REQUIRE_ONNXRUNTIME=1 SCARP_REQUIRE_POSTGIS=1 SCARP_REQUIRE_CLIENTS=1

test: test-dependencies build
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt wants to change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	$(TEST_ENVIRONMENT) go test -race -timeout 30m ./...

# Without the race detector and without the parts that take long.
test-short: build
	$(TEST_ENVIRONMENT) go test -short ./...

# The networks' own tests need Python and PyTorch, which nothing else does.
test-models: build/venv/bin/pytest
	build/venv/bin/python -m pytest -q models/tests

build/venv/bin/pytest: models/requirements.txt
	python3 -m venv build/venv
	build/venv/bin/pip install --quiet -r models/requirements.txt
	@touch $@

bench: build
	build/scarp bench

clean:
	rm -rf build web/dist/assets web/dist/index.html web/node_modules
