"""``align --prior`` and ``--profile``, ``population prior``, ``profile``; and what they refuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pexpect
import pytest

from palate.cli import app
from palate.cli.log import state_folder
from palate.data import shipped_pool, shipped_texts
from palate.embed import StaticEmbedder, default_embedder
from palate.errors import (
    FingerprintError,
    LogError,
    ModelError,
    PalateError,
    ParameterError,
    PoolError,
)
from palate.formats import write_pools
from palate.pool import Pool
from palate.population import GaussianPopulation, ModelPrior, from_pretrained
from palate.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest import CaptureFixture, MonkeyPatch  # noqa: PT013 - types alone

TEXTS = {name: [str(r.text) for r in shipped_texts(name).responses] for name in ("cook", "travel")}
BASIS = np.random.default_rng(0).normal(size=(2, 64))


def simulated(path: Path, pool: str, each: int = 12, prompt: str | None = None) -> str:
    """Rows of 24 simulated people, whose tastes have two directions."""
    rng, texts = np.random.default_rng(1), TEXTS[pool]
    features = np.asarray(default_embedder()(texts), dtype=np.float64)
    with path.open("w", encoding="utf-8") as file:
        for person in range(24):
            worth = features @ (rng.normal(size=2) @ BASIS)
            for _ in range(each):
                winner, loser = sorted(
                    rng.choice(len(texts), 2, replace=False), key=lambda i: -worth[i]
                )
                row = {"prompt": prompt or shipped_texts(pool).prompt, "user_id": f"p{person}"}
                row |= {"chosen": texts[winner], "rejected": texts[loser]}
                file.write(json.dumps(row) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Answers about travel, a prior learned from them, and a model fitted to them."""
    folder = tmp_path_factory.mktemp("made")
    data = simulated(folder / "rows.jsonl", "travel")
    prior, model = str(folder / "people.safetensors"), str(folder / "model")
    run("population", "prior", data, "-o", prior)
    run("population", "fit", data, "-o", model, "--k", 2, "--validation", 0)
    return {"DATA": data, "PRIOR": prior, "MODEL": model}


def run(*arguments: object) -> None:
    app(list(map(str, arguments)), standalone_mode=False)


@pytest.fixture
def say(monkeypatch: MonkeyPatch) -> Callable[..., list[str]]:
    """What a person without a terminal answers; then the input ends."""

    def reply(*lines: object) -> list[str]:
        left = [str(line) for line in lines]

        def read() -> str:
            if not left:
                raise EOFError
            return left.pop(0)

        monkeypatch.setattr("builtins.input", read)
        return left

    reply()
    return reply


@pytest.fixture
def result(capsys: CaptureFixture[str]) -> Callable[..., Any]:
    def call(*arguments: object) -> Any:
        capsys.readouterr()
        run(*arguments, "--json")
        return json.loads(capsys.readouterr().out)

    return call


def header_of(log: Path | str) -> dict[str, Any]:
    first = Path(log).read_text(encoding="utf-8").splitlines()[0]
    return dict(json.loads(first))


def rewritten(log: Path | str, header: dict[str, Any]) -> None:
    lines = Path(log).read_text(encoding="utf-8").splitlines()
    Path(log).write_text("\n".join([json.dumps(header), *lines[1:], ""]), encoding="utf-8")


def profile_file(name: str) -> Path:
    return state_folder() / "profiles" / f"{name}.jsonl"


# --- a prior from many people -------------------------------------------------------------------


