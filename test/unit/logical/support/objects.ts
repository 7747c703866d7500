import type { Objects } from "../../../../layers/node/context.ts";

/** A bucket in memory. */
export class PaperObjects implements Objects {
  readonly kept = new Map<string, Buffer>();
  /** Set: what is put does not arrive. */
  refusal: Error | null = null;
  putting = 0;
  puttingMost = 0;

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.putting += 1;
    this.puttingMost = Math.max(this.puttingMost, this.putting);
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.putting -= 1;
    if (this.refusal !== null) throw this.refusal;
    this.kept.set(key, Buffer.from(bytes));
  }

  async putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    if (this.kept.has(key)) return false;
    await this.put(key, bytes);
    return true;
  }

  async get(key: string, part?: { readonly offset: number; readonly bytes: number }): Promise<Buffer | null> {
    const whole = this.kept.get(key);
    if (whole === undefined) return null;
    return part === undefined ? whole : whole.subarray(part.offset, part.offset + part.bytes);
  }

  async *list(prefix: string): AsyncGenerator<readonly string[]> {
    yield [...this.kept.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.kept.delete(key);
  }

  [Symbol.dispose](): void {}
}
