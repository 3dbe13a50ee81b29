# Two commands for newcomers: `make demo` and `make test`. Both make .venv when it is not there.

VENV := .venv
READY := $(VENV)/.installed
BIN := $(VENV)/bin

.PHONY: demo test test-all fuzz faults mutants lint clean-venv

demo: $(READY)
	$(BIN)/snakemake --cores all results/SynthGait/GaitSet/report.csv
	@$(BIN)/gait show results/SynthGait/GaitSet/report.csv

# One process per core; what torch computes in them has no core to spare.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not slurm and not gpu"

test-all: $(READY)
	$(BIN)/pytest -m "not slurm and not gpu"

# Spoilt files for every reader, half an hour or so; those that show a fault are kept in logs/fuzz.
fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz.bench --cases 100000 --save logs/fuzz

# Every rule ended at random moments, disks full and read-only, flipped bits: an hour or so, as root.
faults: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults.bench

# Small changes that tests should notice, an hour or so; those that none does are for reading.
mutants: $(READY)
	$(BIN)/python -m tests.mutants.bench --count 300 --save logs/mutants/survivors.txt

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check workflow
	$(BIN)/snakemake --lint

# Debian's Python may come without ensurepip; its pip can then install into the environment.
$(READY): pyproject.toml constraints.txt
	python3 -m venv $(VENV) || python3 -m venv --without-pip $(VENV)
	python3 -m pip --python $(BIN)/python install --quiet --constraint constraints.txt \
		--editable '.[onnx,slurm,test]'
	@touch $@

clean-venv:
	rm -rf $(VENV)
