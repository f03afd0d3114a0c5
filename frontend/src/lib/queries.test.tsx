import { Button } from "@mantine/core";
import { onlineManager, useMutation } from "@tanstack/react-query";
import { act, screen, waitFor } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { draw } from "@/test/render";

function Send({ send, onSuccess }: { send: () => Promise<void>; onSuccess?: () => void }) {
  const { mutate, isPending } = useMutation({ mutationFn: send, ...(onSuccess && { onSuccess }) });
  return (
    <Button onClick={() => mutate()} loading={isPending}>
      Send
    </Button>
  );
}

test("a double click sends once", async () => {
  const send = vi.fn(() => new Promise<void>(() => {}));
  await draw(<Send send={send} />);
  const button = screen.getByRole("button");
  button.click();
  // A browser runs what waits as a microtask between two clicks; no timer has to have fired.
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  button.click();
  await act(async () => {});
  expect(send).toHaveBeenCalledTimes(1);
});

test("it is sent also where the browser takes itself for offline", async () => {
  onlineManager.setOnline(false);
  try {
    const send = vi.fn(async () => {});
    await draw(<Send send={send} />);
    await act(async () => screen.getByRole("button").click());
    expect(send).toHaveBeenCalledTimes(1);
  } finally {
    onlineManager.setOnline(true);
  }
});

test("what was sent ends without its form, too, and nothing of it is kept", async () => {
  let answer = () => {};
  const onSuccess = vi.fn();
  const send = () => new Promise<void>((resolve) => (answer = resolve));
  const { queries, unmount } = await draw(<Send send={send} onSuccess={onSuccess} />);
  await act(async () => screen.getByRole("button").click());
  unmount();
  answer();
  await waitFor(() => expect(onSuccess).toHaveBeenCalledTimes(1));
  await waitFor(() => expect(queries.getMutationCache().getAll()).toEqual([]), { timeout: 3_000 });
});
