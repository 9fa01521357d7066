"""Where state lives: layouts, ZeRO, meshes, microbatches, host memory."""
