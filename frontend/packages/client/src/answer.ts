/** What the generated functions answer. */
export type Answer = { data?: unknown; error?: unknown; response?: Response };
/** A generated function, what it takes, and what it answers when all is well. */
export type Operation = (options: never) => PromiseLike<Answer>;
export type Taken<O extends Operation> = NonNullable<Parameters<O>[0]>;
export type Data<A extends Answer> = Exclude<A["data"], undefined>;
export type DataOf<O extends Operation> = Data<Awaited<ReturnType<O>>>;

/** The data of an answer; what went wrong is thrown: a `Problem` where the server said no. */
export async function unwrap<A extends Answer>(answer: PromiseLike<A>): Promise<Data<A>> {
  const { data, error } = await answer;
  if (error === undefined) return data as Data<A>;
  throw error instanceof Error ? error : new Error("an unexpected answer", { cause: error });
}

/** Calls an operation with more query parameters than its caller gave. */
export function call(operation: Operation, options: object, more: object): PromiseLike<Answer> {
  const query = { ...(options as { query?: object }).query, ...more };
  return (operation as (options: object) => PromiseLike<Answer>)({ ...options, query });
}

type Item<O extends Operation> = DataOf<O> extends { items: (infer T)[] } ? T : never;

/** All items of a list, page after page, each fetched when it is needed: `paginate(listVhosts, { client, query: { limit: 500 } })`. */
export async function* paginate<O extends Operation>(list: O, options: Taken<O>): AsyncGenerator<Item<O>, void, undefined> {
  let more: { cursor?: string } | undefined = {};
  while (more) {
    const page = (await unwrap(call(list, options, more))) as { items: Item<O>[]; next_cursor?: string | null };
    yield* page.items;
    more = page.next_cursor ? { cursor: page.next_cursor } : undefined;
  }
}
