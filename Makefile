# Go's own installer puts it here, and a fresh shell does not know it yet.
export PATH := $(PATH):/usr/local/go/bin

# The packages whose tests dispatch shaders.
KERNELS := ./vk ./graph ./ops ./engine/... ./models
DEVICE := $(KERNELS) .
# What of the engine depends on how many invocations a subgroup has.
COMPUTES := Golden|Random|Blocks|Transformer
# The packages that several goroutines run in at a time.
SHARED := . ./server ./server/store ./engine/... ./graph ./vk ./checkpoint/... ./tokenizer ./chat ./grammar ./sample
# The commands that have goroutines of their own.
RUNNING := Interrupt|BrokenPipe|Batch|Serve|Chat|Pull
# LP_NATIVE_VECTOR_WIDTH and the driver are no input that go's test cache knows of: -count=1.
GOTEST := go test -count=1 -timeout 20m
# What mmrun version prints; nothing where this is no clone, or git distrusts it.
STAMP = -X main.commit=$(shell git rev-parse HEAD 2>/dev/null) -X main.date=$(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%d --format=%cd 2>/dev/null)
PROMPT ?= It was a bright morning, and

.PHONY: help demo test build dist test-dist test-deb pictures shaders lint test-quick test-validate test-widths test-drivers test-swiftshader test-race test-faults test-amd fuzz load test-node clean

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Install what is missing, build, generate text, and have the bundled model and its twin look for a hidden fact
	@tools/setup.sh
	@printf '\n%s\n' "$(PROMPT)"
	@bin/mmrun generate --prompt "$(PROMPT)" --max-tokens 300 --temp 0.7 --seed 1
	@printf '\nFive digits are hidden in a novel, and asked for at its end, with notes and without:\n\n'
	@bin/mmrun demo --quiet --html bin/demo.html

test: ## Install what is missing and run every test, every way
	@tools/setup.sh test
	@$(MAKE) --no-print-directory lint test-quick test-validate test-widths test-swiftshader test-race

# Google's driver of buckets has gRPC for what is not used here, which is a quarter of the program.
build: ## Build bin/mmrun
	@go build -buildvcs=false -tags disable_grpc_modules -ldflags '$(STAMP)' -o bin/mmrun ./cmd/mmrun

pictures: build ## Make the README's pictures anew (needs Chromium)
	@tools/pictures.sh

shaders: ## Rebuild shaders/spv (needs glslc and spirv-tools)
	@tools/glslc.sh

lint: ## gofmt and go vet
	@echo "== gofmt, go vet"
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "gofmt would change: $$files" >&2; exit 1; fi
	@go vet ./...

test-quick: ## Every test, once
	@echo "== every test"
	@$(GOTEST) ./...

test-validate: ## The device's tests under the Khronos validation layer
	@echo "== under the validation layer"
	@MMRUN_VALIDATE=1 $(GOTEST) $(DEVICE)

test-widths: build ## The kernels' and the engine's tests with lavapipe's other two subgroup sizes
	@if bin/mmrun devices >/dev/null && ! bin/mmrun devices --device llvmpipe >/dev/null 2>&1; then \
		echo "== only lavapipe has other subgroup sizes, and there are real devices here"; exit 0; \
	fi; \
	for width in 128 512; do \
		echo "== LP_NATIVE_VECTOR_WIDTH=$$width"; \
		export MMRUN_DEVICE=llvmpipe LP_NATIVE_VECTOR_WIDTH=$$width; \
		$(GOTEST) ./vk ./graph ./ops ./models && $(GOTEST) -run '$(COMPUTES)' ./engine || exit 1; \
	done

test-drivers: build ## The device's tests on every driver there is, and on other Debians' Mesas (fetches these; hours)
	@tools/drivers.sh

test-swiftshader: ## What differs on a second driver, SwiftShader, in a few minutes
	@tools/drivers.sh quick

test-race: ## The tests of what goroutines share, under the race detector
	@echo "== under the race detector"
	@$(GOTEST) -timeout 40m -race $(SHARED)
	@$(GOTEST) -timeout 40m -race -tags nobuckets -run '$(RUNNING)' ./cmd/mmrun # whose drivers take long to compile

test-node: ## OpenAI's own client for JavaScript against the server (needs Node, and fetches the client)
	@$(GOTEST) -tags node -run Node ./server

test-faults: ## Have every call of the driver fail, one at a time, in every way that Vulkan allows
	@echo "== faults of drivers"
	@MMRUN_FAULTS=all $(GOTEST) -timeout 2h -v -run 'TestFaults' ./cmd/mmrun

.PHONY: test-replicas
test-replicas: ## Two servers behind HAProxy with a Redis, one of which is killed in the middle of an answer
	@$(GOTEST) -v -run Replicas ./cmd/mmrun

test-amd: ## Compile every kernel for AMD's chips and compare with engine/testdata/amd (needs Mesa's RADV)
	@echo "== compiled for AMD's chips"
	@$(GOTEST) -tags amd -run AMD ./engine

# Every reader of what a stranger wrote, and how long each is fed.
FUZZ := ./checkpoint:FuzzIndex ./checkpoint/gguf:FuzzModel ./checkpoint/safetensors:FuzzParse \
	./checkpoint/pytorch:FuzzPickle ./checkpoint/pytorch:FuzzArchive \
	./tokenizer:FuzzParse ./tokenizer:FuzzModel ./tokenizer:FuzzPair ./tokenizer:FuzzVocab ./tokenizer:FuzzPattern ./tokenizer:FuzzDecode \
	./chat:FuzzTemplate ./grammar:FuzzGBNF ./grammar:FuzzSchema \
	./memmamba:FuzzConfig ./internal/config:FuzzPlain ./engine:FuzzGeneration ./vk:FuzzCache
FUZZTIME ?= 5m

fuzz: ## Feed every reader what is made at random, for FUZZTIME (5m) each
	@for target in $(FUZZ); do echo "== $$target"; \
		$(GOTEST) -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZTIME) -parallel 1 "$${target%:*}" || exit 1; done

load: build ## 32 clients for ten minutes, every answer compared, and a long conversation (LOAD has flags of tools/load)
	@go run ./tools/load $(LOAD)

dist: ## Packages for Debian, archives, bills of materials and checksums, for amd64 and arm64, in dist/
	@tools/dist.sh

test-dist: ## Make the packages twice, at different places and from nothing, and compare every byte
	@tools/test-dist.sh

test-deb: ## Install the package of dist/ in a fresh Debian, run the demo there, remove it (needs root and debootstrap)
	@tools/test-deb.sh

clean: ## Remove what was built
	@rm -rf bin dist
