# Everything runs from .venv, which `make setup` fills; nothing is installed outside it and the user's cache folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types unit hil defects bench transport wheel clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY) ## set everything up in .venv (Python packages, Node, emulator, MicroPython image)
	@$(BIN)/wrench setup

demo: $(READY) ## watch a derated drill being saved; make demo REPLAY=FILE plays a recording of a real bearing
	@$(BIN)/wrench demo $(if $(REPLAY),--replay "$(REPLAY)") $(DEMO)

test: setup check ## every check and every test
	@$(BIN)/pytest -n $(JOBS) --dist worksteal $(PYTEST)

check: lint types ## lint and types

lint: $(READY) ## ruff: lint and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(READY) $(VENV)/types ## basedpyright: host code, and firmware against the MicroPython stubs
	@$(BIN)/basedpyright && $(BIN)/basedpyright -p firmware

# The checker finds an editable package by no other way, and MicroPython's `time` only before the standard library's.
$(VENV)/types: $(READY) $(wildcard firmware/typings/*.pyi)
	@mkdir -p $@/host $@/firmware
	@ln -sfn ../../../firmware $@/host/wrench_firmware && ln -sfn ../../../firmware $@/firmware/wrench_firmware
	@cp firmware/typings/*.pyi $(VENV)/lib/python3.*/site-packages/time.pyi $@/firmware/
	@touch $@

unit: $(READY) ## the tests that need no emulator
	@$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not emulator" host/tests $(PYTEST)

hil: setup ## the hardware-in-the-loop tests, on the virtual bench
	@$(BIN)/pytest -n $(JOBS) --dist worksteal hil_tests $(PYTEST)

defects: setup ## is each of the defects in hil_tests/defects caught by a test? half an hour and more
	@$(BIN)/python hil_tests/defects/check.py $(DEFECTS)

bench: setup ## measure against the targets; prints a table and writes build/bench.json
	@$(BIN)/python host/benchmarks/run.py $(BENCH)

transport: setup ## measure the two ways to the host (the table in firmware/README.md)
	@$(BIN)/python host/benchmarks/transport.py

wheel: $(READY) ## build the wheel, which carries the firmware
	@$(BIN)/pip -q wheel --no-deps -w build/wheel .

clean: ## remove .venv and build/; the cache stays
	rm -rf $(VENV) build

$(READY): pyproject.toml
	@$(PYTHON) host/venv.py $(VENV)
	@touch $@
