import { setTimeout as delay } from "node:timers/promises";
import { type Caller, ServiceError } from "./service.ts";

/** What goes wrong. `drop-answer` does the work and loses the answer, `drop-request` loses the request. */
export type FaultEffect =
  | { readonly kind: "error"; readonly code: string; readonly message?: string; readonly statusCode?: number }
  | { readonly kind: "throttle" }
  | { readonly kind: "delay"; readonly milliseconds: number }
  | { readonly kind: "drop-request" }
  | { readonly kind: "drop-answer" }
  | { readonly kind: "repeat" };

/** The connection is cut instead of answered. */
export class Dropped extends Error {}

export interface FaultRule {
  readonly service?: string;
  readonly action?: string;
  /** Part of the caller's ARN. */
  readonly caller?: string;
  /** Part of the input written as JSON: a zone, a tag's value, an id. */
  readonly inputContains?: string;
  /** The first call that it hits, counted from 1 among those that match. */
  readonly nth?: number;
  /** How many calls it hits; one where nothing is said. */
  readonly times?: number;
  readonly effect: FaultEffect;
}

interface ActiveRule {
  readonly id: string;
  readonly rule: FaultRule;
  seen: number;
  hits: number;
}

/** Failures on demand, so that a test sees what the product does about them. */
export class Faults {
  #rules: ActiveRule[] = [];
  #nextId = 1;

  add(rule: FaultRule): string {
    const id = `fault-${this.#nextId++}`;
    this.#rules.push({ id, rule, seen: 0, hits: 0 });
    return id;
  }

  remove(id: string): void {
    this.#rules = this.#rules.filter((active) => active.id !== id);
  }

  clear(): void {
    this.#rules = [];
  }

  list(): readonly { id: string; rule: FaultRule; seen: number; hits: number }[] {
    return this.#rules.map((active) => ({ ...active }));
  }

  /** The effects that this call suffers; counts it. */
  take(call: { service: string; action: string; caller: Caller; input: unknown }): readonly FaultEffect[] {
    if (this.#rules.length === 0) return [];
    const effects: FaultEffect[] = [];
    for (const active of this.#rules) {
      if (!matches(active.rule, call)) continue;
      active.seen += 1;
      const first = active.rule.nth ?? 1;
      if (active.seen < first || active.hits >= (active.rule.times ?? 1)) continue;
      active.hits += 1;
      effects.push(active.rule.effect);
    }
    return effects;
  }
}

/** What an effect does before the call is carried out. @param throttled the service's own way to say "too much". */
export async function suffer(effect: FaultEffect, throttled: ServiceError): Promise<void> {
  switch (effect.kind) {
    case "delay":
      await delay(effect.milliseconds);
      return;
    case "error":
      throw new ServiceError(effect.code, effect.message ?? "a fault was injected", effect.statusCode ?? 400);
    case "throttle":
      throw throttled;
    case "drop-request":
      throw new Dropped("request dropped by a fault");
    case "drop-answer":
    case "repeat":
      return;
  }
}

function matches(
  rule: FaultRule,
  call: { service: string; action: string; caller: Caller; input: unknown },
): boolean {
  return (
    (rule.service === undefined || rule.service === call.service) &&
    (rule.action === undefined || rule.action === call.action) &&
    (rule.caller === undefined || call.caller.arn.includes(rule.caller)) &&
    (rule.inputContains === undefined || JSON.stringify(call.input).includes(rule.inputContains))
  );
}
