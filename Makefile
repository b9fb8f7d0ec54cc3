# make demo    the real job on real data, in under a minute; MODE=incremental and others
# make kafka   Apache Kafka at localhost:9092, to try things with; PORT=... TOPICS="a b"
# make test    all tests; starts a real Kafka if Java and Maven are here
# make browser   install Chromium, which the tests look at pages with (Debian, as root)
# make test-faults   of these, the faults: jobs killed, brokers and back-ends away
# make check   format, lint, types, the Dockerfile
# make sbom    what the image is made of, as CycloneDX, in build/
# make docs    the pages of docs/ as a site, in build/docs; strict about links
# make bench   measure reading and training beside others: BENCH="--only raw --rounds 5"
# make fuzz    a long look at decoders with bytes that nobody meant for them
# make lock    renew the hashed lock files

PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell $(p) -c 'import sys; print(sys.executable)' 2>/dev/null)))
PYTHON39 ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.9.*/bin/python) $(shell command -v python3.9))
PYTHON311 ?= $(shell python3.11 -c 'import sys; print(sys.executable)' 2>/dev/null)
MODE ?= classic
FORMAT ?= raw
BENCH ?=
EXAMPLES ?= 20000
TESTS ?= tests
PORT ?= 9092
TOPICS ?= digits control
PROCESSES ?= 2
PIP = .venv/bin/python -m pip --disable-pip-version-check
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header
IMAGE = --extra send --extra mlflow --extra otel
KUSTOMIZE = v5.8.2
SBOM ?= build

.PHONY: demo kafka test test-faults check setup browser oracles sbom docs bench fuzz lock clean

demo: setup
	.venv/bin/streamfit demo --mode $(MODE) --format $(FORMAT)

# With Java and Maven, which fetches it; it is the tests' broker, and forgets everything.
kafka: setup
	@.venv/bin/python -m tests.broker --port $(PORT) $(TOPICS)

test: setup
	.venv/bin/python -m pytest -n $(PROCESSES) --dist loadfile $(TESTS)

test-faults: setup
	.venv/bin/python -m pytest -n $(PROCESSES) --dist loadfile tests/faults

check: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/hadolint Dockerfile

setup: .venv/installed

.venv/installed: requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# From the system's own packages: they bring the libraries that it needs.
browser:
	command -v chromium >/dev/null || { \
		apt-get update --quiet && \
		apt-get install --quiet --yes --no-install-recommends chromium; }

# TensorFlow 2.7 is the platform's own: the tests ask it whether our results load there.
oracles: .oracles/tensorflow-2.7/installed .oracles/mlflow/installed \
	.oracles/pushgateway/installed \
	.oracles/kustomize/$(KUSTOMIZE)/kustomize

.oracles/tensorflow-2.7/installed: requirements/oracle-tensorflow-2.7.txt
	@test -n "$(PYTHON39)" || { echo "TensorFlow 2.7 needs Python 3.9"; exit 1; }
	$(PYTHON39) -m venv .oracles/tensorflow-2.7
	.oracles/tensorflow-2.7/bin/python -m pip --disable-pip-version-check install \
		--quiet --require-hashes -r $<
	touch $@

# A real tracking server: the tests ask it what it was told.
.oracles/mlflow/installed: requirements/oracle-mlflow.txt
	@test -n "$(PYTHON311)" || { echo "MLflow is tested with Python 3.11"; exit 1; }
	$(PYTHON311) -m venv .oracles/mlflow
	.oracles/mlflow/bin/python -m pip --disable-pip-version-check install \
		--quiet --require-hashes -r $<
	touch $@

# Where jobs that have ended leave their metrics: Debian's package, unpacked alone.
.oracles/pushgateway/installed:
	rm -rf $(@D) && mkdir -p $(@D)
	cd $(@D) && { apt-get download --quiet prometheus-pushgateway || { \
		apt-get update --quiet && apt-get download --quiet prometheus-pushgateway; }; }
	dpkg-deb --extract $(@D)/prometheus-pushgateway_*.deb $(@D)
	touch $@

# What makes manifests of deploy/; kubectl has one built in.
.oracles/kustomize/$(KUSTOMIZE)/kustomize:
	@command -v go >/dev/null || { echo "Kustomize is built with Go"; exit 1; }
	GOBIN=$(abspath $(@D)) CGO_ENABLED=0 \
		go install sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE)

sbom: setup
	mkdir -p $(SBOM)
	.venv/bin/cyclonedx-py requirements --pyproject pyproject.toml \
		--output-reproducible --output-file $(SBOM)/sbom-cpu.cdx.json requirements/cpu.txt
	.venv/bin/cyclonedx-py requirements --pyproject pyproject.toml \
		--output-reproducible --output-file $(SBOM)/sbom-gpu.cdx.json requirements/gpu.txt

docs: setup
	.venv/bin/python -m docs.reference
	.venv/bin/python -m docs.site build/pages
	cp docs/zensical.toml build/zensical.toml
	.venv/bin/zensical build --strict --clean --config-file build/zensical.toml

bench: setup .oracles/peers/installed
	.venv/bin/python -m benchmarks $(BENCH)

# tensorflow-io is the platform's own reader; it ended at TensorFlow 2.12.
.oracles/peers/installed: requirements/peers.txt
	@test -n "$(PYTHON311)" || { echo "tensorflow-io needs Python 3.11 or older"; exit 1; }
	$(PYTHON311) -m venv .oracles/peers
	.oracles/peers/bin/python -m pip --disable-pip-version-check install \
		--quiet --require-hashes -r $<
	touch $@

fuzz: setup
	FUZZ_EXAMPLES=$(EXAMPLES) .venv/bin/python -m pytest --timeout 0 tests/fuzz

lock:
	$(LOCK) pyproject.toml $(IMAGE) --extra demo --group dev -o requirements/dev.txt
	$(LOCK) pyproject.toml $(IMAGE) -c requirements/dev.txt -o requirements/cpu.txt
	$(LOCK) pyproject.toml $(IMAGE) -c requirements/dev.txt --extra gpu -o requirements/gpu.txt
	$(LOCK) --group build -c requirements/dev.txt -o requirements/build.txt
	$(LOCK) requirements/sbom.in -c requirements/dev.txt -o requirements/sbom.txt
	$(LOCK) requirements/oracle-mlflow.in -o requirements/oracle-mlflow.txt
	$(filter-out --universal,$(LOCK)) requirements/peers.in -o requirements/peers.txt

clean:
	rm -rf .venv .oracles .cache build dist
