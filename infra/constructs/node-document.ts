import { Stack } from "aws-cdk-lib";
import type { IGrantable } from "aws-cdk-lib/aws-iam";
import { CfnDocument } from "aws-cdk-lib/aws-ssm";
import { Construct } from "constructs";
import { tagNames } from "../../layers/domain/cluster/names.ts";
import { allow } from "./allow.ts";
import { ec2Arn, resourceName } from "./names.ts";

/** Longer than the longest verb (`await-members`, 600 s); SSM kills what runs longer. */
const verbTimeoutSeconds = 900;

const parameters = {
  Program: ["SHA-256 of the node program", "^[0-9a-f]{64}$"],
  Bucket: ["Bucket that holds the node program", "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"],
  Key: ["Key of the node program", "^[A-Za-z0-9/_.-]{1,512}$"],
  Verb: ["What to do", "^[a-z][a-z-]{0,62}$"],
  Input: ["Input of the verb: JSON in base64", "^[A-Za-z0-9+/]*={0,2}$"],
  Operation: ["Id of the operation", "^[A-Za-z0-9_-]{1,64}$"],
  Step: ["Step of the operation", "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,255}$"],
} as const;

/**
 * Parameters reach the node as environment variables (`SSM_Program` …), never as text in the script. An agent before
 * 3.3.2746.0 does not know `interpolationType`: the variables are then missing and the loader refuses to run.
 */
export function nodeDocumentContent(): object {
  return {
    schemaVersion: "2.2",
    description: "Runs one verb of pgherd's node program",
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([name, [description, allowedPattern]]) => [
        name,
        { type: "String", description, allowedPattern, interpolationType: "ENV_VAR" },
      ]),
    ),
    mainSteps: [
      {
        action: "aws:runShellScript",
        name: "run",
        precondition: { StringEquals: ["platformType", "Linux"] },
        inputs: { timeoutSeconds: String(verbTimeoutSeconds), runCommand: ["exec /usr/lib/pgherd/run"] },
      },
    ],
  };
}

/** The one thing that the control plane can make a node do. */
export class NodeDocument extends Construct {
  readonly name: string;
  readonly #environment: string;

  constructor(scope: Construct, id: string, props: { readonly environment: string }) {
    super(scope, id);
    this.#environment = props.environment;
    this.name = resourceName(props.environment, "node");
    new CfnDocument(this, "Document", {
      name: this.name,
      documentType: "Command",
      documentFormat: "JSON",
      targetType: "/AWS::EC2::Instance",
      content: nodeDocumentContent(),
      // A document with a name cannot be replaced; a new version becomes the default one.
      updateMethod: "NewVersion",
    });
  }

  /** Runs this document and no other, on instances of this environment and no others. */
  grantRunCommands(grantee: IGrantable): void {
    allow(grantee, {
      actions: ["ssm:SendCommand"],
      resources: [
        Stack.of(this).formatArn({ service: "ssm", resource: "document", resourceName: this.name }),
      ],
    });
    allow(grantee, {
      actions: ["ssm:SendCommand"],
      resources: [ec2Arn(this, "instance")],
      conditions: { StringEquals: { [`ssm:resourceTag/${tagNames.environment}`]: this.#environment } },
      wildcard: "Instances are made at run time; the tag narrows them to this environment's.",
    });
    allow(grantee, {
      actions: ["ssm:GetCommandInvocation", "ssm:DescribeInstanceInformation"],
      resources: ["*"],
      wildcard: "These actions know no resources.",
    });
  }
}
