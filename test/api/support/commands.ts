import { gzipSync } from "node:zlib";
import type { LogPage } from "@pgherd/layers/domain";
import {
  type ArchiveState,
  type Assessment,
  type NodeCommands,
  nodeVerbs,
  type Observation,
} from "@pgherd/layers/domain/node";
import { CommandError, type NodeCommandPort } from "@pgherd/layers/ports";

type Run = NodeCommandPort["run"];

/** Nodes that answer `observe` as a test says, in memory. */
export class FakeNodes implements Pick<NodeCommandPort, "run"> {
  /** Instance id → what it answers; an instance without an entry never gets the command. */
  readonly observations = new Map<string, Observation | Error>();
  /** Instances in the order in which they were asked. */
  readonly asked: string[] = [];
  /** Instance id → its answer to `assess-role-change`; an instance without one never gets the command. */
  readonly assessments = new Map<string, Assessment>();
  /** Instance id → its answer to `read-logs`, given what it is asked; an instance without one does not answer. */
  readonly logs = new Map<string, (input: NodeCommands["read-logs"]["input"]) => LogPage>();
  /** Instance id → its answer to `archive-state`; an instance without one never gets the command. */
  readonly archives = new Map<string, ArchiveState>();
  /** Name → whether that database is empty; `null`: nobody says. Others are not there. */
  readonly databases = new Map<string, { readonly isEmpty: boolean } | null>();
  /** Instance id → what is free on its volume; an instance without an entry does not answer `inspect`. */
  readonly freeBytes = new Map<string, number>();
  delayMs = 0;

  run: Run = async (target, verb, input) => {
    if (verb === "assess-role-change") {
      const assessment = this.assessments.get(target.instanceId);
      if (assessment === undefined) throw new CommandError("node-not-online", target.instanceId, "no agent");
      // As below: the output of this verb.
      return assessment as Awaited<ReturnType<Run>> as never;
    }
    if (verb === "archive-state") {
      const state = this.archives.get(target.instanceId);
      if (state === undefined) throw new CommandError("node-not-online", target.instanceId, "no agent");
      // As below: the output of this verb.
      return state as Awaited<ReturnType<Run>> as never;
    }
    if (verb === "inspect-database") {
      const found = this.databases.get(nodeVerbs["inspect-database"].input.parse(input).name);
      if (found === null) throw new CommandError("not-leader", target.instanceId, "it does not lead");
      // As below: the output of this verb.
      return { exists: found !== undefined, isEmpty: found?.isEmpty ?? true } as Awaited<
        ReturnType<Run>
      > as never;
    }
    if (verb === "inspect") {
      const free = this.freeBytes.get(target.instanceId);
      if (free === undefined) throw new CommandError("node-not-online", target.instanceId, "no agent");
      // As below: the output of this verb.
      return { ...inspection, disk: { totalBytes: free, usedBytes: 0 } } as Awaited<ReturnType<Run>> as never;
    }
    if (verb === "read-logs") {
      const answer = this.logs.get(target.instanceId);
      if (answer === undefined) throw new CommandError("command-deadline", target.instanceId, "no answer");
      const page = answer(nodeVerbs["read-logs"].input.parse(input));
      // As below: the output of this verb.
      return { page: gzipSync(JSON.stringify(page)).toString("base64") } as Awaited<ReturnType<Run>> as never;
    }
    if (verb !== "observe") throw new Error(`the API sends ${verb}`);
    this.asked.push(target.instanceId);
    await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    const observation = this.observations.get(target.instanceId);
    if (observation === undefined) {
      throw new CommandError("node-not-online", target.instanceId, `no agent for ${JSON.stringify(input)}`);
    }
    if (observation instanceof Error) throw observation;
    // The only verb that gets here is `observe`, whose output this is; TypeScript does not narrow V by the verb.
    return observation as Awaited<ReturnType<Run>> as never;
  };
}

const inspection: NodeCommands["inspect"]["output"] = {
  revision: null,
  services: {},
  disk: { totalBytes: 0, usedBytes: 0 },
  wal: { bytes: 0, readyCount: 0, oldestReadySeconds: null, archivedUntil: null },
  connections: { used: 5, max: 94 },
  certificateNotAfter: "2030-01-01T00:00:00Z",
  nowMs: 0,
  drift: [],
  patroniVersion: null,
  wrapper: false,
};
