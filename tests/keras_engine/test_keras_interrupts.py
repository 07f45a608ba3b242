"""Ctrl-C waits while Keras takes a step, or is imported."""

import signal
import sys

import pytest

from skreg._training.keras import loop as keras_loop


@pytest.fixture
def steps_taken(monkeypatch):
    """The steps that Keras has taken; Ctrl-C comes during each."""
    train_on_batch = keras_loop._Trainer.train_on_batch
    ended = []

    def signalled(*args, **kwargs):
        signal.raise_signal(signal.SIGINT)
        ended.append(train_on_batch(*args, **kwargs))
        return ended[-1]

    monkeypatch.setattr(keras_loop._Trainer, "train_on_batch", signalled)
    return ended


@pytest.mark.usefixtures("default_handler")
def test_an_interrupt_waits_for_the_end_of_a_step(mlp, iris, steps_taken):
    with pytest.raises(KeyboardInterrupt):
        mlp(engine="keras").fit(*iris)
    assert len(steps_taken) == 1


def test_a_handler_of_the_users_is_called_after_each_step(mlp, iris, steps_taken):
    calls = []
    before = signal.signal(signal.SIGINT, lambda *args: calls.append(args))
    try:
        mlp(engine="keras", batch_size=60, epochs=1).fit(*iris)
    finally:
        signal.signal(signal.SIGINT, before)
    assert [number for number, _ in calls] == [signal.SIGINT] * 2
    assert len(steps_taken) == 2


@pytest.mark.usefixtures("default_handler")
def test_an_interrupt_waits_until_keras_is_imported(mlp, iris, tmp_path, monkeypatch):
    est = mlp().fit(*iris)
    code = "import signal; signal.raise_signal(signal.SIGINT); imported = True"
    (tmp_path / "keras.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keras")
    with pytest.raises(KeyboardInterrupt):
        _ = est.model_
    assert sys.modules["keras"].imported
