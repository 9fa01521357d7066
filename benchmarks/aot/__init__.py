"""Bytes and kernels of optimizer steps, from programs that the TPU and GPU compilers make ahead of time."""

from gradchain.aot.targets import topology

TARGETS = {"tpu": topology("v5e:2x4"), "h100": topology("h100:1x1")}  # one chip of each is compiled for
