from __future__ import annotations

import pytest

from hubblewatch.doctor.result import Status, failed, has_failed, passed, skipped, told, warned


@pytest.mark.parametrize(
    ("words", "what", "remedy"),
    [
        ("it is broken; mend it; then try", "it is broken", "mend it; then try"),
        ("away (refused; last: x); check it", "away (refused; last: x)", "check it"),
        ("only this", "only this", ""),
        ("an open (one; more", "an open (one; more", ""),
    ],
)
def test_an_errors_words_are_what_and_what_to_do(words: str, what: str, remedy: str) -> None:
    result = told("check", ValueError(words))
    assert (result.status, result.detail, result.remedy) == (Status.FAIL, what, remedy)


def test_only_a_failure_fails_the_whole() -> None:
    fine = [passed("a", ""), warned("b", "", ""), skipped("c", "")]
    assert not has_failed(fine)
    assert has_failed([*fine, failed("d", "")])
