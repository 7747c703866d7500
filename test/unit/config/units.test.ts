import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as configuration from "../../../layers/domain/config/index.ts";
import { runProgram } from "../../../local/machines/program.ts";

const {
  backupServerUnit,
  exporterNames,
  exporterSocketUnit,
  exporterUnit,
  gateSocketUnit,
  gateUnit,
  guardUnit,
  handoverUnit,
  metricsFrontUnit,
  metricsSocketUnit,
  metricsUnit,
  mountUnit,
  volumeUnit,
} = configuration;

const volumeId = "vol-0a1b";
const ofExporters = (name: typeof exporterUnit, render: typeof exporterUnit): Record<string, string> =>
  Object.fromEntries(exporterNames.map((exporter) => [name(exporter), render(exporter)]));

/** Renderer → the units that a node has of it. */
const units: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  renderBackupServerUnit: { [backupServerUnit]: configuration.renderBackupServerUnit() },
  renderEtcdUnit: { "etcd.service": configuration.renderEtcdUnit() },
  renderExporterSocket: ofExporters(exporterSocketUnit, configuration.renderExporterSocket),
  renderExporterUnit: ofExporters(exporterUnit, configuration.renderExporterUnit),
  renderGateSocket: { [gateSocketUnit]: configuration.renderGateSocket() },
  renderGateUnit: { [gateUnit]: configuration.renderGateUnit() },
  renderGuardUnit: { [guardUnit]: configuration.renderGuardUnit() },
  renderHandoverUnit: { [handoverUnit]: configuration.renderHandoverUnit() },
  renderHaproxyUnit: { "haproxy.service": configuration.renderHaproxyUnit() },
  renderMetricsFrontUnit: { [metricsFrontUnit]: configuration.renderMetricsFrontUnit() },
  renderMetricsSocket: { [metricsSocketUnit]: configuration.renderMetricsSocket() },
  renderMetricsUnit: { [metricsUnit]: configuration.renderMetricsUnit() },
  renderMountUnit: { [mountUnit]: configuration.renderMountUnit(volumeId) },
  renderPatroniUnit: { "patroni.service": configuration.renderPatroniUnit(true) },
  renderPgbouncerUnit: { "pgbouncer.service": configuration.renderPgbouncerUnit() },
  renderVolumeUnit: { [volumeUnit]: configuration.renderVolumeUnit(volumeId) },
};

/** Nodes have the programs, this machine need not; machines that boot with the units start them (test/machines, e2e). */
const isMissingProgram = /: Command \S+ is not executable: No such file or directory$/;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-units-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** What systemd says of units that lie beside each other, without what it says of the programs in them. */
async function complaints(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const paths = Object.keys(files).map((name) => join(directory, name));
  await Promise.all(
    Object.entries(files).map(([name, content]) => writeFile(join(directory, name), content)),
  );
  // It ends with 1 where a program is missing, and tells everything on its standard error.
  const output = await runProgram("/bin/sh", [
    "-c",
    'systemd-analyze verify --man=no "$@" 2>&1 || true',
    "sh",
    ...paths,
  ]);
  return output.split("\n").filter((line) => line !== "" && !isMissingProgram.test(line));
}

describe("systemd", () => {
  test("understands every line of every unit that a node gets", async () => {
    const rendered = Object.keys(configuration).filter((name) => /^render\w*(Unit|Socket)$/.test(name));
    expect(Object.keys(units)).toEqual(rendered.toSorted());
    expect(await complaints(Object.assign({}, ...Object.values(units)))).toEqual([]);
  });

  test("says which line it does not understand: it reads them", async () => {
    const careless = configuration.renderEtcdUnit().replace("LimitNOFILE=", "LimitNoFile=");
    expect((await complaints({ "etcd.service": careless })).join("\n")).toMatch(/LimitNoFile/);
  });
});
