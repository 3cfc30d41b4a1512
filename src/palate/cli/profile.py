"""``palate profile``: what a person's memory holds, shown, exported and forgotten."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.export import Conversational, Output, WithMetadata, write_rows
from palate.cli.options import show_help_alone

if TYPE_CHECKING:
    from palate.profile import Profile

profile = typer.Typer(
    help="What align --profile remembers of a person: show, export, forget.", rich_markup_mode=None
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="As align --profile takes it: a name, or a file.")
]


@profile.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    show_help_alone(context)


@profile.command()
def show(
    name: Name,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Tell in words and numbers what was learned of a person."""
    import dataclasses
    import json

    from palate.wording import printable

    known = _read(name)
    summary = known.summary()
    if as_json:
        told = dataclasses.asdict(summary) | {"asked": known.prompts}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    if known.prompts and not summary.answers:
        typer.echo("No answer stands; those taken back are kept until they are forgotten.")
    else:
        typer.echo(printable(str(summary)))
    for prompt in known.prompts:
        typer.echo(f"Asked: {printable(' '.join(prompt.split()))}")


@profile.command()
def export(
    name: Name,
    output: Output,
    *,
    conversational: Conversational = False,
    with_metadata: WithMetadata = False,
) -> None:
    """Write a person's answers as TRL's preference rows: prompt, chosen, rejected."""
    write_rows(
        _read(name).comparisons(),
        output,
        conversational=conversational,
        with_metadata=with_metadata,
    )


@profile.command()
def forget(
    name: Name,
    prompt: Annotated[
        str | None,
        typer.Option(help="Only the answers to this prompt, or to the one with these words."),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to.")] = False,
) -> None:
    """Forget all answers of a person, or those to one prompt; the logs of single runs stay."""
    from palate.cli.log import state_folder
    from palate.cli.priors import profile_path
    from palate.errors import ParameterError
    from palate.profile import Profile

    _read(name)  # nothing is begun in order to be forgotten
    with Profile.open(profile_path(name)) as known:
        chosen = None if prompt is None else _chosen(known, prompt)
        what = "everything" if chosen is None else f"the answers to {chosen!r}"
        if not yes:
            if not sys.stdin.isatty():
                raise ParameterError("nobody is there to be asked; forget without that by --yes")
            typer.confirm(f"Forget {what} in {known.path}?", abort=True)
        gone = known.forget(chosen)
    typer.echo(f"{gone} answers forgotten; logs of single runs are in {state_folder()}", err=True)


def _read(name: str) -> Profile:
    """The profile of this name, as it stands."""
    from palate.cli.priors import profile_path
    from palate.errors import LogError
    from palate.profile import Profile

    path = profile_path(name)
    if not path.exists():
        msg = f"there is no profile {path}; palate align --profile {name} begins one"
        raise LogError(msg)
    return Profile.read(path)


def _chosen(known: Profile, wanted: str) -> str:
    """The prompt with these words."""
    from palate.errors import ParameterError

    found = [p for p in known.prompts if p == wanted]
    found = found or [p for p in known.prompts if wanted.casefold() in p.casefold()]
    if len(found) != 1:
        have = f"{len(found)} prompts have" if found else "no prompt has"
        mend = "give more of them" if found else "palate profile show lists the prompts"
        msg = f"{have} the words {wanted!r} in {known.path}; {mend}"
        raise ParameterError(msg)
    return found[0]
