import type { EnvironmentSettings } from "@pgherd/layers/domain";
import type { Compute, Executions, NodeCommandPort, Repositories, Store } from "@pgherd/layers/ports";
import type { Log, Observer } from "@pgherd/layers/runtime";

/** What the routes work with; index.ts wires it to AWS, tests to what they need. */
export interface ApiContext {
  readonly settings: EnvironmentSettings;
  readonly store: Store;
  readonly executions: Pick<Executions, "start">;
  readonly observer: Observer;
  readonly commands: Pick<NodeCommandPort, "run">;
  readonly repositories: Pick<Repositories, "timelines" | "wal" | "probe">;
  readonly compute: Pick<Compute, "unknownSecurityGroups" | "securityGroupUse">;
  readonly log: Log;
}
