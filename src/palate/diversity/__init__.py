"""Whether a population can be relied on: the user-diversity condition, as a diagnosis.

report = diagnose(model, answers, served)
print(report.headline, *report.next_steps)
"""

from palate.diversity.adequacy import Adequacy, adequacy
from palate.diversity.arrays import read_arrays
from palate.diversity.bilinear import Bilinear, bilinear
from palate.diversity.condition import at_risk, coverage
from palate.diversity.curvature import Curvature, curvature
from palate.diversity.diagnose import diagnose
from palate.diversity.directions import open_directions
from palate.diversity.findings import Direction, People
from palate.diversity.learners import Estimate, fit_basis, fit_low_rank
from palate.diversity.offline import OfflineRun, reference_answers, run_offline
from palate.diversity.online import OnlineRun, Service, run_online
from palate.diversity.plans import Plan, plan_queries, plan_users
from palate.diversity.posterior import Posterior, expected_gap, laplace
from palate.diversity.report import DiversityReport
from palate.diversity.rows import Rows
from palate.diversity.scores import conditioning, error_exponent, leverage, selector_error
from palate.diversity.served import Contests, Served, contests
from palate.diversity.spectrum import Spectrum, cross_fitted
from palate.diversity.verdict import Verdict
from palate.diversity.world import BilinearWorld, simulate_world

__all__ = [
    "Adequacy",
    "Bilinear",
    "BilinearWorld",
    "Contests",
    "Curvature",
    "Direction",
    "DiversityReport",
    "Estimate",
    "OfflineRun",
    "OnlineRun",
    "People",
    "Plan",
    "Posterior",
    "Rows",
    "Served",
    "Service",
    "Spectrum",
    "Verdict",
    "adequacy",
    "at_risk",
    "bilinear",
    "conditioning",
    "contests",
    "coverage",
    "cross_fitted",
    "curvature",
    "diagnose",
    "error_exponent",
    "expected_gap",
    "fit_basis",
    "fit_low_rank",
    "laplace",
    "leverage",
    "open_directions",
    "plan_queries",
    "plan_users",
    "read_arrays",
    "reference_answers",
    "run_offline",
    "run_online",
    "selector_error",
    "simulate_world",
]
