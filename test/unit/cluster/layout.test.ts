import { expect, test } from "vitest";
import { monitoringCidrsMax } from "../../../infra/config/schema.ts";
import { clientSourcesMax } from "../../../layers/domain/cluster/spec.ts";
import {
  checkSpec,
  completeSpec,
  hasSameClients,
  isForTheRecord,
  layoutNodes,
  nodeRole,
  nodeSpec,
  nodeTotal,
  securityRules,
  securityRulesMax,
  storedSpecSchema,
  synchronousStandbys,
  zonesToTry,
} from "../../../layers/domain/index.ts";

const defaults = { instanceType: "t4g.medium", deletionProtection: false };
const specOf = (body: Omit<Parameters<typeof completeSpec>[0], "name">) =>
  completeSpec({ name: "orders", ...body }, defaults);
const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `nod_${index}`);
const zones = ["a", "b", "c"];
const environment: Parameters<typeof securityRules>[1] = {
  defaultClientCidrs: ["10.0.0.0/8"],
  monitoring: { securityGroupId: "sg-watching", cidrs: [] },
};
const ofCidrs = (rules: ReturnType<typeof securityRules>) =>
  rules.flatMap(({ fromPort, source, toPort }) =>
    source !== "self" && "cidr" in source ? [{ fromPort, toPort, cidr: source.cidr }] : [],
  );

test("nodes take the zones in turn", () => {
  const nodes = layoutNodes(specOf({ members: 5 }), zones, ids(5));
  expect(nodes.map((node) => node.zone)).toEqual(["a", "b", "c", "a", "b"]);
});

test("etcd runs on the first nodes, PostgreSQL and HAProxy on all", () => {
  const nodes = layoutNodes(specOf({ members: 4 }), zones, ids(4));
  const runs = (service: "etcd" | "postgres" | "haproxy" | "pgbouncer") =>
    nodes.map((node) => node.services.includes(service));
  expect(runs("etcd")).toEqual([true, true, true, false]);
  expect(runs("postgres")).toEqual([true, true, true, true]);
  expect(runs("haproxy")).toEqual([true, true, true, true]);
  expect(runs("pgbouncer")).toEqual([true, true, true, true]);
});

test("etcd and the proxies have nodes of their own where asked, each kind spread over the zones", () => {
  const spec = specOf({
    members: 2,
    dcs: { members: 3, placement: "dedicated" },
    proxy: { placement: "dedicated" },
  });
  const nodes = layoutNodes(spec, zones, ids(nodeTotal(spec)));
  expect(nodes.map(({ zone, services }) => [zone, services.join(" ")])).toEqual([
    ["a", "postgres"],
    ["b", "postgres"],
    ["a", "etcd"],
    ["b", "etcd"],
    ["c", "etcd"],
    ["a", "haproxy pgbouncer"],
    ["b", "haproxy pgbouncer"],
  ]);
  expect(nodes.map(nodeRole)).toEqual(["data", "data", "dcs", "dcs", "dcs", "proxy", "proxy"]);
});

test("PgBouncer runs nowhere, and its port is closed, where the pooler is off", () => {
  const spec = specOf({ members: 1, pooler: { enabled: false } });
  expect(layoutNodes(spec, zones, ids(1))[0]?.services).toEqual(["postgres", "etcd", "haproxy"]);
  expect(securityRules(spec, environment).map((rule) => rule.fromPort)).not.toContain(6432);
});

test("a layout needs one id per member and a zone", () => {
  expect(() => layoutNodes(specOf({ members: 3 }), zones, ids(2))).toThrow(/3 nodes/);
  expect(() => layoutNodes(specOf({ members: 1 }), [], ids(1))).toThrow(/no zone/);
});

test("clients reach the proxy and the pooler, and nothing else", () => {
  const rules = securityRules(specOf({}), environment);
  expect(ofCidrs(rules)).toEqual([
    { fromPort: 5000, toPort: 5002, cidr: "10.0.0.0/8" },
    { fromPort: 6432, toPort: 6432, cidr: "10.0.0.0/8" },
  ]);
});

test("access.cidrs take the place of the environment's, each once", () => {
  const spec = specOf({ access: { cidrs: ["192.0.2.0/24", "192.0.2.0/24"] } });
  const rules = securityRules(spec, environment);
  expect(ofCidrs(rules).map(({ cidr }) => cidr)).toEqual(["192.0.2.0/24", "192.0.2.0/24"]);
});

