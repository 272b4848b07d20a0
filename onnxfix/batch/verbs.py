"""What a batch does with one model: the straight lines of api/, and their records as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnxfix.batch.checking import checked, checking_of
from onnxfix.batch.contents import contents_of
from onnxfix.batch.near import near
from onnxfix.batch.task import Task
from onnxfix.batch.urls import label
from onnxfix.files import make_folder
from onnxfix.records import RepairReport, finite
from onnxfix.sandbox.progress import tell


def check(task: Task) -> dict[str, Any]:
    """Check one model for all its targets."""
    return checked(checking_of(task.settings).reports(Path(task.place), tell))


def repair(task: Task) -> dict[str, Any]:
    """Repair one model; `written` tells the files that are there now from others of the same name later."""
    from onnxfix import sandbox

    sandbox.checker().start("onnxfix.model.inference:get_ready")
    from onnxfix.api.repair import repair as repaired

    settings = dict(task.settings)
    if settings.get("output"):
        make_folder(Path(settings["output"]).parent)
    report = repaired(task.place, **settings, progress=tell)
    written = [path for path in (report.output, report.rest) if path]
    return {
        "outcome": outcome_of(report),
        "exit_code": report.exit_code,
        "report": finite(report.to_json()),
        "written": {path: contents_of(Path(path)) for path in written},
    }


def outcome_of(report: RepairReport) -> str:
    """How a repair went.

    "ready": nothing was to be repaired; "repaired": all of it, proven; "repairable": the same in a dry run; "partly":
    written, but not all is repaired or proven; "blocked": nothing is repaired, or the proof did not pass.
    """
    if not report.fixes:
        return "blocked" if report.exit_code else "ready"
    if report.unwritten:
        return "blocked"
    if report.exit_code:
        return "partly"
    return "repaired" if report.output else "repairable"


VERBS: Mapping[str, Callable[[Task], dict[str, Any]]] = {"check": check, "repair": repair}


def performed(task: Task) -> dict[str, Any]:
    """The result of a task, whose model or output may lie in a store.  Raises OnnxfixError as its verb does."""
    settings, repairs = dict(task.settings), task.verb == "repair"
    wishes = {name: settings.get(name) for name in ("output", "in_place")} if repairs else {}
    with near(task.place, wishes.get("output"), in_place=bool(wishes.get("in_place")), repairs=repairs) as files:
        if not files.names:
            return VERBS[task.verb](task)
        if repairs:
            settings |= {"output": str(files.output) if files.output else None, "in_place": files.in_place}
        result = VERBS[task.verb](replace(task, place=str(files.model), settings=settings))
        if files.goal:
            from onnxfix.batch import store

            places = files.publish(list(result["written"]))
            result["written"] = {label(place): store.state(place) for place in places}
            result["report"]["notes"] = list(files.noted(result["report"]["notes"]))
        return files.told(result)
