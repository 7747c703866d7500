import { Ec2State } from "../endpoints/ec2/state.ts";
import { tagsOf } from "../endpoints/ec2/tags.ts";
import { resolveTemplate } from "../endpoints/ec2/templates.ts";
import { RoleFacts } from "../endpoints/iam/roles.ts";
import { keyOfParameter } from "../endpoints/ssm/parameters.ts";
import type { Documents } from "../state/documents.ts";
import type { Ec2Surroundings, Surroundings } from "./use.ts";

/** What the deployed stage says that the services themselves do not know. */
export interface StageFacts {
  readonly keyOfBucket: (bucket: string) => string | null;
}

/** The environment as it is at the moment of a question. */
export function surroundingsOf(options: {
  readonly region: string;
  readonly account: string;
  readonly documents: Documents;
  /** Null before the stage is deployed: nothing that is asked for then has been made by it. */
  readonly stage: () => StageFacts | null;
}): Surroundings {
  const { region, account, documents, stage } = options;
  const roles = new RoleFacts(documents);
  return {
    region,
    account,
    ec2: ec2Surroundings(new Ec2State(documents), roles),
    iam: {
      roleArn: (role) => roles.roleArn(role),
      profileArn: (profile) => roles.profileArn(profile),
      boundaryOf: (role) => roles.boundaryOf(role),
    },
    keyOfParameter: (name) => keyArn(keyOfParameter(documents, name)),
    keyOfBucket: (bucket) => stage()?.keyOfBucket(bucket) ?? null,
  };
}

function ec2Surroundings(state: Ec2State, roles: RoleFacts): Ec2Surroundings {
  return {
    tagsOf: (id) => tagsOf(state, id),
    interfaceOf: (id) => state.interfaces.get(id) ?? null,
    keyOfVolume: (id) => keyArn(state.volumes.get(id)?.kmsKeyId ?? null),
    keysOfInstance: (id) => state.volumesOf(id).flatMap(({ kmsKeyId }) => keyArn(kmsKeyId) ?? []),
    templateOf: (reference) => {
      const { template, version } = resolveTemplate(state, reference);
      const { imageId, instanceProfileArn: profile, tags, volumes } = version.data;
      return { id: template.launchTemplateId, imageId, profile, tags, volumes };
    },
    roleOfProfile: (profile) => roles.roleOf(profile)?.arn ?? null,
  };
}

/** AWS's own keys, which go by an alias, ask for no permission of ours. */
function keyArn(key: string | null): string | null {
  return key?.startsWith("arn:") === true ? key : null;
}
