import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MachineFiles } from "../../../local/machines/machine-files.ts";

const spec = {
  instanceId: "i-0123456789abcdef0",
  hostname: "machine-4",
  imagePath: "/image",
  interface: {
    networkInterfaceId: "eni-0123456789abcdef0",
    address: "198.19.244.4",
    macAddress: "02:00:00:00:00:04",
    zone: "local-1a",
  },
};
const certificate = (name: string) => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`;

let directory: string;
let lower: string[];
let files: MachineFiles;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-machine-files-"));
  lower = [join(directory, "loader"), join(directory, "base")];
  await mkdir(join(directory, "base", "etc", "ssl", "certs"), { recursive: true });
  const trusted = join(directory, "base", "etc", "ssl", "certs", "ca-certificates.crt");
  await writeFile(trusted, certificate("world"));
  files = new MachineFiles(directory, spec.instanceId);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const prepare = (names: Record<string, string>, authority: string | null) =>
  files.prepareRoot(spec, "", lower, { names, authority });
const inMachine = (path: string) => readFile(join(files.directory, "upper", path), "utf8");

test("a machine knows itself and the names of its surroundings, as they are at each boot", async () => {
  await prepare({ "s3.local-1.amazonaws.com": "198.19.244.1" }, null);
  const hosts = await inMachine("etc/hosts");
  expect(hosts).toBe("127.0.0.1 localhost\n198.19.244.4 machine-4\n198.19.244.1 s3.local-1.amazonaws.com\n");
  const id = await inMachine("etc/machine-id");
  await prepare({ "s3.local-1.amazonaws.com": "198.19.248.1" }, null);
  expect(await inMachine("etc/hosts")).toContain("198.19.248.1 s3.local-1.amazonaws.com\n");
  expect(await inMachine("etc/machine-id")).toBe(id);
});

test("it trusts the CA of its surroundings beside those of its image", async () => {
  await prepare({}, certificate("environment"));
  const trusted = await inMachine("etc/ssl/certs/ca-certificates.crt");
  expect(trusted).toBe(certificate("world") + certificate("environment"));
  await prepare({}, certificate("environment"));
  expect(await inMachine("etc/ssl/certs/ca-certificates.crt")).toBe(trusted);
});

test("nothing is written below /usr, which would make the first boot update what is up to date", async () => {
  await prepare({ name: "198.19.244.1" }, certificate("environment"));
  expect(await readdir(join(files.directory, "upper"))).toEqual(["etc"]);
});
