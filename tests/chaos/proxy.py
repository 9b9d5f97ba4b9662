"""A TCP proxy that breaks connections in the ways that networks do."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

# Closes with RST instead of FIN: linger on, for no seconds.
LINGER_NONE = struct.pack("ii", 1, 0)
BYTES = 65_536

# Told every piece that the server answers; True aborts the connection before the client sees it.
Judge = Callable[[bytes], bool]


class Proxy:
    """Forwards connections to a server on 127.0.0.1 until told otherwise."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        # While True nothing passes on connections that are open; new ones work.
        self._judge: Judge = lambda _: False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._black: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def abort(self) -> int:
        """Reset every open connection on both sides; return how many there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for side in pair:
                _reset(side)
        return len(pairs)

    def black_hole(self) -> int:
        """Let nothing through on the connections that are open, and say so to nobody; return how many there were."""
        with self._lock:
            self._black.update(side for pair in self._pairs for side in pair)
            return len(self._pairs)

    def judge_replies(self, judge: Judge) -> None:
        """Abort a connection when the server's answer is judged so."""
        self._judge = judge

    def close(self) -> None:
        """End everything."""
        self._listener.close()
        self.abort()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                if self._listener.fileno() == -1:
                    return
                _reset(client)
                continue
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._pump, args=(client, server, lambda _: False), daemon=True).start()
            threading.Thread(
                target=self._pump, args=(server, client, lambda data: self._judge(data)), daemon=True
            ).start()

    def _pump(self, source: socket.socket, target: socket.socket, judge: Judge) -> None:
        try:
            while data := source.recv(BYTES):
                if source in self._black:
                    continue
                if judge(data):
                    break
                target.sendall(data)
        except OSError:
            pass
        if source not in self._black:
            _reset(source)
            _reset(target)


def _reset(side: socket.socket) -> None:
    try:
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
        # Wakes a thread that waits in recv, which closing alone does not.
        side.shutdown(socket.SHUT_RD)
    except OSError:
        pass
    side.close()
