import { describe, expect, test } from "vitest";
import {
  dynamicConfiguration,
  lastingEtcd,
  poolSize,
  renderEtcd,
  renderEtcdUnit,
  renderHaproxy,
  renderHaproxyUnit,
  renderMountUnit,
  renderPatroni,
  renderPatroniUnit,
  renderPgbouncer,
  renderPgbouncerUnit,
  renderPgbouncerUsers,
  renderVolumeUnit,
} from "../../../layers/domain/config/index.ts";
import { intentOf, nodeIdOf, peerAt, peersOf, specOf } from "./support.ts";

const secrets = { replicator: "replicator-secret", rewind: "rewind-secret", patroni: "patroni-secret" };
const peers = peersOf(3);
const self = peerAt(peers, 0);

describe("the files of a three-node cluster with the defaults, as reviewed", () => {
  test("etcd", () => expect(renderEtcd(intentOf(), self)).toMatchSnapshot());
  test("Patroni", () => expect(renderPatroni(intentOf(), self, secrets)).toMatchSnapshot());
  test("HAProxy", () => expect(renderHaproxy(peers, self)).toMatchSnapshot());
  test("PgBouncer", () => expect(renderPgbouncer(specOf(), 3)).toMatchSnapshot());
  test("units", () => {
    const units = [renderEtcdUnit(), renderPatroniUnit(true), renderHaproxyUnit(), renderPgbouncerUnit()];
    expect(
      [...units, renderVolumeUnit("vol-0a1b"), renderMountUnit("vol-0a1b")].join("\n"),
    ).toMatchSnapshot();
  });
});

describe("etcd", () => {
  test("names exactly the nodes that run etcd", () => {
    const text = renderEtcd(intentOf({ members: 5 }, peersOf(5, 3)), self);
    for (const index of [0, 1, 2])
      expect(text).toContain(`${nodeIdOf(index)}=https://198.18.0.1${index}:2380`);
    expect(text).not.toContain(nodeIdOf(3));
  });

  test("that joins is the same for a member that has its data as one that founded", () => {
    const founded = renderEtcd(intentOf(), self);
    const joined = renderEtcd({ ...intentOf({ members: 5 }, peersOf(5, 5)), dcsState: "existing" }, self);
    expect(joined).toContain("initial-cluster-state: existing");
    expect(lastingEtcd(joined)).toBe(lastingEtcd(founded));
    expect(lastingEtcd(founded)).toContain("data-dir:");
  });

  test("asks clients and peers for certificates", () => {
    expect(renderEtcd(intentOf(), self).match(/client-cert-auth: true/g)).toHaveLength(2);
  });
});

describe("Patroni", () => {
  test.each([
    ["async", { synchronous_mode: false }],
    ["sync", { synchronous_mode: true, synchronous_mode_strict: false }],
    ["strict", { synchronous_mode: true, synchronous_mode_strict: true }],
    ["quorum", { synchronous_mode: "quorum", synchronous_mode_strict: false }],
  ] as const)("durability %s", (durability, expected) => {
    expect(dynamicConfiguration(specOf({ durability }))).toMatchObject(expected);
  });

  test("timing leaves a leader time to step down before its key expires", () => {
    const { ttl, loop_wait, retry_timeout } = dynamicConfiguration(specOf());
    expect(Number(loop_wait) + 2 * Number(retry_timeout)).toBeLessThanOrEqual(Number(ttl));
  });

  test("only scram over TLS, and postgres and the exporter on the socket", () => {
    const rules = renderPatroni(intentOf(), self, secrets).match(/- "(?:local|host).*"/g) ?? [];
    const accepting = rules.filter((rule) => !rule.includes("reject"));
    expect(accepting).toHaveLength(5);
    expect(accepting.slice(0, 2)).toEqual([
      '- "local all postgres peer"',
      '- "local postgres monitor peer map=exporter"',
    ]);
    for (const rule of accepting.slice(2)) expect(rule).toMatch(/hostssl .* scram-sha-256/);
    const users = accepting.slice(2).flatMap((rule) => rule.split(" ")[3]?.split(",") ?? []);
    expect(users.sort()).toEqual([
      "admin",
      "admin_2",
      "client",
      "client_2",
      "monitor",
      "replicator",
      "rewind",
    ]);
  });

  test("a parameter of the spec that all members share goes to the DCS, another to the member", () => {
    const parameters = { max_connections: 333, work_mem: "7MB", TimeZone: "Europe/Berlin" };
    const text = renderPatroni(intentOf({ parameters }), self, secrets);
    const [, shared = "", member = ""] = /bootstrap:([\s\S]*?)\n {2}initdb:([\s\S]*)/.exec(text) ?? [];
    expect(shared).toContain('max_connections: "333"');
    expect(member).toContain('work_mem: "7MB"');
    expect(member).toContain("TimeZone: Europe/Berlin");
    expect(member).not.toContain("max_connections");
  });

  test("libraries of extensions and of the spec are loaded, each once", () => {
    const parameters = { shared_preload_libraries: "auto_explain, pg_stat_statements" };
    const text = renderPatroni(intentOf({ parameters, extensions: ["pg_stat_statements"] }), self, secrets);
    expect(text).toContain('shared_preload_libraries: "pg_stat_statements,auto_explain"');
  });

  test("speaks to every etcd node and to no other", () => {
    const text = renderPatroni(intentOf({ members: 5 }, peersOf(5, 3)), self, secrets);
    const hosts = /hosts:\n((?: +- .*\n)+)/.exec(text)?.[1];
    expect(hosts?.match(/198\.18\.0\.1\d:2379/g)).toEqual([
      "198.18.0.10:2379",
      "198.18.0.11:2379",
      "198.18.0.12:2379",
    ]);
  });
});

