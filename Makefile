# One door to every habit. Each target is a thin call of a script in bin/, which works without make as well.
.DEFAULT_GOAL := help
.PHONY: help run demo test lint bench soak e2e fix lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## a whole shop to try, on 127.0.0.1:8000
	@bin/run

demo: ## record a paid invoice and a top-up, print both fiscalized receipts, exit 0
	@bin/demo

test: ## the whole suite, on PostgreSQL as well wherever one is reachable
	@bin/test

lint: ## format, style, types, layers, migrations
	@bin/lint

bench: ## figures beside their floors, and bench/results.json
	@bin/bench

soak: ## MINUTES=30 of random faults on both databases; writes var/soak.json
	@MINUTES=$(or $(MINUTES),30) bin/soak

e2e: ## the browser tests alone; writes the screenshots of the documentation
	@bin/e2e

fix: ## let the linter put right what it can
	@bin/fix

lock: ## resolve the requirements anew into requirements/*.lock
	@bin/lock
