"""Bytes and kernels of optimizer steps, from programs that the TPU and GPU compilers make ahead of time."""
