# Guard Proxy. `make` lists the targets.
SHELL := /bin/bash
TARGET := $(or $(CARGO_TARGET_DIR),target)
.DEFAULT_GOAL := help
.PHONY: help demo test test-crs fuzz build dev panel lint fmt docs sqlx bench floor clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Install what is missing, build, and run everything here to try it out (ARGS="--http-port 9000")
	scripts/setup
	scripts/build demo
	GUARD_SPOA=$(CURDIR)/bin/guard-spoa $(TARGET)/demo/guard-proxy demo $(ARGS)

build: ## Build guard-proxy (release) and guard-spoa
	scripts/build release

dev: ## Build as for tests, and run the demo with it
	scripts/build dev
	GUARD_SPOA=$(CURDIR)/bin/guard-spoa $(TARGET)/debug/guard-proxy demo $(ARGS)

panel: ## Run the admin panel from its sources, against a server that runs (GUARD_PROXY_API=http://127.0.0.1:8080)
	scripts/setup
	cd frontend && npm run dev

test: ## Run all tests, with a throw-away PostgreSQL and the real engines
	scripts/test

test-crs: ## Run the Core Rule Set's regression tests through HAProxy and guard-spoa (TESTS="942100 920")
	scripts/test-crs $(TESTS)

fuzz: ## Send mutated attacks until one passes uninspected (SECONDS=600, SEED=: where to begin; a failure prints its own)
	scripts/fuzz $(or $(SECONDS),600) $(SEED)

lint: ## Check formatting, lints, licences and unused dependencies
	scripts/lint

fmt: ## Format Rust, Go and TypeScript
	cargo fmt
	cd frontend && npm run fix
	cd spoa && gofmt -w .

docs: ## Write what is generated: settings, problems, OpenAPI document, JSON Schema of policies as code, table of fail modes
	UPDATE=1 SQLX_OFFLINE=true cargo test --lib -- config::docs api::tests::document::what_is_committed cli::tree::tests::the_schema domain::permission
	UPDATE=1 SQLX_OFFLINE=true cargo test --test it -- the_document_has_this_table

sqlx: ## Write .sqlx/, from which queries are checked where there is no database
	. scripts/lib.sh; trap stop_postgres EXIT; start_postgres; scripts/sqlx-prepare.sh

bench: ## Measure; prints numbers, judges none
	scripts/bench

floor: ## Measure against the floor that the requirements set
	scripts/floor

clean: ## Remove what was built; the demo's state stays
	rm -rf bin target frontend/dist
