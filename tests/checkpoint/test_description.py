"""A description with the right checksums and a wrong content: an error in words, never another kind."""

import copy
import json
import random
import shutil

import jax.numpy as jnp
import pytest
from checkpoint_cases import random_like, says

import gradchain as gc
from gradchain.checkpoint.about import digest
from gradchain.checkpoint.files import BLANK, _summed

TX = gc.stored(gc.adamw(1e-3), "int8", min_size=0)
TRAINED = {"a": jnp.linspace(0, 1, 32).reshape(4, 8), "b": jnp.ones(5)}
STATE = random_like(TX.init(TRAINED))
DEEP = "[" * 100_000 + "]" * 100_000
VALUES = (
    *(None, True, -1, 0, 3, 2.5, 1 << 62, 1 << 80, 10**400, float("nan"), float("inf")),
    *("", "x", "float32", "int8", "float128", "object", "key<fry>", "threefry2x32", "\ud800"),
    *([], {}, [[]], [1, 2], [-1], ["x"], [1 << 40, 1 << 40]),
    *({"x": 1}, {"dtype": "float32"}, {"adamw": {}}, {"stored": {"tx": None}}, {"": ""}),
)


def header_of(data):
    n = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + n]), data[8 + n :]


def with_description(data, text, change=lambda header: None):
    """A file with another description, or another header, and all the checksums it needs."""
    header, rest = header_of(data)
    header["__metadata__"]["gradchain"] = json.dumps({"sum": digest(text.encode()), "about": text})
    header["__metadata__"]["gradchain_header"] = BLANK
    change(header)
    text = json.dumps(header).encode()
    return _summed(len(text).to_bytes(8, "little") + text) + rest


def description_of(data):
    return json.loads(json.loads(header_of(data)[0]["__metadata__"]["gradchain"])["about"])


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def mutated(description, chance):
    found = copy.deepcopy(description)
    path = chance.choice([p for p in places(found) if p])
    inside = found
    for key in path[:-1]:
        inside = inside[key]
    kind = chance.randrange(4)
    if kind == 0:
        del inside[path[-1]]
    elif kind == 1 and isinstance(inside, dict):
        inside[chance.choice(["", "x", "shape", "state/x", "params/a"])] = inside.pop(path[-1])
    else:
        inside[path[-1]] = copy.deepcopy(chance.choice(VALUES))
    text = json.dumps(found)
    if kind == 3 and chance.random() < 0.1:
        text = text.replace(json.dumps(inside[path[-1]]), DEEP, 1)
    return text


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("description") / "run"
    gc.save(path, TX, STATE, TRAINED, step=3, metadata={"x": [1]})
    return path.read_bytes()


def outcome(call):
    """Whether a load succeeded; any error must be a CheckpointError with words."""
    try:
        call()
    except gc.CheckpointError as error:
        assert len(str(error)) < 3000 and str(error).startswith(("load", "Checkpointer"))
        return False
    return True


def test_mutated_descriptions_of_a_file(data, tmp_path):
    chance, description, loaded = random.Random(0), description_of(data), 0
    path = tmp_path / "run"
    path.write_bytes(with_description(data, json.dumps(description)))
    assert outcome(lambda: gc.load(path, TX, TRAINED, strict=True))
    for _ in range(250):
        path.write_bytes(with_description(data, mutated(description, chance)))
        loaded += outcome(lambda: gc.load(path, TX, TRAINED))
    assert 5 < loaded < 150  # metadata and the like may be anything


def test_mutated_headers_of_a_file(data, tmp_path):
    chance, text = random.Random(1), json.dumps(description_of(data))
    path = tmp_path / "run"
    for _ in range(200):

        def change(header):
            other = json.loads(mutated(header, chance))
            header.clear()
            header.update(other if isinstance(other, dict) else {})

        try:
            whole = with_description(data, text, change)
        except (ValueError, RecursionError):  # no header of any kind
            continue
        path.write_bytes(whole)
        outcome(lambda: gc.load(path, TX, TRAINED))


def test_mutated_descriptions_in_a_folder(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    tx = gc.trace(0.9)
    with gc.Checkpointer(tmp_path / "runs", background=False) as checkpointer:
        checkpointer.save(1, tx, tx.init(TRAINED), TRAINED)
    file, chance = tmp_path / "runs" / "1" / "gradchain" / "metadata", random.Random(2)
    whole = file.read_text()
    description = json.loads(json.loads(json.loads(whole)["gradchain"])["about"])
    for _ in range(60):
        text = mutated(description, chance)
        about = json.dumps({"sum": digest(text.encode()), "about": text})
        file.write_text(json.dumps({"gradchain": about}))
        outcome(lambda: checkpointer.restore(tx, TRAINED))
    for text in (
        "3",
        "[]",
        "{}",
        '{"gradchain": 3}',
        '{"gradchain": "3"}',
        '{"gradchain": "{}"}',
        DEEP,
        "nul",
    ):
        file.write_text(text)
        with pytest.raises(gc.DamagedError):
            checkpointer.restore(tx, TRAINED)
    file.write_text(whole)
    assert checkpointer.restore(tx, TRAINED).step == 1
    shutil.rmtree(tmp_path / "runs")


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda d: d.pop("arrays"), "its field 'arrays' is null; expected arrays with dtype, shape and sum"),
        (lambda d: d.update(arrays=[]), "its field 'arrays' is []"),
        (lambda d: d.update(step="3"), "its field 'step' is \"3\"; expected an integer or null"),
        (lambda d: d.update(codecs={"x": 3}), "its field 'codecs' is"),
        (lambda d: d.update(config=3), "its field 'config' is 3; expected a table or null"),
        (lambda d: d.pop("format"), "written by another version"),
        (lambda d: d["arrays"]["params/a"].update(shape=[1 << 40, 1 << 40]), "its field 'arrays'"),
        (lambda d: d["arrays"]["params/a"].update(shape=[8, 5]), "described as float32[8, 5], and is"),
        (lambda d: d["arrays"]["params/a"].update(key="none"), "its description cannot be read"),
        (lambda d: d["arrays"]["params/a"].update(dtype="float32x"), "its field 'arrays'"),
    ],
)  # fmt: skip
def test_words(change, words, data, tmp_path):
    description = description_of(data)
    change(description)
    (tmp_path / "run").write_bytes(with_description(data, json.dumps(description)))
    with pytest.raises(gc.CheckpointError) as error:
        gc.load(tmp_path / "run", TX, TRAINED)
    says(error, "load: ", str(tmp_path / "run"), words)


def test_fields_of_a_later_version_are_let_through(data, tmp_path):
    description = description_of(data)
    description["colour"] = "green"
    description["arrays"]["params/a"]["taste"] = "sweet"
    (tmp_path / "run").write_bytes(with_description(data, json.dumps(description)))
    assert gc.load(tmp_path / "run", TX, TRAINED, strict=True).step == 3


def test_a_key_that_stands_twice_and_nesting(data, tmp_path):
    text = json.dumps(description_of(data))
    for other, words in (
        (text[:-1] + ', "step": 4}', "a key stands in it twice"),
        (text[:-1] + f', "x": {DEEP}}}', "nested too deep"),
        (text[:-1] + f', "step2": {"9" * 5000}}}', "cannot be read"),
        (DEEP, "nested too deep"),
    ):
        (tmp_path / "run").write_bytes(with_description(data, other))
        with pytest.raises(gc.DamagedError) as error:
            gc.load(tmp_path / "run", TX, TRAINED)
        says(error, words)
