import { Grant, type IGrantable } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import type { EnvironmentKey } from "./environment-key.ts";
import { clusterParametersArn } from "./names.ts";

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
    this.#grant(grantee, ["ssm:PutParameter", "ssm:AddTagsToResource", "ssm:GetParameter"]);
    this.#key.grantEncryptParameters(grantee);
    this.#key.grantDecryptParameters(grantee, "*");
  }

  /** Finds and removes them without being able to decrypt one. */
  grantRemove(grantee: IGrantable): void {
    this.#grant(grantee, ["ssm:DeleteParameters"]);
    // A path is a resource of its own: /pgherd/<environment>/<clusterId>, with nothing behind it.
    Grant.addToPrincipal({
      grantee,
      actions: ["ssm:GetParametersByPath"],
      resourceArns: [
        clusterParametersArn(this, this.#environment, "").replace(/\/$/, ""),
        this.#everything(),
      ],
    });
  }

  #grant(grantee: IGrantable, actions: string[]): void {
    Grant.addToPrincipal({ grantee, actions, resourceArns: [this.#everything()] });
  }

  #everything(): string {
    return clusterParametersArn(this, this.#environment);
  }
}