describe("HAProxy", () => {
  const text = renderHaproxy(peers, self);

  test("each pool holds every member and verifies each by its own name", () => {
    for (const pool of ["read_write", "read_only", "any"]) {
      const block = new RegExp(`listen ${pool}\\n([\\s\\S]*?)\\n\\n`).exec(text)?.[1] ?? "";
      for (const peer of peers) {
        expect(block).toMatch(
          new RegExp(
            `server ${peer.nodeId} ${peer.address}:5432 check port 8008 check-ssl verify required .* verifyhost ${peer.nodeId}`,
          ),
        );
      }
    }
  });

  test("cuts connections to a member that is no longer the leader", () => {
    expect(text.match(/on-marked-down shutdown-sessions/g)).toHaveLength(3);
  });

  test("a member of nine is asked no more often than one of three", () => {
    const perSecond = (members: number): number => {
      const all = peersOf(members);
      const everyMs = [
        ...renderHaproxy(all, peerAt(all, 0)).matchAll(/ inter (\d+)ms .* downinter (\d+)ms /g),
      ];
      expect(everyMs).toHaveLength(3);
      return everyMs.reduce((sum, [, up, down]) => {
        expect(up).toBe(down);
        return sum + (members * 1_000) / Number(up);
      }, 0);
    };
    expect(perSecond(9)).toBeCloseTo(perSecond(3));
  });

  test("leaves out nodes of another shard", () => {
    const stranger = { ...peerAt(peersOf(4), 3), shard: 1 };
    expect(renderHaproxy([...peers, stranger], self)).not.toContain(stranger.nodeId);
  });
});

describe("PgBouncer", () => {
  test("poolers together take less than the leader's connections", () => {
    for (const poolers of [1, 3, 9]) {
      expect(poolSize(specOf(), poolers) * poolers).toBeLessThan(256);
    }
  });

  test("serves the one database, in the mode and for as many clients as the spec says", () => {
    const pooler = { mode: "session", maxClientConnections: 77 } as const;
    const text = renderPgbouncer(specOf({ database: "orders", pooler }), 1);
    expect(text).toContain("orders = host=127.0.0.1 port=5000");
    expect(text).toContain("pool_mode = session");
    expect(text).toContain("max_client_conn = 77");
  });

  test("its user file holds logins, quoted", () => {
    expect(renderPgbouncerUsers([["admin", 'a"b']])).toBe('"admin" "a""b"\n');
  });
});

describe("units", () => {
  const units = {
    etcd: renderEtcdUnit(),
    patroni: renderPatroniUnit(true),
    haproxy: renderHaproxyUnit(),
    pgbouncer: renderPgbouncerUnit(),
  };

  test.each(Object.entries(units))(
    "%s has a user of its own, no capability and a system it cannot change",
    (_, unit) => {
      expect(unit).toMatch(/^User=(?!root)[a-z]+$/m);
      for (const line of [
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "Restart=always",
      ]) {
        expect(unit.split("\n")).toContain(line);
      }
    },
  );

  test("no two services share a user", () => {
    const users = Object.values(units).map((unit) => /^User=(.*)$/m.exec(unit)?.[1]);
    expect(new Set(users).size).toBe(users.length);
  });

  test("what keeps data waits for the data volume", () => {
    for (const unit of [units.etcd, units.patroni])
      expect(unit).toContain("RequiresMountsFor=/var/lib/pgherd/data");
  });
});
