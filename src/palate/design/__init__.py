"""Which K-way questions to ask, planned ahead, and what the picks say.

From a vocabulary to the prompt that suits somebody::

    problem = problem_from(load_vocabulary("balanced"))
    planned = sample_queries(plan(problem, n_queries=25, lam=1.0), n_options=4, seed=1)
    asked = pose(problem, planned)
    estimate = fit_matched(asked.options(problem), ask_all(person, asked))
    prompt_text(tokens_of(problem, best_prompt(problem, estimate.theta)))
"""

from palate.design.baselines import farthest_queries, greedy_queries
from palate.design.best import best_prompt, near, ranked_prompts, tokens_of
from palate.design.criteria import Criterion, criterion_of, duality_gap
from palate.design.diffusion import DiffusersRenderer
from palate.design.estimate import ChoiceEstimate, fit_choice_model
from palate.design.files import QueryFile, read_queries
from palate.design.information import (
    design_information,
    expected_information,
    past_information,
    prior_of,
    query_information,
    slot_gradients,
    surrogate,
)
from palate.design.mdp import Mdp, best_policy, plan_mdp, policy_of, sample_trajectories, visitation
from palate.design.people import (
    Questions,
    ask_all,
    option_features,
    pool_queries,
    pose,
    style_person,
)
from palate.design.problem import Problem, Slot
from palate.design.queries import PlannedQuery, sample_queries, split_policies, token_options
from palate.design.redesign import redesign
from palate.design.render import ImagesApiRenderer, Renderer, TextRenderer
from palate.design.solve import Design, plan, uniform_design
from palate.design.strength import check_lambda, fit_matched, matched_lambda, mse_bound, strength
from palate.design.styles import STYLES, style_sentences, style_theta
from palate.design.validate import Prediction, predicted_picks
from palate.design.vocabulary import (
    Vocabulary,
    Words,
    load_vocabulary,
    problem_from,
    prompt_text,
    read_vocabulary,
)

__all__ = [
    "STYLES",
    "ChoiceEstimate",
    "Criterion",
    "Design",
    "DiffusersRenderer",
    "ImagesApiRenderer",
    "Mdp",
    "PlannedQuery",
    "Prediction",
    "Problem",
    "QueryFile",
    "Questions",
    "Renderer",
    "Slot",
    "TextRenderer",
    "Vocabulary",
    "Words",
    "ask_all",
    "best_policy",
    "best_prompt",
    "check_lambda",
    "criterion_of",
    "design_information",
    "duality_gap",
    "expected_information",
    "farthest_queries",
    "fit_choice_model",
    "fit_matched",
    "greedy_queries",
    "load_vocabulary",
    "matched_lambda",
    "mse_bound",
    "near",
    "option_features",
    "past_information",
    "plan",
    "plan_mdp",
    "policy_of",
    "pool_queries",
    "pose",
    "predicted_picks",
    "prior_of",
    "problem_from",
    "prompt_text",
    "query_information",
    "ranked_prompts",
    "read_queries",
    "read_vocabulary",
    "redesign",
    "sample_queries",
    "sample_trajectories",
    "slot_gradients",
    "split_policies",
    "strength",
    "style_person",
    "style_sentences",
    "style_theta",
    "surrogate",
    "token_options",
    "tokens_of",
    "uniform_design",
    "visitation",
]
