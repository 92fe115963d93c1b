"""What the errors of confluent-kafka mean for a source or a sink."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

# Waiting may mend these.
DOWN = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError._WAIT_COORD,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
}
# These stay until somebody changes a credential or a right.
REFUSED = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


def is_refusal(error: KafkaError) -> bool:
    """Whether the broker, or the trust in it, says no: a lost handshake alone does not."""
    untrusted = error.code() == KafkaError._SSL and "certificate" in error.str().lower()
    return untrusted or error.code() in REFUSED


def code_of(error: KafkaException) -> int:
    """The number of a client error."""
    return int(error.args[0].code())


def text_of(error: KafkaException) -> str:
    """What a client error says."""
    return str(error.args[0].str())
