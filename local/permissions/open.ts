import type { Deployment } from "../deploy/deploy.ts";
import type { Documents } from "../state/documents.ts";
import { PermissionRecord } from "./record.ts";
import { type Refusal, refusalOf } from "./refuse.ts";
import { surroundingsOf } from "./surroundings.ts";
import { type CallListener, watchPermissions } from "./watch.ts";

type Stage = Pick<Deployment, "keyOfBucket" | "resources">;

export interface Permissions {
  readonly onCall: CallListener;
  readonly refusal: Refusal;
  /** From now on the stage's buckets and roles are known. */
  deployed(stage: Stage): void;
  close(): Promise<void>;
}

/** The record of an environment's used permissions, who writes it, and what nodes may not do. */
export async function openPermissions(options: {
  readonly file: string;
  readonly region: string;
  readonly account: string;
  readonly documents: Documents;
  readonly onError: (error: unknown) => void;
}): Promise<Permissions> {
  const { region, account, documents, onError } = options;
  const record = await PermissionRecord.open(options.file, onError);
  let stage: Stage | null = null;
  const surroundings = surroundingsOf({ region, account, documents, stage: () => stage });
  return {
    onCall: watchPermissions({ record, surroundings, onError }),
    refusal: refusalOf(documents, surroundings),
    deployed: (deployment) => {
      stage = deployment;
      record.deployed({ region, account, resources: deployment.resources });
    },
    close: () => record.flush(),
  };
}
