"""Writers: numbers of a step out of the process, into files and loggers, behind one protocol.

    with gc.writers.csv("run/metrics.csv") as writer:
        for step in range(steps):
            params, state, loss = train_step(params, state, batch)
            writer.write(step, gc.scalars(state, loss=loss))

`csv` and `jsonl` need no package; `tensorboard`, `wandb` and `mlflow` are extras of gradchain; `clu` takes a
writer that you made; `many` writes to several; `read` reads the files of the first two; `table` writes rows
without steps.
"""

from gradchain.writers.base import Writer
from gradchain.writers.files import csv, jsonl, table
from gradchain.writers.reading import read
from gradchain.writers.services import clu, mlflow, tensorboard, wandb
from gradchain.writers.several import many

__all__ = ["Writer", "clu", "csv", "jsonl", "many", "mlflow", "read", "table", "tensorboard", "wandb"]
