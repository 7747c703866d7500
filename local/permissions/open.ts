import type { Deployment } from "../deploy/deploy.ts";
import type { Documents } from "../state/documents.ts";
import { PermissionRecord } from "./record.ts";
import { surroundingsOf } from "./surroundings.ts";
import { type CallListener, watchPermissions } from "./watch.ts";

type Stage = Pick<Deployment, "keyOfBucket" | "resources" | "roleOf">;

export interface Permissions {
  readonly onCall: CallListener;
  /** From now on the stage's buckets and roles are known. */
  deployed(stage: Stage): void;
  close(): Promise<void>;
}

/** The record of an environment's used permissions, and who writes it. */
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
  const facts = () =>
    stage === null ? null : { keyOfBucket: stage.keyOfBucket, roleArnOf: roleArns(stage) };
  return {
    onCall: watchPermissions({
      record,
      surroundings: surroundingsOf({ region, account, documents, stage: facts }),
      onError,
    }),
    deployed: (deployment) => {
      stage = deployment;
      record.deployed({ region, account, resources: deployment.resources });
    },
    close: () => record.flush(),
  };
}

/** Instance profile → ARN of its role. */
function roleArns({ roleOf, resources }: Stage): (profile: string) => string | null {
  return (profile) => {
    const name = roleOf(profile);
    const role = Object.values(resources).find(
      ({ ref, attributes }) => ref === name && attributes["Arn"]?.includes(":role/") === true,
    );
    return role?.attributes["Arn"] ?? null;
  };
}
