import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import {
  DeleteParameterCommand,
  GetParametersCommand,
  PutParameterCommand,
  SSMClient,
} from "@aws-sdk/client-ssm";
import { cipherPassParameter, passwordParameter } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { configurationFiles } from "../../layers/domain/config/paths.ts";
import { awsSettings, backupBucket, s3Client, ssmClient } from "./support/aws.ts";
import { onMachine } from "./support/machines.ts";
import { api, environment } from "./support/world.ts";

/** A cluster that is there as far as its secrets and its backups are: no machine is needed to be robbed. */
const other = "clu_01JD00000000000000000PREY0";
const theirs = {
  password: passwordParameter("local", other, "admin"),
  pass: cipherPassParameter("local", other),
  key: `clusters/${other}/0/archive/main/archive.info`,
};

/** Asks the machine's metadata as whoever has got into it would. */
const askMetadata = `
const base = "http://169.254.169.254/latest/";
const put = { method: "PUT", headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" } };
const token = await (await fetch(base + "api/token", put)).text();
const get = async (path) => (await fetch(base + "meta-data/iam/security-credentials/" + path, { headers: { "x-aws-ec2-metadata-token": token } })).text();
console.log(await get(await get("")));
`;
const credentialsSchema = z.object({
  AccessKeyId: z.string(),
  SecretAccessKey: z.string(),
  Token: z.string(),
});

describe("whoever gets into a node of one cluster", () => {
  let own: string;
  let address: string;
  let bucket: string;
  let ssm: SSMClient;
  let s3: S3Client;

  beforeAll(async () => {
    const demo = await api.demo();
    own = demo.id;
    address = demo.nodes[0]?.address ?? "";
    const answer = await onMachine(address, ["node", "--input-type=module", "-e", askMetadata]);
    const { AccessKeyId, SecretAccessKey, Token } = credentialsSchema.parse(JSON.parse(answer));
    const credentials = {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: Token,
    };
    ssm = new SSMClient({ ...(await awsSettings(environment, "SSM")), credentials });
    s3 = new S3Client({ ...(await awsSettings(environment, "S3")), credentials, forcePathStyle: true });
    const [operatorSsm, operatorS3] = [await ssmClient(environment), await s3Client(environment)];
    bucket = await backupBucket(operatorS3);
    for (const Name of [theirs.password, theirs.pass]) {
      await operatorSsm.send(
        new PutParameterCommand({ Name, Value: "prey", Type: "SecureString", Overwrite: true }),
      );
    }
    await operatorS3.send(new PutObjectCommand({ Bucket: bucket, Key: theirs.key, Body: "prey" }));
    operatorSsm.destroy();
    operatorS3.destroy();
  });

  afterAll(async () => {
    const [operatorSsm, operatorS3] = [await ssmClient(environment), await s3Client(environment)];
    for (const Name of [theirs.password, theirs.pass]) {
      await operatorSsm.send(new DeleteParameterCommand({ Name }));
    }
    await operatorS3.send(new DeleteObjectCommand({ Bucket: bucket, Key: theirs.key }));
    for (const client of [operatorSsm, operatorS3, ssm, s3]) client.destroy();
  });

  const read = (name: string) => ssm.send(new GetParametersCommand({ Names: [name], WithDecryption: true }));

  test("has that cluster's secrets, and is refused another one's", async () => {
    const { Parameters = [] } = await read(passwordParameter("local", own, "admin"));
    expect(Parameters[0]?.Value).toMatch(/./);
    for (const name of [theirs.password, theirs.pass]) {
      await expect(read(name)).rejects.toMatchObject({ name: "AccessDeniedException" });
    }
  });

  test("has that cluster's backups, and is refused another one's", async () => {
    const list = (Prefix: string) => s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix }));
    const { Contents = [] } = await list(`clusters/${own}/0/archive/`);
    expect(Contents.length).toBeGreaterThan(0);
    await s3.send(new GetObjectCommand({ Bucket: bucket, Key: Contents[0]?.Key ?? "" }));
    const refused = { name: "AccessDenied" };
    await expect(list(`clusters/${other}/`)).rejects.toMatchObject(refused);
    const there = { Bucket: bucket, Key: theirs.key };
    await expect(s3.send(new GetObjectCommand(there))).rejects.toMatchObject(refused);
    await expect(s3.send(new PutObjectCommand({ ...there, Body: "spoilt" }))).rejects.toMatchObject(refused);
    await expect(s3.send(new DeleteObjectCommand(there))).rejects.toMatchObject(refused);
  });

  test("is refused them by the node's own tools, too", async () => {
    const pgbackrest = (...argv: readonly string[]) =>
      onMachine(address, [
        ...["runuser", "-u", "postgres", "--", "pgbackrest"],
        ...[`--config=${configurationFiles.pgbackrest}`, ...argv],
      ]).catch((error: { stdout?: string; stderr?: string }) => `${error.stdout}${error.stderr}`);
    expect(await pgbackrest("repo-ls", "archive/main")).toContain("archive.info");
    expect(await pgbackrest(`--repo1-path=/clusters/${other}/0`, "repo-ls", "archive/main")).toMatch(/403/);
  });
});
