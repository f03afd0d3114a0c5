import type { Topic } from "@/lib/keys";

export type LiveEvent = { topic: Topic | "reset"; data: unknown };

/** Takes server-sent events apart as they arrive; what is not whole yet waits for the rest. */
export class EventParser {
  #rest = "";
  lastId: string | undefined;

  push(chunk: string): LiveEvent[] {
    this.#rest += chunk.replaceAll("\r\n", "\n");
    const blocks = this.#rest.split("\n\n");
    this.#rest = blocks.pop() ?? "";
    return blocks.flatMap((block) => this.#event(block) ?? []);
  }

  #event(block: string): LiveEvent | undefined {
    let topic = "";
    let data = "";
    for (const line of block.split("\n")) {
      const [name, value] = field(line);
      if (name === "event") topic = value;
      else if (name === "data") data += data ? `\n${value}` : value;
      else if (name === "id") this.lastId = value;
    }
    // A comment, sent to keep the connection.
    if (!topic) return undefined;
    return { topic: topic as LiveEvent["topic"], data: parsed(data) };
  }
}

function field(line: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value];
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
