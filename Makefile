# Everything needs only make, a POSIX shell, node and npm. ARGS="…" is handed on to the command that a target starts.
.POSIX:
.SILENT:
.PHONY: build run test check format lint types floors dead generated patches tidy sim soak mutants e2e bench clean

SEED =
SEEDS =
SCENARIO =
KIND =
MINUTES = 5
ONLY =
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
check: format lint types floors dead generated patches tidy

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

patches: $(INSTALLED)
	echo 'check: patches of mutants'
	$(SCRIPT) check:mutants

tidy: $(INSTALLED)
	echo 'check: house rules'
	$(SCRIPT) test -- test/tidy

# One simulated run, of the consensus core (KIND=raft) or of a whole cluster: make sim SEED=7 KIND=raft, or SCENARIO=file.json.
# A failure is shrunk and written to replay/, with the line that replays it.
sim: $(INSTALLED)
	$(SCRIPT) sim -- $(SEED:%=--seed %) $(KIND:%=--kind %) $(SCENARIO:%=--scenario %) $(ARGS)

# Seed after seed, until MINUTES are over or something fails.
soak: $(INSTALLED)
	$(SCRIPT) soak -- --minutes $(MINUTES) $(SEED:%=--seed %) $(KIND:%=--kind %) $(ARGS)

# Breaks one rule after the other in a copy of src/ and sees that the simulator finds it: make mutants ONLY=B04 SEEDS=100
mutants: $(INSTALLED)
	$(SCRIPT) mutants -- $(ONLY:%=--only %) $(SEEDS:%=--seeds %) $(ARGS)

# Real processes and real Kafka clients; may install the clients with apt-get.
e2e: build
	$(SCRIPT) e2e -- $(ARGS)

bench: build
	$(SCRIPT) bench -- $(ARGS)

clean:
	rm -rf dist node_modules
