"""Train the transformer of train_lm.py on a mesh of devices, in one process or many.

python examples/train_sharded.py --devices 8                              # ZeRO-1 over eight CPU devices
python examples/train_sharded.py --devices 8 --mesh data=4,model=2        # and each matrix on two of them
python examples/train_sharded.py --devices 8 --processes 2                # two processes of four devices each
python examples/train_sharded.py --distributed --out /shared/run         # on each host of a TPU slice
"""

from lm import stop

if __name__ == "__main__":
    stop.listen()  # before anything that takes time is imported

import sys
from pathlib import Path
from typing import Any

from lm import UserError, flags, mesh_flags, optimizers, processes, report, training
from lm import data as texts
from lm.files import take
from lm.model import ModelConfig
from lm.same import check_same, config_of
from lm.sharded import MeshFolder, Sharded, check_fit, make_mesh, split

PROGRAM = mesh_flags.TRAIN_SHARDED.name


def main(argv: list[str] | None = None) -> int:
    """Run the command line, here or in several processes; the exit code."""
    report.print_anything()
    with stop.listening(PROGRAM):
        try:
            given = mesh_flags.read(argv)
            if given.get("list_optimizers"):
                report.list_optimizers(optimizers.optimizers())
                return 0
            if (count := given.get("processes", 1)) > 1:
                return start(sys.argv[1:] if argv is None else argv, given, count)
            processes.join(given)
            code = run(given)
            processes.leave()
            return code
        except UserError as error:
            print(f"{PROGRAM}: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            print(f"{PROGRAM}: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
            return 1


def start(argv: list[str], given: dict[str, Any], count: int) -> int:
    """Run this program in several processes here, which share a folder."""
    out = given.get("out") or take(Path("runs"), "lm")
    code = processes.start(__file__, [*mesh_flags.without(argv, "processes", "out"), f"--out={out}"], count)
    if "out" not in given and not any(out.iterdir()):
        out.rmdir()  # nothing was begun
    return code


def run(given: dict[str, Any]) -> int:
    """Train from the beginning or from a checkpoint, then report."""
    folder = MeshFolder(given.get("out"))
    stored = folder.read_config() if given.get("resume") else {}
    args = mesh_flags.settle(given, stored.get("flags", {}))
    if not stored:
        folder.check_free(args.overwrite)
    sizes = ModelConfig(args.layers, args.width, args.heads)
    kept = stored and not given.keys() & flags.OPTIMIZER
    inner = optimizers.build(stored["optimizer"] if kept else optimizers.config(args))
    corpus = texts.load(args.text)
    corpus.check(args.batch, args.seq_len)
    config = config_of(args, sizes, inner, corpus, "seed", "batch", "seq_len")
    if stored:
        check_same(stored, config, folder.path, flags.remembered(given))
    mesh = make_mesh(args.mesh)
    check_fit(mesh, sizes, args.batch, args.microbatches)
    tx = split(inner, mesh, args.zero, args.offload)
    plan = training.Plan(args.steps, args.batch, args.seq_len, 1, args.seed, args.eval_every, args.skip)
    trained = Sharded(sizes, tx, mesh, plan, args.microbatches)
    stop.Words.standing = folder.standing
    if not stored:
        with stop.later():
            folder.start(config, args.overwrite)
    trained.feed(corpus, folder)
    if not stored:
        trained.begin()
    return train(trained, folder, trained.restore() if stored else 0, args)


def train(trained: Sharded, folder: MeshFolder, start: int, args) -> int:
    """Train, then show what came of it; the exit code."""
    plan, tx = trained.plan, trained.tx
    screen = report.Screen(plan.steps, start, args.quiet or not processes.first())
    screen.begin(trained.corpus, trained.abstract, tx, folder.path, start, table=False)
    screen.console.print(trained.about() + "\n", soft_wrap=True)
    if args.layout:
        report.print_lines(screen.console, trained.layout.table() + "\n")
    with folder, screen.progress:
        done = training.fit(trained, plan, folder, start, screen.show)
    judged = None if args.quiet else trained.whole()  # all processes bring their parts
    if not processes.first():
        return 0 if done == plan.steps else 130
    if done < plan.steps:
        print(f"stopped and saved after step {done:,} of {plan.steps:,}; to go on:")
        print(f"  --resume --out {folder.path}")
        return 130
    report.curves(folder.rows, folder.curves, repr(tx))
    if judged:
        screen.console.print(report.sample_panel(*training.generate(judged, trained.corpus, plan)))
        screen.console.print(report.summary(tx, trained.params, trained.state, folder.rows, plan))
    report.ends(folder, args.quiet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