test("members of access.securityGroupIds are clients beside access.cidrs, or instead of the environment's", () => {
  const securityGroupIds = ["sg-0a1b2c3d", "sg-0a1b2c3d"];
  const fromGroup = (rules: ReturnType<typeof securityRules>) =>
    rules.flatMap(({ fromPort, source, toPort }) =>
      source !== "self" && "securityGroupId" in source && source.securityGroupId === "sg-0a1b2c3d"
        ? [`${fromPort}-${toPort}`]
        : [],
    );
  const alone = securityRules(specOf({ access: { securityGroupIds } }), environment);
  expect(fromGroup(alone)).toEqual(["5000-5002", "6432-6432"]);
  expect(ofCidrs(alone)).toEqual([]);
  const both = specOf({ access: { securityGroupIds, cidrs: ["192.0.2.0/24"] } });
  expect(fromGroup(securityRules(both, environment))).toEqual(["5000-5002", "6432-6432"]);
  expect(ofCidrs(securityRules(both, environment)).map(({ cidr }) => cidr)).toEqual([
    "192.0.2.0/24",
    "192.0.2.0/24",
  ]);
});

test("a spec that was kept before groups could be named names none, and its nodes are told the same whoever may connect", () => {
  const spec = specOf({ access: { cidrs: ["192.0.2.0/24"] } });
  const before = { ...spec, access: { cidrs: ["192.0.2.0/24"] } };
  expect(storedSpecSchema.parse(before)).toEqual(spec);
  const named = specOf({ access: { securityGroupIds: ["sg-0a1b2c3d"] } });
  expect(nodeSpec(named, "t4g.small")).toEqual(nodeSpec(spec, "t4g.small"));
  expect(hasSameClients(named, spec)).toBe(false);
  expect(isForTheRecord(named, spec)).toBe(false);
});

test("whoever watches reads metrics and HAProxy's statistics of every cluster, and nothing else", () => {
  const spec = specOf({ access: { cidrs: ["192.0.2.0/24"] } });
  const monitoring = { securityGroupId: "sg-watching", cidrs: ["10.9.0.0/24", "10.9.0.0/24"] };
  const rules = securityRules(spec, { ...environment, monitoring });
  for (const source of [{ securityGroupId: "sg-watching" }, { cidr: "10.9.0.0/24" }]) {
    const ports = rules.filter((rule) => JSON.stringify(rule.source) === JSON.stringify(source));
    expect(ports.map(({ fromPort, toPort }) => [fromPort, toPort])).toEqual([
      [7000, 7000],
      [9187, 9187],
    ]);
  }
  const watched = [7000, 9187];
  const others = rules.filter(({ source }) => source === "self" || !("securityGroupId" in source));
  expect(others.filter((rule) => watched.includes(rule.fromPort)).map(({ source }) => source)).toEqual([
    { cidr: "10.9.0.0/24" },
    { cidr: "10.9.0.0/24" },
  ]);
});

test("as many blocks and groups as a spec and an environment may name fit into one security group of EC2, and no more are taken", () => {
  const blocks = (count: number) => Array.from({ length: count }, (_, index) => `10.${index}.0.0/16`);
  const monitoring = { securityGroupId: "sg-watching", cidrs: blocks(monitoringCidrsMax) };
  const securityGroupIds = ["sg-0a1b2c3d", "sg-0a1b2c3e"];
  const naming = (count: number) => specOf({ access: { cidrs: blocks(count), securityGroupIds } });
  const [most, tooMany] = [naming(clientSourcesMax - 2), naming(clientSourcesMax - 1)];
  expect(checkSpec(most).errors).toEqual([]);
  expect(securityRules(most, { ...environment, monitoring }).length).toBeLessThanOrEqual(securityRulesMax);
  expect(checkSpec(tooMany).errors.map(({ path }) => path)).toEqual(["/access/securityGroupIds"]);
  const defaultClientCidrs = blocks(clientSourcesMax);
  const others = securityRules(specOf({}), { ...environment, defaultClientCidrs, monitoring });
  expect(others.length).toBeLessThanOrEqual(securityRulesMax);
});

test("nodes reach each other's PostgreSQL, Patroni and etcd", () => {
  const rules = securityRules(specOf({}), { ...environment, defaultClientCidrs: [] });
  const open = (port: number) =>
    rules.some((rule) => rule.source === "self" && rule.fromPort <= port && port <= rule.toPort);
  expect([5432, 8008, 2379, 2380, 5000, 5001, 5002, 6432].every(open)).toBe(true);
  expect(open(22)).toBe(false);
});

test("a node whose zone is full tries the others in turn, and goes on where it was", () => {
  expect(zonesToTry(zones, "b", "b")).toEqual(["b", "c", "a"]);
  expect(zonesToTry(zones, "b", "c")).toEqual(["c", "a"]);
  expect(zonesToTry(zones, "b", "a")).toEqual(["a"]);
});

test("only asynchronous clusters and single members do without a synchronous standby", () => {
  expect(synchronousStandbys(specOf({ members: 3 }))).toBe(1);
  expect(synchronousStandbys(specOf({ members: 3, durability: "async" }))).toBe(0);
  expect(synchronousStandbys(specOf({ members: 1 }))).toBe(0);
});
