import { expect, test } from "vitest";
import { LambdaVersions } from "../../../layers/aws/versions.ts";
import { settings } from "../../api/support/world.ts";
import { type Asked, type Refusal, startWire, type Wire } from "./support/wire.ts";

const functionArn = "arn:aws:lambda:eu-central-1:111122223333:function:pgherd-dev-create-cluster";
const kind = "create-cluster";

const versionsOn = (wire: Wire) =>
  new LambdaVersions({ ...settings, workflows: { [kind]: `${functionArn}:live` } }, wire.config);

const publishedAt = "2026-11-20T10:00:00.000+0000";
const publishedMs = Date.UTC(2026, 10, 20, 10);

/** What Lambda says to each of the lists, page by page. */
function lists(pages: Readonly<Record<string, readonly object[]>>) {
  return ({ url }: Asked): object => {
    const list = url.pathname.split("/").at(-1) ?? "";
    const at = Number(url.searchParams.get("Marker") ?? "0");
    const isLast = at + 1 >= (pages[list]?.length ?? 0);
    return { ...pages[list]?.[at], ...(isLast ? {} : { NextMarker: String(at + 1) }) };
  };
}

const executionOn = (qualifier: string) => ({
  DurableExecutionArn: `${functionArn}:${qualifier}/durable-execution/opn_1/0a`,
});

test("versions are read to the last page, without what is not published, and with when each was", async () => {
  await using wire = await startWire(
    lists({
      versions: [
        { Versions: [{ Version: "$LATEST", LastModified: publishedAt }] },
        { Versions: [] },
        { Versions: [{ Version: "9", LastModified: publishedAt }, { Version: "10" }] },
      ],
      aliases: [{ Aliases: [{ Name: "live", FunctionVersion: "10" }] }],
    }),
  );
  expect(await versionsOn(wire).list(kind)).toEqual({
    published: [
      { version: 9, publishedMs },
      { version: 10, publishedMs: null },
    ],
    live: 10,
    aliased: [10],
  });
  expect(wire.asked.every(({ url }) => url.pathname.includes("/pgherd-dev-create-cluster/"))).toBe(true);
});

test("an alias that somebody else made holds its version, and one that shares calls out holds two", async () => {
  await using wire = await startWire(
    lists({
      versions: [{ Versions: [] }],
      aliases: [
        { Aliases: [{ Name: "mine", FunctionVersion: "2" }] },
        {
          Aliases: [
            {
              Name: "live",
              FunctionVersion: "7",
              RoutingConfig: { AdditionalVersionWeights: { "6": 0.1 } },
            },
          ],
        },
      ],
    }),
  );
  expect(await versionsOn(wire).list(kind)).toEqual({ published: [], live: 7, aliased: [2, 7, 6] });
});

test("nothing is live where nothing leads there by the environment's alias", async () => {
  await using wire = await startWire(
    lists({ versions: [{}], aliases: [{ Aliases: [{ Name: "mine", FunctionVersion: "2" }] }] }),
  );
  expect((await versionsOn(wire).list(kind)).live).toBeNull();
});

test("versions with executions are those of all executions that run, each once", async () => {
  await using wire = await startWire(
    lists({
      "durable-executions": [
        { DurableExecutions: [executionOn("3"), executionOn("$LATEST")] },
        { DurableExecutions: [executionOn("3"), executionOn("12")] },
      ],
    }),
  );
  expect(await versionsOn(wire).running(kind)).toEqual([3, 12]);
  expect(wire.asked[0]?.url.searchParams.getAll("Statuses")).toEqual(["RUNNING"]);
  expect(wire.asked[0]?.url.searchParams.has("Qualifier")).toBe(false);
});

test("an execution that does not say where it runs leaves everything in doubt", async () => {
  await using wire = await startWire(
    lists({ "durable-executions": [{ DurableExecutions: [executionOn("live")] }] }),
  );
  await expect(versionsOn(wire).running(kind)).rejects.toThrow("does not say which version");
});

test("a version is removed by its number, and one that is gone is removed", async () => {
  let answer: object | Refusal = {};
  await using wire = await startWire(() => answer);
  expect(await versionsOn(wire).remove(kind, 3)).toBe(true);
  const [removal] = wire.asked;
  expect(removal?.url.pathname).toMatch(/\/functions\/pgherd-dev-create-cluster\/?$/);
  expect(removal?.url.searchParams.get("Qualifier")).toBe("3");
  answer = { refusal: "ResourceNotFoundException" };
  expect(await versionsOn(wire).remove(kind, 3)).toBe(true);
});

test("a version that an alias leads to by now is left alone, and another refusal is told", async () => {
  let answer: Refusal = { refusal: "ResourceConflictException" };
  await using wire = await startWire(() => answer);
  expect(await versionsOn(wire).remove(kind, 3)).toBe(false);
  answer = { refusal: "AccessDeniedException" };
  await expect(versionsOn(wire).remove(kind, 3)).rejects.toThrow("AccessDeniedException");
});
