import type { Socket } from "node:net";
import type { z } from "zod";

/** A longer line is none of ours. */
const lineCharactersMax = 4096;

export function sendLine(socket: Socket, message: object): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

/** Calls `take` with each line that is what it should be; anything else ends the connection. */
export function onLines<T>(socket: Socket, schema: z.ZodType<T>, take: (message: T) => void): void {
  let unread = "";
  socket.setEncoding("utf8");
  socket.on("data", (part: string) => {
    unread += part;
    const lines = unread.split("\n");
    unread = lines.pop() ?? "";
    try {
      if (unread.length > lineCharactersMax) throw new Error("the line is too long");
      for (const line of lines) take(schema.parse(JSON.parse(line)));
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  });
}
