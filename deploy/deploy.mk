# Targets of what is in deploy/, included by the Makefile.

# The name that `make image` gives the image, the simulator's being IMAGE-roomsim.
IMAGE  ?= tuilivekit_exporter
TAG    ?= $(VERSION)
ARCHES ?= amd64 arm64

CREATED ?= $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u +%Y-%m-%dT%H:%M:%SZ)

.PHONY: image
image: $(ARCHES:%=image-binaries-%) ## Build the images IMAGE:TAG and IMAGE-roomsim:TAG for ARCHES with docker, podman or buildah.
	VERSION='$(VERSION)' REVISION='$(REVISION)' CREATED='$(CREATED)' deploy/image/build.sh '$(IMAGE)' '$(TAG)' bin/image $(ARCHES)

image-binaries-%:
	mkdir -p bin/image/$*/data
	CGO_ENABLED=0 GOOS=linux GOARCH=$* go build -trimpath -buildvcs=false -ldflags '$(ldflags)' -o bin/image/$*/ ./cmd/tuilivekit_exporter ./cmd/roomsim

# What the manifests are proven against, built from deploy/kubernetes/test; some minutes, once.
KUBERNETES_VERSION := $(shell sed -n 's|^\tk8s.io/kubernetes \(v[0-9.]*\).*|\1|p' deploy/kubernetes/test/go.mod)
kubernetes := .tools/kubernetes@$(KUBERNETES_VERSION)-$(go_version)

.PHONY: kubernetes
kubernetes: $(kubernetes) ## Install kube-apiserver, kubectl and etcd into .tools/bin.

$(kubernetes):
	@mkdir -p $(TOOLS_BIN)
	cd deploy/kubernetes/test && CGO_ENABLED=0 go build -trimpath -o $(TOOLS_BIN)/ \
		-ldflags '-s -w -X k8s.io/component-base/version.gitVersion=$(KUBERNETES_VERSION)' \
		k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
	cd deploy/kubernetes/test && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(TOOLS_BIN)/etcd go.etcd.io/etcd/server/v3
	@rm -f .tools/kubernetes@* && touch $@

.PHONY: test-kubernetes
test-kubernetes: $(kubernetes) $(staticcheck) ## Test the manifests against a real kube-apiserver.
	cd deploy/kubernetes/test && go vet . && $(TOOLS_BIN)/staticcheck . && go test -count=1 -timeout 10m .

.PHONY: monitoring
monitoring: ## Make the PrometheusRules of deploy/kubernetes/monitoring from dashboards/.
	deploy/kubernetes/monitoring/generate.sh

.PHONY: deploy-tools
deploy-tools: # What the tests in deploy/ need of the system.
	@missing=(); \
	docker info >/dev/null 2>&1 || command -v podman >/dev/null || command -v buildah >/dev/null || missing+=(buildah); \
	command -v systemd-analyze >/dev/null || missing+=(systemd); \
	if [[ $${#missing[@]} == 0 ]]; then exit; fi; \
	if [[ $$(id -u) == 0 ]] && command -v apt-get >/dev/null; then \
		apt-get -q update && apt-get -qy install --no-install-recommends "$${missing[@]}"; \
	else \
		echo "The tests in deploy/ need $${missing[*]}: install it and try again." >&2; exit 1; \
	fi
