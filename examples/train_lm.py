"""Train a byte-level transformer on Python's own source code, with any optimizer of gradchain.

python examples/train_lm.py                                   # AdamW, about two minutes on two CPU cores
python examples/train_lm.py --optimizer sgd --ema 0.98        # another optimizer, averaged parameters
python examples/train_lm.py --resume --out runs/lm-1          # go on after Ctrl-C, bit for bit
"""

from lm import stop

if __name__ == "__main__":
    stop.listen()  # before anything that takes time is imported

import sys
from typing import Any

from flax import nnx
from lm import UserError, data, flags, optimizers, report, training
from lm.checkpoint import RunFolder
from lm.model import ModelConfig, Transformer
from lm.same import check_same, config_of


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    report.print_anything()
    with stop.listening(flags.PROGRAM):
        try:
            given = flags.parse(argv)
            if given.get("list_optimizers"):
                return list_optimizers()
            return run(given)
        except UserError as error:
            print(f"{flags.PROGRAM}: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            print(f"{flags.PROGRAM}: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
            return 1


def run(given: dict[str, Any]) -> int:
    """Train from the beginning or from a checkpoint, then report."""
    folder = RunFolder(given.get("out"))
    stored = folder.read_config() if given.get("resume") else {}
    args = flags.complete(given, stored.get("flags", {}))
    if not stored:
        folder.check_free(args.overwrite)
    sizes = ModelConfig(args.layers, args.width, args.heads)
    kept = stored and not given.keys() & flags.OPTIMIZER
    tx = optimizers.build(stored["optimizer"] if kept else optimizers.config(args))
    corpus = data.load(args.text)
    corpus.check(args.batch, args.seq_len)
    config = config_of(args, sizes, tx, corpus, "seed", "batch", "seq_len", "accumulate")
    if stored:
        check_same(stored, config, folder.path, flags.remembered(given))
    model = Transformer(sizes, nnx.Rngs(args.seed))
    optimizer = optimizers.attach(model, tx)
    plan = training.Plan(
        args.steps, args.batch, args.seq_len, args.accumulate, args.seed, args.eval_every, args.skip
    )
    trained = training.OneDevice(model, optimizer, corpus, plan, folder)
    stop.Words.standing = folder.standing
    if not stored:
        with stop.later():
            folder.start(config, args.overwrite)
    return train(trained, folder, trained.restore() if stored else 0, args)


def train(trained: training.OneDevice, folder: RunFolder, start: int, args) -> int:
    """Train, then show what came of it; the exit code."""
    model, optimizer, corpus, plan = trained.model, trained.optimizer, trained.corpus, trained.plan
    screen = report.Screen(plan.steps, start, args.quiet)
    params = nnx.state(model, nnx.Param)
    screen.begin(corpus, params, optimizer.tx, folder.path, start)
    with folder, screen.progress:
        done = training.fit(trained, plan, folder, start, screen.show)
    if done < plan.steps:
        print(f"stopped and saved after step {done:,} of {plan.steps:,}; go on with")
        print(f"  {flags.again(folder.path)}")
        return 130
    report.curves(folder.rows, folder.curves, repr(optimizer.tx))
    if not args.quiet:
        judged = training.eval_model(model, optimizer)
        screen.console.print(report.sample_panel(*training.generate(judged, corpus, plan)))
        params, state = nnx.state(model, nnx.Param), nnx.state(optimizer)["opt_state"]
        screen.console.print(report.summary(optimizer.tx, params, state, folder.rows, plan))
    report.ends(folder, args.quiet)
    return 0


def list_optimizers() -> int:
    """Print the optimizers that go by name, each with a line and its source."""
    report.list_optimizers(optimizers.optimizers())
    return 0


if __name__ == "__main__":
    sys.exit(main())
