import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const root = join(import.meta.dirname, "..", "..", "..");
/** Neither is needed for a deployment; the packages are the same ones. */
const leftOut: ReadonlySet<string> = new Set([".git", "node_modules", "test"]);

/** A checkout of its own in which one file is another: what a deployment of the next version starts from. */
export class ChangedCheckout implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** @throws when the file does not have `from` in it */
  static async make(change: { file: string; from: string; to: string }): Promise<ChangedCheckout> {
    const checkout = new ChangedCheckout(await mkdtemp(join(tmpdir(), "pgherd-checkout-")));
    await cp(root, checkout.directory, {
      recursive: true,
      filter: (source) => !leftOut.has(basename(source)),
    });
    await symlink(join(root, "node_modules"), join(checkout.directory, "node_modules"));
    const path = join(checkout.directory, change.file);
    const text = await readFile(path, "utf8");
    if (!text.includes(change.from)) throw new Error(`${change.file} does not have ${change.from} in it`);
    await writeFile(path, text.replace(change.from, change.to));
    return checkout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
