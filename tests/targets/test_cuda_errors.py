"""The errors of CUDA: every number, name and text is told, by the entry for its kind."""

from __future__ import annotations

import pytest

from onnxfix.targets import advise
from onnxfix.targets.cuda import CudaError, cuda_error, cuda_errors

ERRORS = cuda_errors()


def test_each_number_once() -> None:
    codes = [error.code for error in ERRORS]
    assert codes == sorted(set(codes)) and len(codes) > 130


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error.code))
def test_number_and_names_are_explained(error: CudaError) -> None:
    for said in filter(None, (error.runtime, error.driver, f"CUDA error: {error.code}")):
        assert cuda_error(said) == error
        (*_, last) = (found := advise(f"before\n{said}\nbehind"))
        assert any(error.sentence in advice.do for advice in found), (said, last.id)


@pytest.mark.parametrize(
    "said",
    [
        "[E] 1: [x.cpp::y::42] Error Code 1: Cuda Runtime (invalid argument)",
        "../rtSafe/cuda/genericReformat.cu (1262) - Cuda Error in executeMemcpy: 1 (invalid argument)",
        'CUDA error at x.cu:131 code=1(cudaErrorInvalidValue) "cudaMemcpyAsync"',
    ],
)
def test_the_forms_that_programs_write(said: str) -> None:
    (advice,) = advise(said)
    assert advice.id == "cuda-argument" and advice.do[0].startswith("CUDA error 1, cudaErrorInvalidValue: ")


@pytest.mark.parametrize(
    "said", ["Error Code 3: x", "custom error: invalid argument", "error 35 of 100", "unknown error"]
)
def test_numbers_and_texts_of_others_are_not_cudas(said: str) -> None:
    assert not [advice.id for advice in advise(said) if advice.id.startswith("cuda")]
