# The project's three commands are run, test and build. Each installs what it needs and says so.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Tests are cargo-nextest's where it is present, cargo's own otherwise; both mean the same tests.
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)
CARGO_TEST := $(if $(NEXTEST),cargo nextest run --no-fail-fast,cargo test)

# Tools that are installed where they are missed, by what they are called in the registry.
CARGO_FUZZ := 0.13.2
CARGO_DENY := 0.20.2

.PHONY: help
help: ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: run
run: build ## Build, and start the demo: a server with a lively fleet
	./target/release/shipboard demo

.PHONY: build
build: web ## Leave target/release/shipboard, with the web app inside
	cargo build --release --locked -p shipboard

.PHONY: test
test: lint test-rust test-web test-browser ## Pass every test

.PHONY: lint
lint: web ## Formatting, lints and types, of both languages
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	npm run --silent lint
	npm run --silent typecheck

.PHONY: test-rust
test-rust: web servers ## Tests of the core and the server
	$(CARGO_TEST) --workspace --locked

# How many at once: make fuzz FOR=60m JOBS=2
JOBS ?= 1
# For how long, from which seed on, and on which database: make soak FOR=10m SEED=7 DATABASE=postgres
FOR ?= 10m

.PHONY: soak
soak: web servers ## Let everything go wrong that may, for as long as FOR says
	ORACLE_FOR='$(FOR)' ORACLE_SEED='$(SEED)' ORACLE_DATABASE='$(DATABASE)' \
		cargo test --locked -p shipboard --lib -- --ignored --exact oracle::soak --nocapture

.PHONY: fuzz
fuzz: web ## Throw bytes at every parser, each for its share of FOR, JOBS at once
	@command -v cargo-fuzz >/dev/null || { \
		echo "make: installing cargo-fuzz $(CARGO_FUZZ)"; \
		cargo install --quiet --locked cargo-fuzz@$(CARGO_FUZZ); \
	}
	@command -v c++ >/dev/null || { \
		echo "make: the fuzzer is built with a C++ compiler: install Debian's package g++ (as root: apt-get install g++)"; \
		exit 1; \
	}
	fuzz/run '$(FOR)' '$(JOBS)'

# Of what the pages bring to the browser: permissive, and that of fonts.
define NPM_LICENCES
const { packages } = require("./package-lock.json");
const allowed = ["0BSD", "Apache-2.0", "ISC", "MIT", "OFL-1.1", "Unlicense"];
const shipped = Object.entries(packages).filter(([path, one]) => path.startsWith("node_modules/") && !one.dev && !one.link);
const found = shipped.filter(([, one]) => !allowed.includes(one.license));
for (const [path, one] of found) console.error(`make: the licence of $${path} is $${one.license}`);
if (found.length > 0) process.exit(1);
console.log(`make: the licences of $${shipped.length} npm packages are permissive`);
endef
export NPM_LICENCES

.PHONY: audit
audit: node_modules/.installed ## Licences, sources and known faults of all that is depended on
	@command -v cargo-deny >/dev/null || { \
		echo "make: installing cargo-deny $(CARGO_DENY)"; \
		cargo install --quiet --locked cargo-deny@$(CARGO_DENY); \
	}
	cargo deny --locked check licenses bans sources
	@if cargo deny fetch db 2>/dev/null; then \
		cargo deny --locked check --disable-fetch advisories; \
	else \
		echo "make: NOT CHECKED: known faults of crates, whose database cannot be reached from here"; \
	fi
	@node -e "$$NPM_LICENCES"
	@if report=$$(npm audit --json --audit-level=high 2>/dev/null); then \
		echo "make: no package is known to have a fault that is high"; \
	elif grep -q '"auditReportVersion"' <<<"$$report"; then \
		npm audit --audit-level=high; \
	else \
		echo "make: NOT CHECKED: known faults of npm packages, which this registry does not tell"; \
	fi

.PHONY: test-web
test-web: node_modules/.installed ## Tests of the client package and the web app
	npm run --silent test

.PHONY: test-browser
test-browser: web chromium servers ## Tests in a real browser, against the real server
	cargo build --locked -p shipboard
	npm run --silent e2e --workspace web

# Which figures; each alone: make bench FIGURES=hot-env
FIGURES ?= hot-env bus latency head-row sqlite refusals

.PHONY: bench
bench: build servers ## Measure what was built; bench/README.md says what and how
	cargo build --release --locked -p shipboard-bench
	@for figure in $(FIGURES); do \
		echo; echo "== $$figure"; ./target/release/shipboard-bench "$$figure"; \
	done

.PHONY: generate
generate: ## Write what is generated anew: the client's types and the shared vectors
	UPDATE_GENERATED=1 cargo test --locked -p shipboard-core

.PHONY: web
web: web/dist/index.html

web/dist/index.html: node_modules/.installed $(shell find web packages/client -type f \
		-not -path '*/node_modules/*' -not -path 'web/dist/*' -not -path 'web/e2e/*' 2>/dev/null)
	@echo "make: building the web app"
	npm run --silent build
	@touch $@

node_modules/.installed: package.json package-lock.json packages/client/package.json web/package.json
	@echo "make: installing npm packages by the lockfile"
	npm ci --no-fund --no-audit
	@touch $@

.PHONY: chromium
chromium:
	@if command -v chromium >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "make: the browser tests need Chromium: install Debian's package chromium (as root: apt-get install chromium)"; \
		exit 1; \
	fi; \
	echo "make: installing Chromium from Debian's packages"; \
	apt-get update -qq; \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null

# The tests start their own, so none that is installed here begins to serve. Debian keeps such programs where only
# root's PATH looks, and PostgreSQL's in no PATH at all.
.PHONY: servers
servers:
	@PATH="$$PATH:/usr/local/sbin:/usr/sbin"; missing=(); \
	for package in nats-server nginx caddy haproxy openssl; do \
		command -v "$$package" >/dev/null || missing+=("$$package"); \
	done; \
	command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql); \
	if [ "$${#missing[@]}" = 0 ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "make: the tests need servers to start: install Debian's packages $${missing[*]} (as root: apt-get install $${missing[*]})"; \
		exit 1; \
	fi; \
	echo "make: installing $${missing[*]} from Debian's packages"; \
	policy=/usr/sbin/policy-rc.d; \
	if [ ! -e "$$policy" ]; then \
		trap 'rm -f "$$policy"' EXIT; \
		printf '#!/bin/sh\nexit 101\n' >"$$policy"; chmod 755 "$$policy"; \
	fi; \
	apt-get update -qq; \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null
