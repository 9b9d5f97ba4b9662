"""Command ``gistmill completion``: print the completion script for a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a completion script for a shell.

    \b
    Examples:
      gistmill completion bash > ~/.local/share/bash-completion/completions/gistmill
      gistmill completion zsh > ~/.zfunc/_gistmill
      gistmill completion fish > ~/.config/fish/completions/gistmill.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"this version of click completes nothing for {shell}")
    # The name of the installed command; `python -m gistmill` cannot be completed.
    click.echo(kind(context.find_root().command, {}, "gistmill", "_GISTMILL_COMPLETE").source())
