import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { recordingsVariable } from "./e2e/support/recording.ts";

/**
 * `npm test`: everything that this machine can run, in the order in which a mistake is cheapest to find.
 * `npm test -- unit api` runs the named kinds only. The last line counts: `123 passed, 0 failed`.
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const kinds = [
  "lint",
  "types",
  "unit",
  "api",
  "workflows",
  "simulation",
  "infra",
  "machines",
  "e2e",
  "clusters",
  "backups",
  "permissions",
] as const;
type Kind = (typeof kinds)[number];
/** They wait for DynamoDB Local a third of their time. */
const withOneWorkerMore: readonly Kind[] = ["api", "workflows"];
/** On real machines, each in an environment of its own. Kinds of one row follow each other; rows take about as long. */
const sideBySide: readonly (readonly Kind[])[] = [["e2e", "clusters"], ["backups"]];
const onMachines = sideBySide.flat();
/** Replay what those recorded. */
const afterwards: readonly Kind[] = ["permissions"];

interface Count {
  passed: number;
  failed: number;
}

function execute(argv: readonly string[]): Promise<number> {
  const [file = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, stdio: "inherit" });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

async function check(argv: readonly string[]): Promise<Count> {
  const code = await execute(argv);
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** Runs one kind of test and counts from the runner's own report; a runner that fails without a report is one failure. */
async function vitest(kind: Kind): Promise<Count> {
  const directory = await mkdtemp(join(tmpdir(), "pgherd-test-"));
  const report = join(directory, "report.json");
  try {
    const code = await execute([
      process.execPath,
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--project",
      kind,
      ...(withOneWorkerMore.includes(kind) ? [`--maxWorkers=${availableParallelism() + 1}`] : []),
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
    ]);
    const counted = await readCounts(report);
    const silentFailure = code !== 0 && counted.failed === 0;
    return silentFailure ? { ...counted, failed: 1 } : counted;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readCounts(report: string): Promise<Count> {
  try {
    const json = JSON.parse(await readFile(report, "utf8")) as {
      numPassedTests: number;
      numFailedTests: number;
    };
    return { passed: json.numPassedTests, failed: json.numFailedTests };
  } catch (error) {
    process.stderr.write(`no report from the test runner: ${String(error)}\n`);
    return { passed: 0, failed: 1 };
  }
}

function runKind(kind: Kind): Promise<Count> {
  switch (kind) {
    case "lint":
      return check([process.execPath, join(root, "node_modules/@biomejs/biome/bin/biome"), "check", "."]);
    case "types":
      return check([process.execPath, join(root, "node_modules/typescript/bin/tsc"), "--noEmit", "-p", "."]);
    default:
      return vitest(kind);
  }
}

function selectKinds(names: readonly string[]): readonly Kind[] {
  const unknown = names.filter((name) => !kinds.some((kind) => kind === name));
  if (unknown.length > 0) {
    throw new Error(`there is no kind of test "${unknown.join('", "')}": choose from ${kinds.join(", ")}`);
  }
  return names.length === 0 ? kinds : kinds.filter((kind) => names.includes(kind));
}

async function report(kind: Kind): Promise<Count> {
  process.stdout.write(`\n== ${kind}\n`);
  const startedAt = Date.now();
  const count = await runKind(kind);
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  process.stdout.write(`== ${kind}: ${count.passed} passed, ${count.failed} failed, ${seconds} s\n`);
  return count;
}

async function reportAll(chosen: readonly Kind[]): Promise<readonly Count[]> {
  const counts: Count[] = [];
  const inTurn = async (kinds: readonly Kind[]): Promise<void> => {
    for (const kind of kinds.filter((one) => chosen.includes(one))) counts.push(await report(kind));
  };
  await inTurn(kinds.filter((kind) => !onMachines.includes(kind) && !afterwards.includes(kind)));
  await Promise.all(sideBySide.map(inTurn));
  await inTurn(afterwards);
  return counts;
}

/** A directory for what environments record, for as long as the work takes; one that is named already is kept. */
async function withRecordings<T>(chosen: readonly Kind[], work: () => Promise<T>): Promise<T> {
  const isRecording = chosen.some((kind) => onMachines.includes(kind));
  if (!isRecording || process.env[recordingsVariable] !== undefined) return work();
  const directory = await mkdtemp(join(tmpdir(), "pgherd-recordings-"));
  process.env[recordingsVariable] = directory;
  try {
    return await work();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const chosen = selectKinds(process.argv.slice(2));
const counts = await withRecordings(chosen, () => reportAll(chosen));
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
