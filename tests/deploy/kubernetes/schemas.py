"""JSON schemas of the operators' resources, as far as the manifests use them.

Written from the operators' references: monitoring.coreos.com/v1 (ServiceMonitor, PrometheusRule)
and keda.sh/v1alpha1 (ScaledObject with the Kafka scaler, TriggerAuthentication).
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string", "minLength": 1}
DURATION: Schema = {"type": "string", "pattern": r"^([0-9]+(ms|s|m|h|d))+$"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"enum": ["true", "false"]}
NUMBER_TEXT: Schema = {"type": "string", "pattern": "^[1-9][0-9]*$"}
LABELS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}


def closed(required: dict[str, Schema], **optional: Schema) -> Schema:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": required | optional,
        "required": [*required],
        "additionalProperties": False,
    }


def listed(item: Schema) -> Schema:
    """A list with something in it."""
    return {"type": "array", "items": item, "minItems": 1}


def resource(version: str, kind: str, spec: Schema) -> Schema:
    """A resource with a name in a namespace."""
    metadata = closed({"name": TEXT, "namespace": TEXT}, labels=LABELS)
    fixed: dict[str, Schema] = {"apiVersion": {"const": version}, "kind": {"const": kind}}
    return closed({**fixed, "metadata": metadata, "spec": spec})


RULE = closed({"expr": TEXT, "record": TEXT}, labels=LABELS)
ALERT = closed({"expr": TEXT, "alert": TEXT}, labels=LABELS, annotations=LABELS)
ALERT["properties"] |= {"for": DURATION, "keep_firing_for": DURATION}
POLICY = closed({"type": {"enum": ["Pods", "Percent"]}, "value": COUNT, "periodSeconds": COUNT})
SCALING = closed({"policies": listed(POLICY)}, stabilizationWindowSeconds=COUNT)

SCHEMAS: dict[str, Schema] = {
    "ServiceMonitor": resource(
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        closed(
            {
                "selector": closed({"matchLabels": LABELS}),
                "endpoints": listed(
                    closed(
                        {"port": TEXT},
                        path=TEXT,
                        interval=DURATION,
                        relabelings=listed(
                            closed({"targetLabel": TEXT}, sourceLabels=listed(TEXT), separator=TEXT)
                        ),
                    )
                ),
            }
        ),
    ),
    "PrometheusRule": resource(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        closed(
            {
                "groups": listed(
                    closed({"name": TEXT, "rules": listed({"oneOf": [RULE, ALERT]})}, interval=TEXT)
                )
            }
        ),
    ),
    "ScaledObject": resource(
        "keda.sh/v1alpha1",
        "ScaledObject",
        closed(
            {
                "scaleTargetRef": closed({"name": TEXT}, apiVersion=TEXT, kind=TEXT),
                "triggers": listed(
                    closed(
                        {
                            "type": {"const": "kafka"},
                            "metadata": closed(
                                {"bootstrapServers": TEXT, "consumerGroup": TEXT, "topic": TEXT},
                                lagThreshold=NUMBER_TEXT,
                                activationLagThreshold=NUMBER_TEXT,
                                offsetResetPolicy={"enum": ["latest", "earliest"]},
                                allowIdleConsumers=FLAG,
                                sasl={"enum": ["plaintext", "scram_sha256", "scram_sha512"]},
                                tls={"enum": ["enable", "disable"]},
                            ),
                        },
                        authenticationRef=closed({"name": TEXT}),
                    )
                ),
            },
            pollingInterval=COUNT,
            cooldownPeriod=COUNT,
            minReplicaCount=COUNT,
            maxReplicaCount=COUNT,
            advanced=closed(
                {
                    "horizontalPodAutoscalerConfig": closed(
                        {"behavior": closed({}, scaleUp=SCALING, scaleDown=SCALING)}
                    )
                }
            ),
        ),
    ),
    "TriggerAuthentication": resource(
        "keda.sh/v1alpha1",
        "TriggerAuthentication",
        closed(
            {
                "secretTargetRef": listed(
                    closed(
                        {
                            "parameter": {"enum": ["username", "password", "ca", "cert", "key"]},
                            "name": TEXT,
                            "key": TEXT,
                        }
                    )
                )
            }
        ),
    ),
}
