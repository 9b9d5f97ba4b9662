"""HTTP server of ``gistmill serve``: REST and OpenAI's batch endpoints, progress as events, webhooks, the pages.

Where to find:
- the application and its routers: ``app``; what its requests share: ``services``;
- every request passes ``guard`` (token, host, origin) and ``bodies`` (size) before a router sees it;
- an error of any layer becomes one form of JSON in ``errors``.
"""
