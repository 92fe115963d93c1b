"""The operator's PrometheusRule out of the rules in deploy/prometheus, as text.

``python -m tests.deploy.kubernetes.rules`` writes it again after a change of those.
"""

from __future__ import annotations

from tests.shared import REPOSITORY

RULES = REPOSITORY / "deploy/prometheus/rules"
MANIFEST = REPOSITORY / "deploy/kubernetes/components/monitoring/rules.yaml"

HEAD = """\
# Written from deploy/prometheus/rules by `python -m tests.deploy.kubernetes.rules`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: streamcell
  labels:
    app.kubernetes.io/name: streamcell
spec:
  groups:
"""


def manifest() -> str:
    """The groups of every file, two columns further in; recording rules come first."""
    text = HEAD
    for path in sorted(RULES.glob("*.yml"), reverse=True):
        _, _, groups = path.read_text(encoding="utf-8").partition("\ngroups:\n")
        lines = groups.rstrip().splitlines()
        text += "".join(f"  {line}".rstrip() + "\n" for line in lines)
    return text


if __name__ == "__main__":
    MANIFEST.write_text(manifest(), encoding="utf-8")
