.DEFAULT_GOAL := help
.PHONY: help run build test test-mysql race bench fuzz lint clients clean

GO ?= go
ARGS ?=
FUZZTIME ?= 60s
TIMEOUT ?= 60m

# A module of its own, for its many requirements are not ours.
FERRETDB := internal/devstack/ferretdb

# The commit is stamped into the program where git tells it.
BUILDVCS := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo auto || echo false)

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## install what is missing, build, and run everything on this machine (ARGS="--data DIR --port-base N")
	@scripts/setup.sh run
	@$(MAKE) --no-print-directory build
	@exec bin/tenantsdb dev $(ARGS)

build: ## build bin/tenantsdb, and bin/tenantsdb-ferretdb that it runs for MongoDB
	$(GO) build -trimpath -buildvcs=$(BUILDVCS) -o bin/tenantsdb ./cmd/tenantsdb
	@[ -x bin/tenantsdb-ferretdb ] || echo "building the MongoDB server of the development installation, which takes a minute the first time"
	$(GO) build -C $(FERRETDB) -trimpath -buildvcs=false -o $(CURDIR)/bin/tenantsdb-ferretdb .

test: clients ## run all tests under the race detector, with real servers and clients, and count allocations without it
	$(GO) test -race -timeout $(TIMEOUT) ./...
	$(GO) test -run Allocate ./protocols/...

test-mysql: clients ## run the MySQL tests with MySQL in the place of MariaDB, set up in .build (by root, once)
	@scripts/setup.sh mysql
	@PATH="$$(scripts/mysql.sh):$$PATH" && export PATH && \
		$(GO) test -race -count 1 -timeout $(TIMEOUT) ./protocols/mysql ./internal/engine/mysql && \
		$(GO) test -race -count 1 -timeout $(TIMEOUT) -run MySQL ./internal/devstack ./test

race: clients ## run the tests of what is concurrent, five times each
	$(GO) test -race -timeout $(TIMEOUT) -count 5 ./certs ./proxy ./protocols/... ./internal/workspace

clients:
	@scripts/setup.sh test
	@if [ -f test/clients/package-lock.json ] && ! [ test/clients/node_modules/.package-lock.json -nt test/clients/package-lock.json ]; then \
		cd test/clients && npm ci --no-audit --no-fund; fi

bench: ## measure against direct connections, PgBouncer and HAProxy
	@scripts/setup.sh bench
	@$(MAKE) --no-print-directory build
	$(GO) run ./test/bench -program bin/tenantsdb $(ARGS)

fuzz: ## run each fuzz target for FUZZTIME
	@scripts/fuzz.sh $(FUZZTIME)

lint: ## check format, vet, staticcheck and the import table
	@scripts/setup.sh run
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './.*')); if [ -n "$$unformatted" ]; then echo "not as gofmt has it:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) vet -C $(FERRETDB) ./...
	$(GO) test ./internal/boundaries

clean: ## remove what was built
	rm -rf bin .build test/clients/node_modules
