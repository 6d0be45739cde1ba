# Everything needs only make, a POSIX shell, node and npm. ARGS="…" is handed on to the command that a target starts.
.POSIX:
.SILENT:
.PHONY: build run test check format lint types floors dead generated tidy sim e2e bench clean

SEED = 1
SCENARIO =
ARGS =

INSTALLED = node_modules/.package-lock.json
SCRIPT = npm run --silent

# Installs what package-lock.json names and compiles src/ into dist/.
build: $(INSTALLED)
	$(SCRIPT) build
	chmod +x dist/cli/kvorum.cjs

$(INSTALLED): package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	touch $(INSTALLED)

# Three controllers and three brokers in one process; what they store stays in data/.
run: build
	node dist/cli/kvorum.cjs dev --data-dir data $(ARGS)

# Every test that needs nothing but npm packages.
test: $(INSTALLED)
	$(SCRIPT) test -- $(ARGS)

# What a change must pass besides the tests. `make -k check` goes on after the first complaint.
check: format lint types floors dead generated tidy

format: $(INSTALLED)
	echo 'check: format'
	$(SCRIPT) check:format

lint: $(INSTALLED)
	echo 'check: lint'
	$(SCRIPT) check:lint

types: $(INSTALLED)
	echo 'check: types'
	$(SCRIPT) check:types

floors: $(INSTALLED)
	echo 'check: floors'
	$(SCRIPT) check:floors

dead: $(INSTALLED)
	echo 'check: dead code'
	$(SCRIPT) check:dead

generated: $(INSTALLED)
	echo 'check: generated code'
	$(SCRIPT) check:generated

tidy: $(INSTALLED)
	echo 'check: house rules'
	$(SCRIPT) test -- test/tidy

# One simulated run: make sim SEED=7 SCENARIO=file.json
sim: $(INSTALLED)
	$(SCRIPT) sim -- --seed $(SEED) $(SCENARIO:%=--scenario %) $(ARGS)

# Real processes and real Kafka clients; may install the clients with apt-get.
e2e: build
	$(SCRIPT) e2e -- $(ARGS)

bench: build
	$(SCRIPT) bench -- $(ARGS)

clean:
	rm -rf dist node_modules
