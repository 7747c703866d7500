import { execFile } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const repository = fileURLToPath(new URL("../../../", import.meta.url));

async function pages(): Promise<string[]> {
  const { stdout } = await promisify(execFile)("git", ["ls-files", "-co", "--exclude-standard", "*.md"], {
    cwd: repository,
  });
  return stdout.split("\n").filter((file) => file !== "");
}

/** As a page's headings are addressed. */
const anchorsOf = (page: string): string[] =>
  [...page.matchAll(/^#+ (.+)$/gm)].map((match) =>
    (match[1] ?? "")
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(/\s/g, "-"),
  );

test("every link between pages leads to a page that is there, and to a heading that it has", async () => {
  const broken: string[] = [];
  for (const file of await pages()) {
    const text = (await readFile(path.join(repository, file), "utf8")).replaceAll(/^```[\s\S]*?^```$/gm, "");
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [to = "", anchor] = target.split("#");
      const place =
        to === "" ? path.join(repository, file) : path.resolve(repository, path.dirname(file), to);
      const there = await stat(place).catch(() => null);
      const isWrongAnchor =
        anchor !== undefined &&
        there?.isFile() === true &&
        !anchorsOf(await readFile(place, "utf8")).includes(anchor);
      if (there === null || isWrongAnchor) broken.push(`${file}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});
