"""Command ``gistmill serve``: the HTTP server."""

from __future__ import annotations

import click

from models.settings import read_settings


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1, this machine alone]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.  [default: 8000]")
def serve(host: str | None, port: int | None) -> None:
    """Serve the cluster over HTTP: the live page, the REST API and OpenAI's batch endpoints (/docs).

    Without a token it answers this machine alone. Any other address needs GISTMILL_SERVE_TOKEN, which
    requests carry as `Authorization: Bearer TOKEN`.

    \b
    Examples:
      gistmill serve
      GISTMILL_SERVE_TOKEN=... gistmill serve --host 0.0.0.0 --port 8080
    """
    from gistmill.http.server import run_server

    given = {"serve_host": host, "serve_port": port}
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    run_server(settings, report=lambda url: click.echo(f"live page: {url}, API: {url}/docs; Ctrl-C stops it"))
