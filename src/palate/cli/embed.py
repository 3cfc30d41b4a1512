"""``palate embed``: pools with features, so that nothing has to be embedded again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from palate.cli.models import TIMEOUT, BaseUrl, EmbedderName, Model, Options, Timeout
from palate.cli.options import Style


def embed(
    pools: Annotated[str, typer.Argument(help="A file of pools, or a shipped pool.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write them.")],
    embedder: EmbedderName = None,
    features: Annotated[
        Path | None,
        typer.Option(help="An array instead: .npy in the pool's order, or .npz with its ids."),
    ] = None,
    style: Style = 0.0,
    model: Model = None,
    base_url: BaseUrl = None,
    timeout: Timeout = TIMEOUT,
    option: Options = None,
    *,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Keep the first of equal responses.")
    ] = False,
) -> None:
    """Give pools their features, and write both to a file."""
    from contextlib import ExitStack

    from rich.console import Console

    from palate.cli.models import chat_model
    from palate.cli.prepare import STATIC, named_embedder
    from palate.cli.session import read_source
    from palate.embed import read_features
    from palate.errors import ParameterError
    from palate.formats import write_pools

    if features is not None and (embedder is not None or style):
        raise ParameterError("either --features or --embedder (and --style), not both")
    if output.exists():
        msg = f"{output} exists; name another file, or move it away"
        raise ParameterError(msg)
    read = read_source(pools, drop_duplicates=drop_duplicates)
    if features is not None:
        if len(read) > 1:
            msg = f"{pools} holds {len(read)} pools, and --features fits one; split the file"
            raise ParameterError(msg)
        done = [read[0].with_features(read_features(features, read[0]), embedder=features.name)]
    else:
        errors = Console(stderr=True, highlight=False)
        with ExitStack() as stack:
            asked = None
            if model is not None:
                asked = stack.enter_context(chat_model(model, base_url, timeout, option, errors))
            made = named_embedder(embedder or STATIC, asked, base_url)
            done = [pool.embedded(made, style=style) for pool in read]
    write_pools(output, done)
    shape = {pool.features.shape[1] for pool in done if pool.features is not None}
    typer.echo(
        f"{sum(map(len, done))} responses in {output}: d = {', '.join(map(str, sorted(shape)))}, "
        f"{done[0].embedder}",
        err=True,
    )
