import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { beforeAll, expect, test } from "vitest";
import { patroniWrapper } from "../../layers/domain/config/patroni-wrapper.ts";
import { lowerDirectories } from "../../local/machines/image.ts";
import { nodeImage } from "./support/machines.ts";

let root = "";
beforeAll(async () => {
  // The lowest layer is Debian with its packages; the others are ours.
  root = (await lowerDirectories(await nodeImage())).at(-1) ?? "";
});

/** Runs Python of the node image, with the image's own Patroni; leaves the image as it is. */
async function python(script: string, ...args: string[]): Promise<{ said: string; code: number | null }> {
  const child = spawn("chroot", [root, "/usr/bin/python3", "-B", "-", ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  child.stdin.end(script);
  return { said: (await text(child.stdout)).trim(), code: await ended };
}

/** The wrapper as a module `w`, `before` done to Patroni first. */
function asModule(before: string, after: string): string {
  return `
import types
w = types.ModuleType('w')
exec(compile(${JSON.stringify(patroniWrapper)}, 'patroni-wrapper.py', 'exec'), w.__dict__)
import patroni.version, patroni.config, patroni.ha, patroni.postgresql
from patroni.dcs import etcd3
${before}
apply, refusal = w.prepare()
${after}
`;
}

test("Patroni of the node image is the one that the wrapper knows", async () => {
  expect(await python(patroniWrapper, "--check")).toEqual({ said: "as known", code: 0 });
});

test("what the wrapper changes is changed, and nothing before it is asked to", async () => {
  const timeouts = `
c = {'ttl': 7, 'loop_wait': 1, 'retry_timeout': 2}
patroni.config.Config._validate_and_adjust_timeouts(patroni.config.Config.__new__(patroni.config.Config), c)
print(c['ttl'], c['loop_wait'], c['retry_timeout'], patroni.postgresql.STOP_POLLING_INTERVAL)
`;
  const socketOptions = `
import socket
class Self: ttl = 20; loop_wait = 1; _retry = type('R', (), {'deadline': 9})
with socket.socket() as s:
    etcd3.Etcd3.set_socket_options(Self, s, None)
    print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
`;
  const asked = `
class Asked: patroni = type('P', (), {'request': lambda self, member, **kw: print(kw)})()
patroni.ha.Ha.fetch_node_status(Asked, type('M', (), {'name': 'm', 'api_url': ''}))
`;
  const body = `${timeouts}${socketOptions}${asked}apply()\n${timeouts}${socketOptions}${asked}`;
  const { said } = await python(asModule("import logging; logging.disable()", body));

  expect(said.split("\n")).toEqual([
    "20 1 3 1",
    "0 1",
    "{'timeout': 2, 'retries': 0}",
    "7 1 2 0.05",
    "1 1",
    "{'timeout': 0.5, 'retries': 0}",
  ]);
});

test.each([
  ["another version", "patroni.version.__version__ = '4.0.8'", "Patroni 4.0.8 is not known"],
  ["another constant", "patroni.postgresql.STOP_POLLING_INTERVAL = 2", "STOP_POLLING_INTERVAL is not 1"],
  [
    "a constant that is used twice",
    "def f(self, config): return (20, config, max(20, config), 3)\npatroni.config.Config._validate_and_adjust_timeouts = f",
    "f uses 20",
  ],
  ["a function that is gone", "del patroni.ha.Ha.wakeup", "Ha has no wakeup"],
  ["a module that is gone", "del patroni.ha.Ha.demote", "AttributeError"],
])("%s: the wrapper refuses, and nothing is changed", async (_, before, reason) => {
  const after = "print(apply is None, refusal)\nprint(patroni.ha.Ha.__init__.__module__)";
  const [first, second] = (await python(asModule(before, after))).said.split("\n");
  expect(first).toMatch(/^True /);
  expect(first).toContain(reason);
  expect(second).toBe("patroni.ha");
});

test("a reload tells Patroni where etcd is now", async () => {
  const reload = `
from patroni.dcs import etcd
class Client:
    _config = {'hosts': ['https://10.0.0.1:2379']}
    _machines_cache = ['https://10.0.0.1:2379']
    _machines_cache_updated = 9e9
    def reload_config(self, config): pass
class Etcd3(etcd.AbstractEtcd):
    _client = Client()
    __init__ = lambda self: None
Etcd3.__abstractmethods__ = frozenset()
dcs = Etcd3()
dcs.reload_config({'ttl': 20, 'loop_wait': 1, 'retry_timeout': 9, 'etcd3': {'hosts': ['10.0.0.2:2379'], 'protocol': 'https'}})
print(Client._config['hosts'][0], dcs._client._config['hosts'][0], dcs._client._machines_cache_updated)
`;
  const setUp =
    "import logging; logging.disable()\npatroni.dcs.AbstractDCS.reload_config = lambda self, config: None";
  const { said } = await python(asModule(setUp, `apply()\n${reload}`));
  expect(said).toBe("https://10.0.0.2:2379 https://10.0.0.2:2379 0");
  const stock = await python(asModule(setUp, reload));
  expect(stock.said).toBe("https://10.0.0.1:2379 https://10.0.0.1:2379 9000000000.0");
});
