"""The language model example: the text it learns."""

import numpy as np
import pytest
from lm import UserError, data


def test_whole_files_are_held_out_always_the_same(text):
    corpus, again = data.load(str(text)), data.load(str(text))
    kept, held = corpus.files
    assert kept + held == 10 and held >= 1
    assert corpus.fingerprint == again.fingerprint
    texts = [(text / f"part{i}.py").read_bytes() for i in range(10)]
    found = [(t in corpus.train.tobytes(), t in corpus.validation.tobytes()) for t in texts]
    assert sorted(found) == [(False, True)] * held + [(True, False)] * kept


def test_of_one_file_the_end_is_held_out(tmp_path):
    file = tmp_path / "one.txt"
    file.write_bytes(bytes(range(200)))
    corpus = data.load(str(file))
    assert corpus.train.tobytes() + corpus.validation.tobytes() == file.read_bytes()
    assert len(corpus.validation) == 20


def test_a_batch_depends_on_seed_and_index_alone(text):
    corpus = data.load(str(text))
    batch = corpus.batch(0, 3, 4, 16)
    assert batch.shape == (4, 17)
    np.testing.assert_array_equal(batch, corpus.batch(0, 3, 4, 16))
    assert not np.array_equal(batch, corpus.batch(0, 4, 4, 16))
    assert not np.array_equal(batch, corpus.batch(1, 3, 4, 16))


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([b"\0\1", b"a\0", b""], "holds no text: 2 of its 3 files are binary"),
        ([b"", b""], "is empty: none of its 2 files"),
        ([], "holds no files"),
    ],
)
def test_a_folder_with_nothing_to_learn_says_why(contents, words, tmp_path):
    for i, content in enumerate(contents):
        (tmp_path / str(i)).write_bytes(content)
    with pytest.raises(UserError, match=words):
        data.load(str(tmp_path))


def test_without_a_path_the_standard_library_is_read():
    corpus = data.load(None)
    assert len(corpus.train) > 1e6
    assert 0.05 < len(corpus.validation) / len(corpus.train) < 0.15
    with pytest.raises(UserError, match="neither a file nor a folder"):
        data.load("/dev/null")
