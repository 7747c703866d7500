import { describe, expect, test } from "vitest";
import {
  exporterNames,
  exporterSocket,
  renderExporterSocket,
  renderExporterUnit,
  renderMetrics,
  renderMetricsFrontUnit,
  renderMetricsSocket,
  renderMetricsUnit,
} from "../../../layers/domain/config/index.ts";
import { nodeIdOf, peerAt, peersOf } from "./support.ts";

const self = peerAt(peersOf(3), 0);

describe("the files of a node with everything, as reviewed", () => {
  test("HAProxy before the metrics", () => expect(renderMetrics(self)).toMatchSnapshot());
  test("units", () => {
    const units = [renderMetricsSocket(), renderMetricsUnit(), renderMetricsFrontUnit()];
    const ofExporters = exporterNames.flatMap((name) => [
      renderExporterSocket(name),
      renderExporterUnit(name),
    ]);
    expect([...units, ...ofExporters].join("\n")).toMatchSnapshot();
  });
});

describe("the front of a node's metrics", () => {
  const pathsOf = (text: string) => /unless \{ path (.*) \}/.exec(text)?.[1]?.split(" ");
  const backendsOf = (text: string) => [...text.matchAll(/^backend (\w+)$/gm)].map(([, name]) => `/${name}`);

  test("leads to what the node runs, and every node tells of its machine", () => {
    for (const [services, paths] of [
      [["etcd"], ["/node", "/etcd"]],
      [
        ["haproxy", "pgbouncer"],
        ["/node", "/haproxy", "/pgbouncer"],
      ],
      [
        ["postgres", "etcd"],
        ["/node", "/postgres", "/patroni", "/etcd"],
      ],
    ] as const) {
      const text = renderMetrics({ ...self, services: [...services] });
      expect(pathsOf(text)).toEqual(paths);
      expect(backendsOf(text)).toEqual(paths);
    }
  });

  test("asks for metrics whatever it is asked for: Patroni's and etcd's verbs are out of reach", () => {
    const text = renderMetrics(self);
    expect(text).toContain("http-request return status 405 hdr Allow GET unless METH_GET");
    expect(text.match(/set-uri|set-path/g)).toEqual(["set-uri"]);
    expect(text).toMatch(/http-request set-uri \/metrics\n/);
  });

  test("verifies what it speaks to over TLS by the node's own name, and shows a certificate to etcd alone", () => {
    const servers = renderMetrics(self).match(/^ {4}server .*$/gm) ?? [];
    expect(servers).toHaveLength(6);
    for (const server of servers.filter((line) => !line.includes("unix@")))
      expect(server).toMatch(new RegExp(` ssl verify required ca-file \\S+ verifyhost ${nodeIdOf(0)}`));
    expect(servers.filter((line) => line.includes(" crt ")).map((line) => line.split(" ")[5])).toEqual([
      "etcd",
    ]);
  });

  test("finds the exporters on sockets that nobody else may use", () => {
    const text = renderMetrics(self);
    for (const name of exporterNames) {
      expect(text).toContain(`server ${name} unix@${exporterSocket(name)}`);
      expect(renderExporterSocket(name)).toContain(`ListenStream=${exporterSocket(name)}`);
      expect(renderExporterSocket(name)).toMatch(/^SocketUser=haproxy\nSocketMode=0600$/m);
    }
  });
});

describe("units of metrics", () => {
  const services = [renderMetricsUnit(), renderMetricsFrontUnit(), ...exporterNames.map(renderExporterUnit)];

  test("none is started by anything but a question", () => {
    for (const unit of services) expect(unit).not.toMatch(/^\[Install\]|^Restart=/m);
    for (const unit of [renderMetricsSocket(), ...exporterNames.map(renderExporterSocket)])
      expect(unit).toMatch(/^WantedBy=multi-user.target$/m);
  });

  test("run below PostgreSQL, as a user of no rights", () => {
    for (const unit of services) {
      expect(unit).toMatch(/^User=(?!root)[a-z]+$/m);
      expect(unit).toMatch(/^OOMScoreAdjust=500$/m);
      expect(unit).toMatch(/^CapabilityBoundingSet=$/m);
    }
  });

  test("have no password", () => {
    for (const unit of services) expect(unit).not.toMatch(/passw(or)?d=|pgpass/i);
  });
});
