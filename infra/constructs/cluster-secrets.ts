import type { IGrantable } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { allow } from "./allow.ts";
import type { EnvironmentKey } from "./environment-key.ts";
import { clusterParametersArn, clusterPathsArn, environmentPathArn, storeParametersArn } from "./names.ts";

const wildcard = "Clusters are made at run time; the path holds this environment's and no others.";

/** The clusters' secrets in Parameter Store. They are made at run time; here is who may do what with them. */
export class ClusterSecrets extends Construct {
  readonly #environment: string;
  readonly #key: EnvironmentKey;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly environment: string; readonly key: EnvironmentKey },
  ) {
    super(scope, id);
    this.#environment = props.environment;
    this.#key = props.key;
  }

  /** Makes passwords and CA keys and reads them back to sign. */
  grantMakeAndRead(grantee: IGrantable): void {
    const resources = [clusterParametersArn(this, this.#environment)];
    allow(grantee, {
      actions: ["ssm:PutParameter", "ssm:AddTagsToResource", "ssm:GetParameter"],
      resources,
      wildcard,
    });
    this.#key.grantEncryptParameters(grantee);
    this.#key.grantDecryptParameters(grantee, "*");
  }

  /** Keys of stores of others that hold backups: people make them, and nothing here changes one. */
  grantReadStoreKeys(grantee: IGrantable): void {
    allow(grantee, {
      actions: ["ssm:GetParameter"],
      resources: [storeParametersArn(this, this.#environment)],
      wildcard: "People name them at run time; the path holds keys of stores for backups and nothing else.",
    });
    this.#key.grantDecryptStoreKeys(grantee);
  }

  /** Finds those of all clusters, without being able to decrypt one. */
  grantList(grantee: IGrantable): void {
    allow(grantee, {
      actions: ["ssm:GetParametersByPath"],
      resources: [environmentPathArn(this, this.#environment)],
    });
  }

  /** Finds and removes them without being able to decrypt one. */
  grantRemove(grantee: IGrantable): void {
    const parameters = clusterParametersArn(this, this.#environment);
    allow(grantee, { actions: ["ssm:DeleteParameters"], resources: [parameters], wildcard });
    // Here the path itself is the resource.
    const paths = clusterPathsArn(this, this.#environment);
    allow(grantee, { actions: ["ssm:GetParametersByPath"], resources: [paths, parameters], wildcard });
  }
}
