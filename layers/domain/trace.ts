/**
 * The variable in which Lambda says which trace belongs to the one invocation that a process carries out. The clients
 * of AWS send it along with their calls.
 */
export const traceVariable = "_X_AMZN_TRACE_ID";

/** A place in an X-Ray trace: what happens now, or what caused it. */
export interface Trace {
  /** `1-<seconds, 8 hex digits>-<24 hex digits>` */
  readonly id: string;
  /** The segment that what happens now is a part of; null at the beginning of a trace. */
  readonly segmentId: string | null;
  /** Whether anybody keeps it. */
  readonly isSampled: boolean;
}

/** `Root=1-…;Parent=…;Sampled=1`, as services of AWS hand it on. Null: there is none. */
export function parseTrace(header: string | undefined): Trace | null {
  const fields = new Map(
    (header ?? "").split(";").map((field): [string, string] => {
      const [name = "", value = ""] = field.trim().split("=");
      return [name, value];
    }),
  );
  const id = fields.get("Root") ?? "";
  if (!/^1-[0-9a-f]{8}-[0-9a-f]{24}$/.test(id)) return null;
  const segmentId = fields.get("Parent") ?? "";
  return {
    id,
    segmentId: /^[0-9a-f]{16}$/.test(segmentId) ? segmentId : null,
    isSampled: fields.get("Sampled") === "1",
  };
}

export function traceHeader({ id, isSampled, segmentId }: Trace): string {
  const parent = segmentId === null ? "" : `;Parent=${segmentId}`;
  return `Root=${id}${parent};Sampled=${isSampled ? 1 : 0}`;
}

/** Something that somebody else did meanwhile. */
export interface TracedWork {
  /** 16 hex digits of its own. */
  readonly id: string;
  readonly name: string;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly error: string | null;
}

const msPerSecond = 1_000;

/**
 * A subsegment that is sent on its own, in X-Ray's words (AWS X-Ray developer guide, "Segment documents"). Null: the
 * trace is not kept, or has no segment that the work could be a part of.
 */
export function subsegmentOf(trace: Trace | null, work: TracedWork): Record<string, unknown> | null {
  if (trace === null || trace.segmentId === null || !trace.isSampled) return null;
  return {
    type: "subsegment",
    namespace: "remote",
    trace_id: trace.id,
    parent_id: trace.segmentId,
    id: work.id,
    name: work.name,
    start_time: work.beganMs / msPerSecond,
    end_time: work.endedMs / msPerSecond,
    annotations: work.annotations,
    ...(work.error === null ? {} : { fault: true, metadata: { error: work.error } }),
  };
}
