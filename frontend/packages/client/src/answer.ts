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
export function call<O extends Operation>(operation: O, options: Taken<O>, more: object): ReturnType<O> {
  const { query, ...rest } = options as { query?: object };
  return operation({ ...rest, query: { ...query, ...more } } as never) as ReturnType<O>;
}

type Item<O extends Operation> = DataOf<O> extends { items: (infer T)[] } ? T : never;

/** All items of a list, page after page, each fetched when it is needed: `paginate(listVhosts, { client, query: { limit: 500 } })`. */
export async function* paginate<O extends Operation>(list: O, options: Taken<O>): AsyncGenerator<Item<O>, void> {
  for (let more: object | undefined = {}; more; ) {
    const page = (await unwrap(call(list, options, more))) as { items: Item<O>[]; next_cursor?: string | null };
    yield* page.items;
    more = page.next_cursor ? { cursor: page.next_cursor } : undefined;
  }
}
