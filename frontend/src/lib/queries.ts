import { QueryClient } from "@tanstack/react-query";
import { asProblem } from "./api";

/** Asked again where that may help: never what the server understood and refused. */
function retry(failures: number, error: Error): boolean {
  const { status } = asProblem(error);
  return failures < 2 && (status === 0 || status === 503);
}

export function makeQueries() {
  return new QueryClient({
    defaultOptions: {
      queries: { retry, staleTime: 15_000 },
      mutations: { retry: false },
    },
  });
}
