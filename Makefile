# Each target sets up what it needs. Paths are relative and quoted: the folder's name may hold a space.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build demo test lowest asan tsan fuzz soak coverage bench format lint docs notebook outputs wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

setup: ## system packages, .venv and the installed package, for developing
	@tools/setup.sh dev

build: setup ## compile what changed and install it into .venv

demo: ## load real bars, train a model, print a report
	@tools/setup.sh demo
	@# Ctrl-C ends the demo with status 130; make then ends as one interrupted, without a word of its own.
	@.venv/bin/ktrdr-core demo || { [ $$? -eq 130 ] && kill -INT $$PPID; }
	@echo 'What next: `source .venv/bin/activate`, and python and ktrdr-core of this terminal are those of the project (README.md).'

test: ## every check: tests in C++ and Python, floor plan, types, style, sanitizers
	@tools/setup.sh dev
	@tools/test.sh all

lowest: ## imports and HTTP with the lowest versions that pyproject.toml promises
	@tools/setup.sh dev
	@tools/test.sh lowest

asan: ## GoogleTest under AddressSanitizer and UndefinedBehaviorSanitizer, rooms without torch
	@tools/setup.sh dev
	@tools/test.sh asan

tsan: ## GoogleTest under ThreadSanitizer, rooms without torch
	@tools/setup.sh dev
	@tools/test.sh tsan

fuzz: ## the fuzzers, 15 s each (KTRDR_FUZZ_SECONDS)
	@tools/setup.sh dev
	@tools/test.sh fuzz

soak: ## the tests that repeat themselves, at their full counts
	@tools/setup.sh dev
	@tools/test.sh soak

coverage: ## lines and branches that the tests run, room by room
	@tools/setup.sh dev
	@tools/test.sh coverage

bench: ## run the benchmarks, print a Markdown table
	@tools/setup.sh dev
	@exec .venv/bin/python benchmarks/run.py

format: ## let black, ruff and clang-format rewrite the sources
	@tools/setup.sh dev
	@tools/test.sh format

lint: ## floor plan, types and style, without running any test
	@tools/setup.sh dev
	@tools/test.sh lint

docs: ## the pages and the reference as a site in build/docs; a broken link fails
	@tools/setup.sh dev
	@tools/test.sh docs

notebook: ## open the notebooks
	@tools/setup.sh dev
	@exec .venv/bin/jupyter lab notebooks

outputs: ## execute the notebooks and keep what they show
	@tools/setup.sh dev
	@.venv/bin/python tools/notebooks.py

wheel: ## one manylinux wheel in dist/
	@tools/setup.sh dev
	@tools/wheel.sh

clean: ## remove what was built; .venv stays
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache
