"""The human study: participants compare by a method, and judge its choices against a baseline."""

from palate.serve.study.export import study_rows
from palate.serve.study.log import StudyLog
from palate.serve.study.plan import StudyPlan, plan_from_object, read_plan
from palate.serve.study.records import Study
from palate.serve.study.report import StudyReport, study_report
from palate.serve.study.setup import set_up, study_log

__all__ = [
    "Study",
    "StudyLog",
    "StudyPlan",
    "StudyReport",
    "plan_from_object",
    "read_plan",
    "set_up",
    "study_log",
    "study_report",
    "study_rows",
]
