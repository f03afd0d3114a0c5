/** Server-sent events, as the HTML standard has them (one that is cut off at the end is none), and nothing for each chunk: it is a sign of life. */
export async function* parse(body: ReadableStream<Uint8Array>, idle: number) {
  const [reader, decoder] = [body.getReader(), new TextDecoder()];
  let [text, name, data, id]: [string, string, string[], string?] = ["", "message", []];
  try {
    for (;;) {
      const timer = setTimeout(() => reader.cancel().catch(() => {}), idle);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      yield;
      // A CR at the end may be the first half of a CRLF.
      const lines = (text + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      text = lines.pop() ?? "";
      for (const line of lines) {
        const [, field, content = ""] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
        if (line === "") {
          if (data.length > 0) yield { name, data: data.join("\n"), id };
          [name, data] = ["message", []];
        } else if (field === "event") name = content;
        else if (field === "data") data.push(content);
        else if (field === "id" && !content.includes("\0")) id = content;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
