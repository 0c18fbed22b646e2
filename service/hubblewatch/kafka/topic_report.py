"""How the topics that exist differ from those that are wanted."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hubblewatch.kafka.topics import FoundTopic, TopicNames, WantedTopic

REPLICATION_REMEDY = (
    "this command cannot change it: move the partitions by kafka-reassign-partitions.sh, or by "
    "the tool of whoever runs the cluster"
)
PARTITIONS_REMEDY = (
    "--apply adds them; restart all exporters together then: namespaces that move to another "
    "partition start with new baselines, and silence is told once of the workloads in them"
)


@dataclass(frozen=True)
class Difference:
    """One thing about an existing topic that is not as wanted."""

    field: str
    """'partitions', 'replication.factor', or Kafka's name of a topic setting."""

    wanted: str
    found: str
    appliable: bool
    """Whether ``--apply`` makes it as wanted."""

    remedy: str = "--apply sets it"


@dataclass(frozen=True)
class TopicState:
    """A wanted topic, what there is of it, and the differences."""

    wanted: WantedTopic
    found: FoundTopic | None
    differences: tuple[Difference, ...] = ()
    unchecked: str | None = None
    """Why the topic's settings could not be read, if so."""

    @property
    def state(self) -> str:
        """'missing', 'differs', 'unchecked' or 'as wanted'."""
        if self.found is None:
            return "missing"
        if self.differences:
            return "differs"
        return "unchecked" if self.unchecked is not None else "as wanted"


@dataclass(frozen=True)
class TopicsReport:
    """All topics, in the order in which flows pass them."""

    names: TopicNames
    topics: tuple[TopicState, ...]
    obstacles: tuple[str, ...] = field(default=())
    """What no part can work with, in words; other differences are only worth a warning."""

    @property
    def as_wanted(self) -> bool:
        """Whether there is nothing left to do."""
        return all(topic.state == "as wanted" for topic in self.topics)


def compare(
    wanted: tuple[WantedTopic, ...],
    names: TopicNames,
    found: Mapping[str, FoundTopic],
    configs: Mapping[str, Mapping[str, str] | str],
) -> TopicsReport:
    """Return the report; ``configs`` holds of each topic its settings, or why they are unknown."""
    topics = []
    for topic in wanted:
        present = found.get(topic.name)
        if present is None:
            topics.append(TopicState(topic, None))
            continue
        config = configs[topic.name]
        differences = [*_of_shape(topic, present)]
        unchecked = None
        if isinstance(config, str):
            unchecked = config
        else:
            differences += _of_config(topic, config)
        topics.append(TopicState(topic, present, tuple(differences), unchecked))
    return TopicsReport(names, tuple(topics), tuple(_obstacles(names, found, configs)))


def _of_shape(wanted: WantedTopic, found: FoundTopic) -> list[Difference]:
    differences = []
    # More are as good; Kafka could not take them away.
    if found.partitions < wanted.partitions:
        differences.append(
            Difference(
                "partitions",
                str(wanted.partitions),
                str(found.partitions),
                True,
                PARTITIONS_REMEDY,
            )
        )
    copies = found.replication_factor
    if copies != wanted.replication_factor and not (
        wanted.more_copies_are_fine and copies > wanted.replication_factor
    ):
        differences.append(
            Difference(
                "replication.factor",
                str(wanted.replication_factor),
                str(copies),
                False,
                REPLICATION_REMEDY,
            )
        )
    return differences


def _of_config(wanted: WantedTopic, found: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(name, value, found.get(name, "unset"), True)
        for name, value in wanted.config.items()
        if not _same(name, value, found.get(name))
    ]


def _same(name: str, wanted: str, found: str | None) -> bool:
    if found is None:
        return False
    if name == "cleanup.policy":
        return set(wanted.split(",")) == set(found.replace(" ", "").split(","))
    return wanted == found


def _obstacles(
    names: TopicNames,
    found: Mapping[str, FoundTopic],
    configs: Mapping[str, Mapping[str, str] | str],
) -> list[str]:
    obstacles = [f"the topic {name} does not exist" for name in names.all() if name not in found]
    flows, state = found.get(names.flows), found.get(names.state)
    if flows is not None and state is not None and flows.partitions != state.partitions:
        obstacles.append(
            f"{flows.name} has {flows.partitions} partitions and {state.name} {state.partitions}: "
            "they must be equal"
        )
    for name, compacted in ((names.flows, False), (names.state, True)):
        config = configs.get(name, "")
        if isinstance(config, str):
            continue
        policy = config.get("cleanup.policy", "delete").replace(" ", "").split(",")
        if ("compact" in policy) != compacted:
            obstacles.append(
                f"{name} has cleanup.policy {','.join(policy)}: its records must "
                f"{'' if compacted else 'not '}be compacted"
            )
    return obstacles