def test_a_prior_is_learned_and_told(
    made: dict[str, str], tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "people.safetensors"
    run("population", "prior", made["DATA"], "-o", file, "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["people"], told["answers"]) == (24, 288)
    assert told["by_chance"] == pytest.approx(-np.log(2.0))
    assert told["by_chance"] < told["evidence"] < 0.0
    assert sum(told["directions"]) == pytest.approx(1.0)
    assert told["directions"] == sorted(told["directions"], reverse=True)
    assert sum(told["directions"][:2]) > 0.6
    assert 0.0 <= told["average_person"] < 0.3
    population = GaussianPopulation.load(file)
    notes = {"embedder": "static", "identity": StaticEmbedder().identity, "prompts": "none"}
    assert population.notes == {"features": notes}
    run("population", "prior", made["DATA"], "-o", tmp_path / "other.safetensors")
    printed = capsys.readouterr()
    assert "288 answers of 24 people" in printed.out
    assert "guessing has -0.6931" in printed.out
    assert f"{sum(told['directions'][:2]):.0%} in 2" in printed.out
    assert "saved in" in printed.err


def test_the_first_response_is_the_populations_before_any_question(
    made: dict[str, str], result: Callable[..., Any]
) -> None:
    pool = shipped_pool("cook")
    for option, prior in (("PRIOR", GaussianPopulation.load(Path(made["PRIOR"]))), ("MODEL", None)):
        found = result("align", "--pool", "cook", "--prior", made[option], "--budget", 0)
        assert found["answers"] == 0
        assert found["strategy"]["name"] == "eubo"
        assert found["strategy"]["prior"]["name"] == "mixture"
        if prior is not None:
            weighed = found["strategy"]["prior"]["priors"][0]
            assert weighed["digest"] == prior.settings()["digest"]
            # Nobody is liked more than another, but by the average person.
            (one, *_) = prior.components(pool)
            assert found["index"] == int(one.mean.argmax())


def test_a_model_sees_the_prompt_inside_the_text_where_it_was_so(
    made: dict[str, str], result: Callable[..., Any]
) -> None:
    found = result("align", "--pool", "cook", "--prior", made["MODEL"], "--budget", 0)
    pool, model = shipped_pool("cook"), from_pretrained(made["MODEL"])
    inside = np.asarray(default_embedder()([f"{pool.prompt}\n\n{t}" for t in TEXTS["cook"]]))
    (one,) = ModelPrior(model, lambda _: inside.astype(np.float64)).components(pool)
    assert found["index"] == int(one.mean.argmax())
    alone = np.asarray(default_embedder()(TEXTS["cook"]), dtype=np.float64)
    (other,) = ModelPrior(model, lambda _: alone).components(pool)
    assert not np.allclose(one.mean, other.mean, atol=1e-3)


def test_a_log_with_a_prior_goes_on(
    made: dict[str, str],
    result: Callable[..., Any],
    say: Callable[..., object],
    tmp_path: Path,
) -> None:
    for name in ("PRIOR", "MODEL"):
        whole, log = tmp_path / f"{name}-whole.jsonl", tmp_path / f"{name}.jsonl"
        start = ("align", "--pool", "cook", "--prior", made[name], "--budget", 6, "--seed", 3)
        say(1, 2, 1, 1, 2, 1)
        expected = result(*start, "--log", whole)
        say(1, 2, 1)
        assert result(*start, "--log", log)["answers"] == 3
        say(1, 2, 1)
        found = result("align", "--resume", log)
        assert found["answers"] == 6
        assert found["expected_regret"] == pytest.approx(expected["expected_regret"])
        assert (found["id"], found["strategy"]) == (expected["id"], expected["strategy"])
        assert header_of(log)["source"]["prior"] == str(Path(made[name]).resolve())


def test_a_changed_prior_is_named(
    made: dict[str, str], say: Callable[..., object], tmp_path: Path
) -> None:
    file, log = tmp_path / "mine.safetensors", tmp_path / "log.jsonl"
    file.write_bytes(Path(made["PRIOR"]).read_bytes())
    say(1)
    run("align", "--pool", "cook", "--prior", file, "--log", log)
    before = log.read_bytes()
    population = GaussianPopulation.load(file)
    file.unlink()
    with pytest.raises(ModelError, match=r"mine\.safetensors"):
        run("align", "--resume", log)
    GaussianPopulation(population.mean, 2.0 * population.factor, 1, 1).save(file)
    with pytest.raises(FingerprintError, match=r"another prior: .*mine\.safetensors has changed"):
        run("align", "--resume", log)
    assert log.read_bytes() == before
    # Its answers can be read all the same.
    run("export", log, "-o", tmp_path / "rows.jsonl")
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 1
    file.unlink()
    run("population", "locate", made["MODEL"], log)


# --- a profile ----------------------------------------------------------------------------------


def test_two_prompts_in_a_row_and_the_second_starts_elsewhere(
    result: Callable[..., Any], say: Callable[..., object], capsys: CaptureFixture[str]
) -> None:
    say(*[1] * 5)
    first = result("align", "--pool", "cook", "--profile", "ann", "--budget", 5)
    assert (first["answers"], first["strategy"]["name"]) == (5, "eubo")
    kept = Profile.read(profile_file("ann"))
    assert len(kept.answers()) == 5
    say(1, 2)
    start = ("align", "--pool", "travel", "--budget", 2, "--seed", 1)
    second = result(*start, "--profile", "ann")
    assert second["strategy"]["prior"]["name"] == "remembering"
    say(1, 2)
    alone = result(*start, "--strategy", "eubo")
    shown = [
        json.loads(Path(r["log"]).read_text().splitlines()[1])["shown"] for r in (second, alone)
    ]
    assert shown[0] != shown[1]
    assert Profile.read(profile_file("ann")).prompts == (first["prompt"], second["prompt"])
    say()
    third = result("align", "--pool", "cook", "--profile", "ann", "--budget", 0)
    assert third["answers"] == 0
    prior = Profile.read(profile_file("ann")).prior(pool := shipped_pool("cook"))
    assert third["index"] == int(prior.start(pool).mean().argmax())
    run("align", "--pool", "cook", "--profile", "ann", "--budget", 0)
    printed = capsys.readouterr().out
    assert "Picks remembered: 7. Best guess so far: " in printed
    assert "Before any question" in printed


def test_both_together(
    made: dict[str, str], result: Callable[..., Any], say: Callable[..., object]
) -> None:
    start = ("align", "--prior", made["PRIOR"], "--profile", "bob", "--budget", 3)
    say(1, 1, 1)
    first = result(*start, "--pool", "cook")
    assert first["strategy"]["prior"]["name"] == "mixture"
    say(1, 1, "q")
    second = result(*start, "--pool", "travel")
    prior = second["strategy"]["prior"]
    assert (prior["name"], prior["base"]) == ("remembering", first["strategy"]["prior"])
    say(1)
    resumed = result("align", "--resume", second["log"])
    assert resumed["answers"] == 3
    assert resumed["strategy"] == second["strategy"]
    assert len(Profile.read(profile_file("bob")).answers()) == 6


def test_a_log_with_a_profile_goes_on_from_what_counted_then(
    result: Callable[..., Any], say: Callable[..., object], tmp_path: Path
) -> None:
    say(1, 2, 1)
    result("align", "--pool", "cook", "--profile", "ann", "--budget", 3)
    say(1)
    log = tmp_path / "log.jsonl"
    begun = ("align", "--pool", "travel", "--profile", "ann", "--budget", 4)
    result(*begun, "--log", log)
    source = header_of(log)["source"]
    assert source["remembered"] == 3
    assert source["profile"] == str(profile_file("ann").resolve())
    say(2, 2)  # meanwhile another prompt, and an answer to it that is taken back
    result("align", "--pool", "cook", "--seed", 9, "--profile", "ann", "--budget", 2)
    say("u", 1, 2, 1, 1)
    found = result("align", "--resume", log)
    assert found["answers"] == 4
    kept = Profile.read(profile_file("ann"))
    assert len(kept.answers()) == 3 + 2 + 4
    # Nothing was remembered twice, and a log is caught up with where a process died in between.
    events = log.read_text(encoding="utf-8").splitlines()
    with Profile.open(profile_file("ann")) as profile:
        profile.forget(found["prompt"])
    assert len(events) == 1 + 1 + 1 + 4
    result("align", "--resume", log)
    assert len(Profile.read(profile_file("ann")).answers()) == 9


def test_a_forgotten_profile_is_named(
    result: Callable[..., Any], say: Callable[..., object], tmp_path: Path
) -> None:
    say(1, 2)
    first = result("align", "--pool", "cook", "--profile", "ann", "--budget", 2)
    log = tmp_path / "log.jsonl"
    say(1)
    result("align", "--pool", "travel", "--profile", "ann", "--log", log)
    before = log.read_bytes()
    gone = r"the profile .*ann\.jsonl no longer holds the answers that the log began with"
    with Profile.open(profile_file("ann")) as profile:
        answers = [profile.answers()[0]]
        profile.forget(first["prompt"])
    with pytest.raises(FingerprintError, match=gone):
        run("align", "--resume", log)
    with Profile.open(profile_file("ann")) as profile:  # as many, and others
        for seed in (5, 6):
            say(2)
            profile.close()
            result("align", "--pool", "cook", "--profile", "ann", "--budget", 1, "--seed", seed)
    assert len(answers) == 1
    with pytest.raises(FingerprintError, match=gone):
        run("align", "--resume", log)
    profile_file("ann").unlink()
    with pytest.raises(FingerprintError, match=gone):
        run("align", "--resume", log)
    assert not profile_file("ann").exists()
    assert log.read_bytes() == before


def test_old_logs_without_these_keys_go_on(
    result: Callable[..., Any], say: Callable[..., object], tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    say(1)
    began = result("align", "--pool", "cook", "--epsilon", 1, "--log", log)
    assert began["strategy"]["name"] == "useralign"
    header = header_of(log)
    for key in ("prior", "profile", "remembered"):
        header["source"].pop(key)
    rewritten(log, header)
    say(1)
    assert result("align", "--resume", log)["answers"] == 2


def test_a_log_that_names_a_profile_and_has_no_prior_is_damaged(
    result: Callable[..., Any], say: Callable[..., object], tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    say(1)
    result("align", "--pool", "cook", "--epsilon", 1, "--log", log)
    header = header_of(log)
    header["source"]["profile"] = str(tmp_path / "x.jsonl")
    rewritten(log, header)
    with pytest.raises(LogError, match="names a prior or a profile, and its strategy has none"):
        run("align", "--resume", log)


def test_a_profile_in_use_is_said_before_a_log_begins(tmp_path: Path) -> None:
    held = tmp_path / "held.jsonl"
    with Profile.open(held), pytest.raises(LogError, match=r"held\.jsonl is in use"):
        run("align", "--pool", "cook", "--profile", held, "--budget", 0)
    assert not list(state_folder().glob("*.jsonl"))


def test_orders_and_several_options_are_remembered(
    result: Callable[..., Any], say: Callable[..., object], tmp_path: Path
) -> None:
    ann = tmp_path / "ann.jsonl"
    say("31", "2")
    start = ("align", "--pool", "cook", "--profile", ann, "--options", 3, "--budget", 2)
    result(*start, "--tolerance", 0)
    assert [a.picked for a in Profile.read(ann).answers()] == [(2, 0, 1), 1]
    say(1, 1)
    found = result(
        "align", "--pool", "travel", "--profile", ann, "--strategy", "challenge", "--budget", 2
    )
    assert found["strategy"]["prior"]["name"] == "remembering"


def test_tolerance_reaches_the_strategy(result: Callable[..., Any], tmp_path: Path) -> None:
    start = ("align", "--pool", "cook", "--profile", tmp_path / "ann.jsonl", "--tolerance", 0.9)
    found = result(*start)
    assert found["strategy"]["tolerance"] == 0.9
    assert (found["certified"], found["answers"]) == (True, 0)


# --- what is refused, in a line -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (["--prior", "absent"], ModelError, "absent"),
        (["--prior", "DATA"], ModelError, "holds no population saved by palate"),
        (["--prior", "EMPTY"], ModelError, "no model of a population in"),
        (["--prior", "BENT"], ParameterError, "not linear in people's weights"),
        (["--prior", "MUTE"], ParameterError, "does not say which embedder"),
        (["--prior", "MODEL", "--profile", "ann"], ParameterError, "palate population prior"),
        (
            ["--prior", "PRIOR", "--strategy", "useralign"],
            ParameterError,
            r"for strategies with a prior \(challenge, eubo, .*\), not useralign",
        ),
        (["--profile", "ann", "--strategy", "winner-stays"], ParameterError, "not winner-stays"),
        (["--profile", " "], ParameterError, "a profile has a name"),
        (["--profile", "DATA"], LogError, "is not a profile"),
        (
            ["--prior", "PRIOR", "--style", "0.3"],
            ParameterError,
            "has 71 features.*learned from 64",
        ),
        (["--prior", "PRIOR", "--epsilon", "1"], ParameterError, "eubo has no --epsilon"),
        (["--tolerance", "0.1", "--epsilon", "1"], ParameterError, "useralign has no --tolerance"),
        (["--profile", "ann", "--tolerance", "2"], ParameterError, "tolerance must lie between"),
        (
            ["--prior", "PRIOR", "--resume", "last"],
            ParameterError,
            "leave out --prior and --profile",
        ),
    ],
)
@pytest.mark.usefixtures("say")
def test_what_align_refuses(
    made: dict[str, str],
    tmp_path: Path,
    arguments: list[str],
    error: type[PalateError],
    match: str,
) -> None:
    places = made | {name: str(tmp_path / name) for name in ("EMPTY", "BENT", "MUTE")}
    (tmp_path / "EMPTY").mkdir()
    from_pretrained(made["MODEL"]).save_pretrained(places["MUTE"])
    bent = Path(shutil.copytree(made["MODEL"], places["BENT"]))
    config = json.loads((bent / "config.json").read_text())
    config["settings"]["power"] = 1
    (bent / "config.json").write_text(json.dumps(config))
    pool = () if "--resume" in arguments else ("--pool", "cook")
    with pytest.raises(error, match=match) as caught:
        run("align", *pool, *(places.get(a, a) for a in arguments))
    assert "\n" not in str(caught.value)
    # Nothing was begun: neither a log nor a profile.
    assert not state_folder().exists() or not list(state_folder().rglob("*.jsonl"))


def test_features_of_another_embedder_are_refused(
    made: dict[str, str], monkeypatch: MonkeyPatch
) -> None:
    with pytest.raises(ParameterError, match="no embedder 'word2vec'"):
        run("align", "--pool", "cook", "--prior", made["PRIOR"], "--embedder", "word2vec")
    monkeypatch.setattr(StaticEmbedder, "identity", "another")
    with pytest.raises(
        ParameterError, match=r"the population in .* features of static \(minilm64 .*\), and static"
    ):
        run("align", "--pool", "cook", "--prior", made["PRIOR"])


def test_pools_that_bring_features(
    made: dict[str, str], tmp_path: Path, result: Callable[..., Any]
) -> None:
    """A population embeds them its own way; a profile needs to know what made them."""
    rows = np.random.default_rng(0).normal(size=(5, 3))
    texts = TEXTS["cook"][:5]
    for name, embedder in (("named", "mine"), ("nameless", None)):
        write_pools(tmp_path / f"{name}.jsonl", [Pool("p", texts, rows, embedder=embedder)])
    start = ("align", "--budget", 0, "--profile", tmp_path / "ann.jsonl")
    assert result(*start, "--pool", tmp_path / "named.jsonl")["answers"] == 0
    with pytest.raises(PoolError, match="the name of what made them"):
        run(*start, "--pool", tmp_path / "nameless.jsonl")
    found = result(*start, "--pool", tmp_path / "nameless.jsonl", "--embedder", "static")
    assert found["answers"] == 0
    found = result(*start, "--pool", tmp_path / "nameless.jsonl", "--prior", made["PRIOR"])
    resumed = result("align", "--resume", found["log"])
    assert resumed["id"] == found["id"]


def test_what_population_prior_refuses(made: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "new.safetensors"
    alone = tmp_path / "one.jsonl"
    alone.write_text(Path(made["DATA"]).read_text().splitlines()[0] + "\n")
    for arguments, error, match in (
        ((made["DATA"], "-o", made["PRIOR"]), ParameterError, "exists; name another file"),
        (("absent", "-o", out), LogError, "cannot read absent"),
        ((alone, "-o", out), ParameterError, "at least two people, not of 1; .* user_id"),
        ((made["DATA"], "-o", out, "--embedder", "axes:a"), ParameterError, "no chat model"),
    ):
        with pytest.raises(error, match=match):
            run("population", "prior", *arguments)
    assert not out.exists()


# --- the profile's own verbs --------------------------------------------------------------------


@pytest.fixture
def ann(result: Callable[..., Any], say: Callable[..., object]) -> Path:
    for pool in ("cook", "travel"):
        say(1, 2, "t", 1)
        result("align", "--pool", pool, "--profile", "ann", "--budget", 4)
    return profile_file("ann")


def test_a_profile_is_shown(
    ann: Path, result: Callable[..., Any], capsys: CaptureFixture[str]
) -> None:
    told = result("profile", "show", "ann")
    assert (told["answers"], told["undecided"], told["prompts"]) == (8, 2, 2)
    assert len(told["asked"]) == 2
    run("profile", "show", "ann")
    printed = capsys.readouterr().out
    assert "8 answers (2 of them ties or skips) to 2 prompts, since " in printed
    assert f"Asked: {told['asked'][0]}" in printed
    with Profile.open(ann):  # in use, it can be looked at
        run("profile", "show", ann)
    assert capsys.readouterr().out == printed


def test_answers_taken_back_are_said_to_be_kept(
    result: Callable[..., Any], say: Callable[..., object], capsys: CaptureFixture[str]
) -> None:
    say(1, "u", "q")
    result("align", "--pool", "cook", "--profile", "eve", "--budget", 4)
    run("profile", "show", "eve")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "No answer stands; those taken back are kept until they are forgotten."
    assert said[1].startswith("Asked: What should I cook")


def test_a_profile_is_exported(ann: Path, tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    out = tmp_path / "rows.jsonl"
    run("profile", "export", "ann", "-o", out, "--with-metadata")
    assert "6 rows written, 2 of 8 answers left out" in capsys.readouterr().err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [set(row) for row in rows] == [{"prompt", "chosen", "rejected", "metadata"}] * 6
    chosen = [a for a in Profile.read(ann).comparisons() if a.chosen is not None]
    assert [row["chosen"] for row in rows] == [a.chosen for a in chosen]


def test_a_profile_is_forgotten(ann: Path, capsys: CaptureFixture[str]) -> None:
    for words, error in (("nothing like it", "no prompt has"), ("?", "2 prompts have")):
        with pytest.raises(ParameterError, match=error):
            run("profile", "forget", "ann", "--prompt", words, "--yes")
    with pytest.raises(ParameterError, match="--yes"):
        run("profile", "forget", "ann")
    assert len(Profile.read(ann).answers()) == 8
    run("profile", "forget", "ann", "--prompt", "WEEKEND", "--yes")
    assert "4 answers forgotten; logs of single runs are in" in capsys.readouterr().err
    assert len(Profile.read(ann).prompts) == 1
    run("profile", "forget", "ann", "--yes")
    assert Profile.read(ann).records == 0
    run("profile", "show", "ann")
    assert capsys.readouterr().out == "Nothing is remembered.\n"


def test_who_has_no_profile(tmp_path: Path) -> None:
    for verb, rest in (
        ("show", ()),
        ("export", ("-o", tmp_path / "x.jsonl")),
        ("forget", ("--yes",)),
    ):
        with pytest.raises(LogError, match=r"no profile .*bob\.jsonl; palate align --profile bob"):
            run("profile", verb, "bob", *rest)
    assert not profile_file("bob").exists()


# --- as a process -------------------------------------------------------------------------------


def spawned(*arguments: object) -> pexpect.spawn:
    return pexpect.spawn(
        sys.executable,
        ["-m", "palate", *map(str, arguments)],
        env=os.environ | {"TERM": "xterm-256color"},
        dimensions=(36, 110),
        encoding="utf-8",
        timeout=30,
    )


def ended(child: pexpect.spawn) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_at_a_terminal() -> None:
    for pool, greeting in (("cook", "question 1"), ("travel", "Picks remembered: 2")):
        child = spawned("align", "--pool", pool, "--profile", "ann", "--budget", 2)
        child.expect(greeting)
        child.send("1")
        child.expect("question 2")
        child.send("2")
        child.expect("your response")
        assert ended(child) == 0
    assert len(Profile.read(profile_file("ann")).answers()) == 4
    child = spawned("profile", "forget", "ann")
    child.expect(r"Forget everything in .*\[y/N\]")
    child.sendline("n")
    assert ended(child) == 130
    assert len(Profile.read(profile_file("ann")).answers()) == 4
    child = spawned("profile", "forget", "ann")
    child.expect(r"\[y/N\]")
    child.sendline("y")
    child.expect("4 answers forgotten")
    assert ended(child) == 0
    assert Profile.read(profile_file("ann")).records == 0


def test_what_is_refused_is_one_line_and_status_2() -> None:
    def lines(arguments: Iterable[str]) -> list[str]:
        command = [sys.executable, "-m", "palate", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr.splitlines()

    assert lines(["align", "--pool", "cook", "--prior", "absent"]) == [
        "palate: absent holds no population saved by palate: No such file or directory: absent"
    ]
