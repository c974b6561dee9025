import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { PYTHON } from "../helpers/python.ts";

/** Answers with an error over a connection as uvicorn's is, and prints what was written to it, a string for each write. */
const PROGRAM = `
import asyncio, json, sys
sys.path[:0] = ["runtime-images/python/dist", "runtime-images/python/dist/site-packages"]
from berth_worker.exchange import Exchange
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.config import Config
from uvicorn.server import ServerState

written = []

class Connection(asyncio.Transport):
    def get_protocol(self): return protocol
    def get_extra_info(self, name, default=None): return ("127.0.0.1", 1) if name.endswith("name") else default
    def write(self, data): written.append(bytes(data).decode())
    def is_closing(self): return False
    def resume_reading(self): pass
    def pause_reading(self): pass
    def close(self): written.append("closed")

async def app(scope, receive, send):
    await Exchange(scope, receive, send).platform_error(502, "FUNCTION_LOAD_FAILED", "boom")

async def main():
    global protocol
    config = Config(app, interface="asgi3", lifespan="off", log_config=None)
    config.load()
    protocol = H11Protocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(Connection())
    for connection in ("keep-alive", "close"):
        protocol.data_received(b"GET / HTTP/1.1\\r\\nhost: h\\r\\nconnection: " + connection.encode() + b"\\r\\n\\r\\n")
        await asyncio.sleep(0.05)

asyncio.run(main())
print(json.dumps(written))
`;

test.skipIf(PYTHON === null)("an error is written at once, since its process may be killed at any moment: a client gets all of it or nothing", () => {
  const [program] = PYTHON?.command ?? [];
  const written = JSON.parse(execFileSync(program as string, ["-c", PROGRAM], { encoding: "utf8", timeout: 20_000 })) as string[];
  const answer = expect.stringMatching(/^HTTP\/1\.1 502 Bad Gateway\r\n.*x-berth-error: FUNCTION_LOAD_FAILED\r\n.*\r\n\r\n\{.*boom.*\}$/s);
  expect(written).toEqual([answer, answer, "closed"]);
});
