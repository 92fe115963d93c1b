"""The rules: well-formed, each alert fires when it should and only then, and each is explained."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.deploy.prometheus import process_cases, work_cases
from tests.deploy.prometheus.case import HEALTHY, Case, Series
from tests.deploy.prometheus.tools import FOLDER, RULES, Rule, alert, alerts, promtool, read, rules
from tests.shared import REPOSITORY

CASES = (*process_cases.CASES, *work_cases.CASES)
LABELS = {"job": "streamcell", "instance": "edge-1:9464", "pipeline": "press"}
RUNBOOK = REPOSITORY / "docs" / "monitoring.md"


def series_of(found: Series) -> list[dict[str, str]]:
    """These beside the healthy ones, with a target's labels, as promtool wants them."""
    made = []
    for key, values in {**HEALTHY, **found}.items():
        metric, *own = key.split()
        labels: Mapping[str, str] = {**LABELS, **dict(one.split("=", 1) for one in own)}
        told = ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
        if values is not None:
            made.append({"series": f"{metric}{{{told}}}", "values": values})
    return made


def expectation(expr: str, at: int, *, fires: bool) -> dict[str, object]:
    """A query whose answer is 1, or nothing."""
    samples = [{"labels": "{}", "value": 1}] if fires else []
    return {"expr": expr, "eval_time": f"{at}m", "exp_samples": samples}


def check(case: Case, folder: Path, rule: Rule | None = None) -> tuple[int, str]:
    """Have promtool go through all of a case, with its alert or another ``rule``."""
    alone = folder / "alert.yml"
    group = {"name": "alone", "rules": [rule or alert(case.alert)]}
    alone.write_text(yaml.safe_dump({"groups": [group]}))
    firing = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
    ever = f"count(max_over_time({firing}[4h]))"
    tests = [
        {
            "interval": "1m",
            "input_series": series_of(case.ill),
            "promql_expr_test": [
                expectation(ever, case.quiet, fires=False),
                expectation(f"count({firing})", case.minutes, fires=True),
            ],
        },
        *(
            {
                "interval": "1m",
                "input_series": series_of(well),
                "promql_expr_test": [expectation(ever, case.minutes, fires=False)],
            }
            for well in case.well.values()
        ),
    ]
    file = folder / "test.yml"
    whole = {
        "rule_files": [str(RULES[0]), str(alone)],
        "evaluation_interval": "1m",
        "tests": tests,
    }
    file.write_text(yaml.safe_dump(whole))
    return promtool("test", "rules", str(file))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires_when_it_should_and_only_then(case: Case, tmp_path: Path) -> None:
    """Not before its time, and not for what looks alike."""
    code, told = check(case, tmp_path)
    assert code == 0, told


def test_every_alert_has_its_case() -> None:
    """And every case something that must not fire."""
    assert sorted(case.alert for case in CASES) == sorted(rule["alert"] for rule in alerts())
    assert all(case.well for case in CASES)


def forgetful(rule: Rule) -> list[Rule]:
    """The rule without each of its further conditions, and without its patience."""
    parts = re.split(r"\n\s+(?=and )", rule["expr"].strip())
    shorter = [parts[:at] + parts[at + 1 :] for at in range(1, len(parts))]
    return [{**rule, "expr": "\n".join(left)} for left in shorter] + [{**rule, "for": "0m"}]


def test_a_case_sees_a_rule_that_forgets_its_condition(tmp_path: Path) -> None:
    """That a pipeline may be recovering."""
    (case,) = [case for case in CASES if case.alert == "StreamcellStalled"]
    *_, unsteady, _ = forgetful(alert(case.alert))
    assert "steady" not in unsteady["expr"]
    code, told = check(case, tmp_path, unsteady)
    assert code == 1
    assert "FAILED" in told


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_a_case_sees_whatever_its_rule_forgets(case: Case, tmp_path: Path) -> None:
    """No condition is there that no case needs."""
    for rule in forgetful(alert(case.alert)):
        code, _ = check(case, tmp_path, rule)
        assert code == 1, (rule["expr"], rule["for"])


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_promtool_finds_no_fault(path: Path) -> None:
    """Syntax, names and templates."""
    code, told = promtool("check", "rules", "--lint-fatal", str(path))
    assert code == 0, told
    assert "SUCCESS" in told


def test_the_scrape_configuration_is_valid() -> None:
    """With the rules that it names."""
    code, told = promtool("check", "config", "--lint-fatal", str(FOLDER / "prometheus.yml"))
    assert code == 0, told
    assert "2 rule files found" in told


def test_the_configuration_for_kubernetes_is_valid(tmp_path: Path) -> None:
    """But for finding the pods: Debian's Prometheus was built without it."""
    config = read(FOLDER / "kubernetes.yml")
    (job,) = config["scrape_configs"]
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    job["static_configs"] = [{"targets": ["localhost:9464"]}]
    config["rule_files"] = [str(path) for path in RULES]
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    code, told = promtool("check", "config", "--lint-fatal", str(file))
    assert code == 0, told


@pytest.mark.parametrize("name", ["prometheus.yml", "kubernetes.yml"])
def test_jobs_are_named_as_the_alerts_expect(name: str) -> None:
    """Alerts on a process that is gone go by the job's name."""
    for job in read(FOLDER / name)["scrape_configs"]:
        assert job["job_name"].startswith("streamcell")


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule: Rule) -> None:
    """How bad it is, what it is, and where to read on: a section that has a cause and an action."""
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["for"]
    notes = rule["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url"}
    assert notes["description"].rstrip().endswith(".")
    page, anchor = notes["runbook_url"].split("#")
    assert REPOSITORY / page == RUNBOOK
    assert anchor == rule["alert"].lower()
    section = re.search(
        rf"^### {rule['alert']}\n(.*?)(?=^##|\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL
    )
    assert section, f"docs/monitoring.md has no section {rule['alert']}"
    for part in ("**Means.**", "**Causes.**", "**Do.**"):
        assert part in section[1], part


def test_recorded_names_say_level_metric_and_operation() -> None:
    """As Prometheus recommends."""
    for rule in rules():
        if "record" in rule:
            assert re.fullmatch(r"(instance_)?pipeline(_\w+)?:streamcell_\w+:\w+", rule["record"])


def test_the_files_are_a_part_of_an_installation() -> None:
    """Those of the dashboard too: a device has no checkout."""
    deploy = REPOSITORY / "deploy"
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    shipped = {
        path for pattern in settings["package-data"]["deploy"] for path in deploy.glob(pattern)
    }
    folders = (deploy / "prometheus", deploy / "grafana")
    found = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    assert found
    assert found == shipped
