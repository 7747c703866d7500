import type { Credentials } from "../endpoints/identities.ts";
import { writeAtomically } from "./files.ts";
import type { EnvironmentPaths } from "./paths.ts";
import { addressesOf, type EnvironmentSettings } from "./settings.ts";

const ownerOnly = 0o600;
const everyone = 0o644;

/** `environment.json`: where the API is, where the token is, which processes serve. */
export async function writeEnvironmentFile(
  paths: EnvironmentPaths,
  settings: EnvironmentSettings,
  pids: Readonly<Record<string, number>>,
): Promise<void> {
  const content = { api: addressesOf(settings).api, tokenFile: paths.token, pids };
  await writeAtomically(paths.environmentFile, `${JSON.stringify(content, null, 2)}\n`, everyone);
}

/** `aws.env`: what any AWS client needs to speak to the environment. */
export async function writeAwsVariables(
  paths: EnvironmentPaths,
  settings: EnvironmentSettings,
  operator: Credentials,
): Promise<void> {
  const { aws, dynamoDb } = addressesOf(settings);
  const variables = {
    AWS_ENDPOINT_URL: aws,
    AWS_ENDPOINT_URL_DYNAMODB: dynamoDb,
    AWS_REGION: settings.region,
    AWS_DEFAULT_REGION: settings.region,
    AWS_ACCESS_KEY_ID: operator.accessKeyId,
    AWS_SECRET_ACCESS_KEY: operator.secretAccessKey,
  };
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
  await writeAtomically(paths.awsVariables, lines.join(""), ownerOnly);
}

/** For tests that want an endpoint to fail, or to see what was called. */
export async function writeAdministrationToken(paths: EnvironmentPaths, token: string): Promise<void> {
  await writeAtomically(paths.administrationToken, `${token}\n`, ownerOnly);
}
