/** Server-sent events, as the HTML standard has them; one that is cut off at the end is none. `alive` hears of each chunk. */
export async function* parse(body: ReadableStream<Uint8Array>, idle: number, alive: () => void) {
  const [reader, decoder] = [body.getReader(), new TextDecoder()];
  let [text, event, id]: [string, string, string | undefined] = ["", "message", undefined];
  let data: string[] = [];
  try {
    for (;;) {
      const timer = setTimeout(() => reader.cancel().catch(() => {}), idle);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      alive();
      text += decoder.decode(value, { stream: true });
      // A CR at the end may be the first half of a CRLF.
      const lines = text.split(/\r\n|\n|\r(?!$)/);
      text = lines.pop() ?? "";
      for (const line of lines) {
        const [, field, content = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
        if (line === "") {
          if (data.length > 0) yield { event, data: data.join("\n"), id };
          [event, data] = ["message", []];
        } else if (field === "event") event = content;
        else if (field === "data") data.push(content);
        else if (field === "id" && !content.includes("\0")) id = content;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
