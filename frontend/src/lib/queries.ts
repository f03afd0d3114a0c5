import { notifyManager, QueryClient } from "@tanstack/react-query";
import { asProblem } from "./api";

// The second click of a double click has to find the button busy. By default that is told by a timer, which may come after it.
notifyManager.setScheduler(queueMicrotask);

/** Asked again where that may help: never what the server understood and refused. */
function retry(failures: number, error: Error): boolean {
  const { status } = asProblem(error);
  return failures < 2 && (status === 0 || status === 503);
}

export function makeQueries() {
  return new QueryClient({
    defaultOptions: {
      queries: { retry, staleTime: 15_000 },
      // The server may be reached where a browser takes itself for offline. And there are passwords and tokens in what is sent and answered:
      // they are not kept for longer than the form.
      mutations: { retry: false, networkMode: "always", gcTime: 1_000 },
    },
  });
}
