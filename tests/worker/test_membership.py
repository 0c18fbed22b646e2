"""Under which name a worker joins its group."""

from __future__ import annotations

from hubblewatch.worker.membership import instance_name

IN_KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


def test_the_configured_name_is_taken_as_it_is():
    assert instance_name("worker-a", {}, "some-host") == "worker-a"


def test_a_pod_of_a_stateful_set_keeps_its_name():
    assert instance_name(None, IN_KUBERNETES, "hubblewatch-worker-2") == "hubblewatch-worker-2"


def test_a_pod_whose_name_ends_with_it_has_none():
    assert instance_name(None, IN_KUBERNETES, "hubblewatch-7d9f8c6b5-x2x7z") is None


def test_two_workers_of_one_machine_do_not_share_its_name():
    assert instance_name(None, {}, "laptop-1") is None
