import { readdir, readFile } from "node:fs/promises";
import { findingKinds } from "@pgherd/layers/domain";
import { describe, expect, test } from "vitest";
import { controlPlaneRunbooks } from "../../../infra/constructs/alarm-list.ts";

const repository = new URL("../../../", import.meta.url);
const read = (path: string): Promise<string> => readFile(new URL(path, repository), "utf8");

/** What pgherd says outside of the status, and the file that says it. */
const others: readonly (readonly [word: string, file: string])[] = [
  ["paused", "layers/domain/cluster/cluster.ts"],
  ["drift", "layers/domain/cluster/cluster.ts"],
  ["orphan-found", "functions/reconcilers/orphans/reconcile.ts"],
  ["blocked", "functions/workflows/converge-cluster.ts"],
  ["execution-lost", "functions/reconcilers/stuck-operations/reconcile.ts"],
  ["api-silent", "layers/domain/prometheus/alerts.ts"],
];
/** Those of the alarms of the control plane itself; test/infra finds the alarms. */
const names = [...findingKinds, ...others.map(([word]) => word), ...controlPlaneRunbooks];

test("whatever pgherd complains of has its runbook, and every runbook is about something that it says", async () => {
  const files = (await readdir(new URL("docs/runbooks/", repository))).filter((file) => file !== "README.md");
  expect(files.toSorted()).toEqual(names.map((name) => `${name}.md`).toSorted());
  for (const [word, file] of others) expect(await read(file), word).toMatch(new RegExp(`\\b${word}\\b`));
});

test("the list of runbooks has every one, those of the status in the order of how bad it is", async () => {
  const list = await read("docs/runbooks/README.md");
  const linked = [...list.matchAll(/\[([\w-]+)\]\(\1\.md\)/g)].map((match) => match[1]);
  expect(linked).toEqual(expect.arrayContaining(names));
  expect(linked.slice(0, findingKinds.length)).toEqual(findingKinds);
});

describe.each(names)("the runbook %s", (name) => {
  test("quotes what is said, and says what to look at and what to do", async () => {
    const page = await read(`docs/runbooks/${name}.md`);
    expect(page).toMatch(new RegExp(`^# ${name}\n\n> .+\n`));
    expect(page).toMatch(/\n## Look at\n\n- [\s\S]+\n## Do\n\n- /);
  });
});
