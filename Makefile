# Everything a user needs: `make demo` repairs a YOLOv3, `make test` passes the tests.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test lint conformance fuzz ray clean

demo: $(STAMP)
	$(BIN)/python -m fixtures yolov3 --opset 11 -o demo/yolov3.onnx
	$(BIN)/onnxfix repair demo/yolov3.onnx

test: $(STAMP) lint
	$(BIN)/python -m pytest -n auto

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

conformance: $(STAMP)
	$(BIN)/python -m pytest -m conformance

ray: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[ray]'
	$(BIN)/python -m pytest -m ray

fuzz: $(STAMP)
	$(BIN)/python -m pytest -m fuzz

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[rtx,dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) demo build *.egg-info
