# The two commands a newcomer needs are `make demo` and `make test`; `make help` lists the rest.
.PHONY: help demo build install test conformance receivers faults fuzz bench kafka
.DEFAULT_GOAL := help
# Where cargo builds, which its own variable may say.
TARGET := $(or $(CARGO_TARGET_DIR),target)

help: ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

build: ## install what the system lacks, then build the vedette command
	@deploy/setup build
	@echo "==> building vedette (the first build takes some minutes; DataFusion is large)"
	@cargo build --locked -p cli

install: ## put an optimised vedette on your PATH (half an hour on two cores)
	@deploy/setup build
	@cargo install --locked --path cli

demo: build ## run the whole loop against a simulated tenant, from attack to containment
	@echo "==> running the demo: a simulated tenant, an attack, a contained account"
	@$(TARGET)/debug/vedette demo

test: ## pass every test: unit, contract, real Kafka, real readers of the lake
	@deploy/setup test
	@deploy/kafka/kafka fetch
	@deploy/readers/setup
	@deploy/receivers/setup
	@echo "==> cargo test (unit, contract and flow tests; a local Apache Kafka is started and stopped by them)"
	@cargo test --locked --workspace

conformance: ## public rules, vectors and records, from the folder CORPUS=DIR; prints what agrees
	@test -n "$(CORPUS)" || { echo 'conformance: name the folder of the corpora: make conformance CORPUS=DIR' >&2; exit 2; }
	@test -d "$(CORPUS)" || { echo 'conformance: there is no folder $(CORPUS)' >&2; exit 2; }
	@VEDETTE_CORPUS="$(abspath $(CORPUS))" cargo test --locked --workspace --test conformance -- --nocapture --test-threads=1

receivers: ## OpenSearch, an OpenTelemetry Collector, rsyslog over TLS and a mail server take what forward sends
	@deploy/setup test
	@deploy/receivers/setup programs
	@cargo test --locked -p forward --test real -- --nocapture

faults: ## kills, pauses, failing disks and lost replies at random moments; SEEDS=10 PROFILE=kill
	@deploy/setup test
	@deploy/kafka/kafka fetch
	@cargo build --locked -p cli
	@FAULT_SEEDS=$(or $(SEEDS),1) FAULT_PROFILE=$(PROFILE) cargo test --locked -p cli --test faults -- --nocapture --test-threads=1

fuzz: ## hostile rules and hostile events, made by a fuzzer; MINUTES=10 for each of the two
	@fuzz/run $(or $(MINUTES),10)

bench: ## measure against the rivals, in one run, as ratios of CPU time
	@benches/run

kafka: ## start a local Apache Kafka on port 9092 (stop it with deploy/kafka/kafka stop)
	@deploy/kafka/kafka start
