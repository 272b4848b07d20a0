"""Devices by the names that people, `nvidia-smi` and shops have for them."""

from __future__ import annotations

import pytest

from onnxfix.errors import OnnxfixError
from onnxfix.targets import devices, resolve
from onnxfix.targets.overview import device


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("orin-nano", "jetson-orin-nano"),
        ("Orin Nano", "jetson-orin-nano"),
        ("Jetson Orin Nano Super Developer Kit", "jetson-orin-nano"),
        ("nano", "jetson-nano"),
        ("xavier-nx", "jetson-xavier-nx"),
        ("orin-agx", "jetson-agx-orin"),
        ("tx2", "jetson-tx2"),
        ("thor", "jetson-thor-t5000"),  # of the T4000 the fact base says the same
        ("dgx-spark", "dgx-spark-gb10"),
        ("rtx4090", "geforce-rtx-40"),
        ("RTX 4070 Ti SUPER", "geforce-rtx-40"),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", "geforce-rtx-30"),
        ("rtx_5090", "geforce-rtx-50"),
        ("rtx2080ti", "rtx-2080-ti"),
        ("gtx1080", "geforce-gtx-1080"),
        ("Tesla T4", "t4"),
        ("p100", "tesla-p100"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("v100-sxm2-16gb", "v100"),
    ],
)
def test_what_people_call_a_device(name: str, meant: str) -> None:
    target = resolve(name)
    assert target.device == meant
    assert resolve(target.name) == target


@pytest.mark.parametrize("name", ["rtx", "rtx1.7", "tensorrt_rtx 1.7", "trt-rtx-1.7"])
def test_a_release_is_no_device(name: str) -> None:
    assert (resolve(name).name, resolve(name).device) == ("rtx1.7", None)


@pytest.mark.parametrize(
    "name",
    ["orin", "xavier", "jetson", "agx", "blackwell", "tesla", "nvidia", "gpu", "80gb", "ti", "1080", "rtx2080",
     "gtx 1080 ti", "a10g", "gb200", "tx1", "rtx-6000", "4090"],
)  # fmt: skip
def test_what_means_several_or_none_is_no_guess(name: str) -> None:
    with pytest.raises(OnnxfixError, match="unknown target"):
        resolve(name)


def test_a_part_may_be_an_alias() -> None:
    assert resolve("orin-nano@jp6.2").name == "jetson-orin-nano@trt10.3"
    assert resolve("rtx4090@rtx").name == "geforce-rtx-40@rtx1.7"
    assert resolve("cc8.9").compute_capability == "89"


@pytest.mark.parametrize("name", sorted(devices()))
def test_the_newest_release_of_a_device_is_the_last_that_is_listed(name: str) -> None:
    target = resolve(name)
    own = [release for release in device(name).releases if release.startswith(target.track)]
    listed = f"{target.track}{target.release}"
    assert listed in own
    assert listed == own[-1] or not target.note.startswith("newest release")
