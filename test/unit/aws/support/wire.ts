import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";

export interface Asked {
  readonly url: URL;
  /** The action of a JSON service such as `AmazonSSM.GetParametersByPath`; empty elsewhere. */
  readonly target: string;
  readonly body: unknown;
}

/** What a service says no with. */
export interface Refusal {
  readonly refusal: string;
}

export interface Wire extends AsyncDisposable {
  readonly asked: readonly Asked[];
  /** For an SDK client. */
  readonly config: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
}

/** An AWS endpoint that says what a test wants it to say: behaviour of AWS that the local services do not show. */
export async function startWire(answer: (asked: Asked) => object | Refusal): Promise<Wire> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const target = request.headers["x-amz-target"];
    const one: Asked = {
      url: new URL(request.url ?? "/", "http://127.0.0.1"),
      target: typeof target === "string" ? target : "",
      body: await jsonOf(request),
    };
    asked.push(one);
    const said = answer(one);
    const isRefusal = "refusal" in said;
    response.writeHead(isRefusal ? 400 : 200, { "content-type": "application/x-amz-json-1.1" });
    response.end(JSON.stringify(isRefusal ? { __type: said.refusal, message: said.refusal } : said));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the endpoint has no port");
  return {
    asked,
    config: {
      endpoint: `http://127.0.0.1:${address.port}`,
      region: "eu-central-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  return text === "" ? null : JSON.parse(text);
}
