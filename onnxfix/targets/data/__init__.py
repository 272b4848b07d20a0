"""The fact base: YAML tables of what TensorRT releases and devices accept, every fact with its source.

devices.yaml: boards, GPUs, JetPack versions and compute capabilities.
releases.yaml: one entry for each TensorRT and TensorRT-RTX release.
operators.yaml: support, element types and limits of each ONNX operator, by release.
advice/: what users see beside that, a file for each room.
cuda_errors.yaml: the errors of CUDA.
programs.yaml: who says a message of which no cause is known.
parser_errors.yaml: what parser, builder and runtime say, and what it means.
"""
