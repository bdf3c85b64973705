SHELL         := bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help

# What the tests compare with, pinned. A new version here is installed by the next run.
PROMETHEUS_VERSION  := v0.316.0
STATICCHECK_VERSION := v0.8.2
TELEGRAF_VERSION    := v1.37.2

FUZZTIME ?= 1m
# The addresses of `make run`.
WEBHOOK_ADDRESS ?= 127.0.0.1:8080
WEB_ADDRESS     ?= 127.0.0.1:10880

# What a binary says of itself. Sources without git have no history: they are "unknown", built now.
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REVISION   ?= $(shell git rev-parse --verify -q HEAD 2>/dev/null || echo unknown)
BRANCH     ?= $(shell git symbolic-ref -q --short HEAD 2>/dev/null || echo unknown)
BUILD_DATE ?= $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y%m%d-%H:%M:%S 2>/dev/null || date -u +%Y%m%d-%H:%M:%S)

version := github.com/prometheus/common/version
ldflags  = -s -w -X $(version).Version=$(VERSION) -X $(version).Revision=$(REVISION) \
           -X $(version).Branch=$(BRANCH) -X $(version).BuildDate=$(BUILD_DATE)

# Tools are installed once for each version of theirs and of Go: a stamp's name holds both.
export TOOLS_BIN := $(CURDIR)/.tools/bin
go_version := $(shell go env GOVERSION)
prometheus := .tools/prometheus@$(PROMETHEUS_VERSION)-$(go_version)
staticcheck := .tools/staticcheck@$(STATICCHECK_VERSION)-$(go_version)
telegraf := .tools/telegraf@$(TELEGRAF_VERSION)-$(go_version)

.PHONY: help
help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Run the exporter with simulated rooms until Ctrl-C.
	@deploy/run.sh $(WEBHOOK_ADDRESS) $(WEB_ADDRESS)

.PHONY: run-sidecar
run-sidecar: build ## Run the exporter in front of a demo app, with simulated webhooks until Ctrl-C.
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -o bin/demo ./deploy/demo
	@deploy/run.sh $(WEBHOOK_ADDRESS) $(WEB_ADDRESS) deploy/sidecar.yml

.PHONY: build
build: ## Build static binaries of the exporter and the simulator into bin/.
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(ldflags)' -o bin/ ./cmd/tuilivekit_exporter ./cmd/roomsim

.PHONY: test
test: cgo nginx deploy-tools lint $(prometheus) ## Test everything: lint, tests with the race detector, a real Prometheus and a real kube-apiserver, fuzzing for some seconds.
	CGO_ENABLED=1 go test -race -timeout 25m ./...
	@$(MAKE) --no-print-directory test-kubernetes
	@# A count: with Go before 1.27 the end of a time can be a false alarm (go.dev/issue/75804).
	@$(MAKE) --no-print-directory fuzz FUZZTIME=10000x

.PHONY: cgo
cgo: # The race detector is C.
	@command -v "$$(go env CC | cut -d' ' -f1)" >/dev/null && exit; \
	if [[ $$(id -u) == 0 ]] && command -v apt-get >/dev/null; then \
		apt-get -q update && apt-get -qy install gcc libc6-dev; \
	else \
		echo 'The race detector needs a C compiler: install gcc (Debian: apt-get install gcc) and try again.' >&2; exit 1; \
	fi

.PHONY: nginx
nginx: # The relay is compared with it.
	@export PATH="$$PATH:/usr/sbin:/usr/local/sbin"; command -v nginx >/dev/null && exit; \
	if [[ $$(id -u) == 0 ]] && command -v apt-get >/dev/null; then \
		apt-get -q update && apt-get -qy install nginx-light; \
	else \
		echo 'The relay is compared with nginx: install it (Debian: apt-get install nginx-light) and try again.' >&2; exit 1; \
	fi

.PHONY: lint
lint: $(staticcheck) ## Check formatting, go vet, staticcheck and the modules.
	@unformatted="$$(gofmt -l .)"; [[ -z $$unformatted ]] || { printf 'not formatted by gofmt:\n%s\n' "$$unformatted" >&2; exit 1; }
	go vet ./...
	$(TOOLS_BIN)/staticcheck ./...
	go mod verify
	go mod tidy -diff

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME, such as `make fuzz FUZZTIME=5m`.
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' cmd exporter | while IFS=: read -r file func; do \
		echo "$$(dirname "$$file"): $${func#func } for $(FUZZTIME)"; \
		go test -run '^$$' -fuzz "^$${func#func }$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" || exit 1; \
	done

.PHONY: bench
bench: ## Run the benchmarks, with allocations.
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-peers
bench-peers: build $(telegraf) ## Measure the exporter beside a bare handler and Telegraf, some four minutes.
	go build -trimpath -buildvcs=false -o bin/ ./cmd/benchpeers
	bin/benchpeers --exporter=bin/tuilivekit_exporter --telegraf=$(TOOLS_BIN)/telegraf --directory=bin

.PHONY: dashboards
dashboards: $(prometheus) ## Check the dashboards, rules and alerts, with every query run on a real Prometheus.
	go test -count=1 ./dashboards

.PHONY: bench-relay
bench-relay: build nginx ## Compare the relay with a bare ReverseProxy and nginx under the same load.
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" go run ./exporter/relay/bench

.PHONY: tools
tools: $(prometheus) $(staticcheck) ## Install Prometheus, promtool and staticcheck into .tools/bin.

$(prometheus):
	GOBIN=$(TOOLS_BIN) go install -tags netgo,remove_all_sd,enable_kubernetes_sd \
		github.com/prometheus/prometheus/cmd/prometheus@$(PROMETHEUS_VERSION) \
		github.com/prometheus/prometheus/cmd/promtool@$(PROMETHEUS_VERSION)
	@rm -f .tools/prometheus@* && touch $@

$(staticcheck):
	GOBIN=$(TOOLS_BIN) go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@rm -f .tools/staticcheck@* && touch $@

$(telegraf):
	CGO_ENABLED=0 GOBIN=$(TOOLS_BIN) go install -trimpath -ldflags '-s -w' \
		-tags custom,inputs.http_listener_v2,outputs.prometheus_client,parsers.json_v2,aggregators.histogram \
		github.com/influxdata/telegraf/cmd/telegraf@$(TELEGRAF_VERSION)
	@rm -f .tools/telegraf@* && touch $@

include deploy/deploy.mk

.PHONY: clean
clean: ## Remove what was built, the tools and the data of `make run`.
	rm -rf bin data .tools
