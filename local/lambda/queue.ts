import { randomUUID } from "node:crypto";
import type { Collection, Documents } from "../state/documents.ts";

/** An asynchronous invocation that has not been delivered yet. */
interface QueuedEvent {
  readonly id: string;
  readonly reference: string;
  readonly payload: string;
  readonly attempts: number;
  /** Epoch milliseconds. */
  readonly notBefore: number;
}

/** Lambda tries an event three times in all: again after a minute, and after two more. */
const retryDelaysMs: readonly number[] = [60_000, 120_000];

/** Asynchronous invocations: stored before they are answered, delivered at least once, also after a crash. */
export class EventQueue {
  readonly #events: Collection<QueuedEvent>;
  readonly #deliver: (reference: string, payload: string) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  readonly #retryDelaysMs: readonly number[];
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #closed = false;

  constructor(options: {
    documents: Documents;
    deliver: (reference: string, payload: string) => Promise<void>;
    onError: (error: unknown) => void;
    retryDelaysMs?: readonly number[];
  }) {
    this.#events = options.documents.collection("lambda-events");
    this.#deliver = options.deliver;
    this.#onError = options.onError;
    this.#retryDelaysMs = options.retryDelaysMs ?? retryDelaysMs;
  }

  add(reference: string, payload: string): void {
    const event = { id: randomUUID(), reference, payload, attempts: 0, notBefore: Date.now() };
    this.#events.put(event.id, event);
    this.#schedule(event);
  }

  recover(): void {
    for (const event of this.#events.list()) this.#schedule(event);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #schedule(event: QueuedEvent): void {
    const timer = setTimeout(() => void this.#run(event), Math.max(0, event.notBefore - Date.now()));
    this.#timers.set(event.id, timer);
  }

  async #run(event: QueuedEvent): Promise<void> {
    this.#timers.delete(event.id);
    try {
      await this.#deliver(event.reference, event.payload);
      if (!this.#closed) this.#events.delete(event.id);
    } catch (error) {
      if (this.#closed) return;
      this.#onError(error);
      const delay = this.#retryDelaysMs[event.attempts];
      if (delay === undefined) {
        this.#events.delete(event.id);
        return;
      }
      const again = { ...event, attempts: event.attempts + 1, notBefore: Date.now() + delay };
      this.#events.put(again.id, again);
      this.#schedule(again);
    }
  }
}
