import { fireEvent, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { expect, test, vi } from "vitest";
import type { Pages } from "@/lib/use-pages";
import { draw } from "@/test/render";
import { type Column, DataTable } from "./DataTable";

type Row = { name: string };
const columns: Column<Row>[] = [{ id: "name", header: "Name", sort: "name", cell: (row) => row.name }];

function pages(over: Partial<Pages<Row>> = {}): Pages<Row> {
  return {
    rows: [{ name: "a" }, { name: "b" }],
    total: 2,
    loading: false,
    stale: false,
    error: null,
    hasMore: false,
    loadingMore: false,
    more: vi.fn(),
    again: vi.fn(),
    ...over,
  };
}

const table = (over: Partial<Pages<Row>> = {}, props = {}) =>
  draw(<DataTable label="Rows" columns={columns} pages={pages(over)} rowKey={(row) => row.name} {...props} />);

test("a row leads where it says", async () => {
  const { router } = await table({}, { rowLink: (row: Row) => `/rows/${row.name}` });
  await userEvent.click(screen.getByRole("link", { name: "b" }));
  expect(router.state.location.pathname).toBe("/rows/b");
});

test("ten thousand rows draw some, and ask for more near the end alone", async () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => ({ name: `row-${i}` }));
  const more = vi.fn();
  await table({ rows, total: 20_000, hasMore: true, more });
  const drawn = screen.getAllByRole("row").length;
  expect(drawn).toBeGreaterThan(10);
  expect(drawn).toBeLessThan(80);
  expect(screen.getByRole("table")).toHaveAttribute("aria-rowcount", "20001");
  expect(screen.getByText("10000 of 20000")).toBeInTheDocument();
  expect(more).not.toHaveBeenCalled();
});

test("few rows ask for the next page", async () => {
  const more = vi.fn();
  await table({ hasMore: true, more });
  expect(more).toHaveBeenCalled();
});

test("sorting turns round", async () => {
  const onSort = vi.fn();
  await table({}, { sort: "name", onSort });
  expect(screen.getByRole("columnheader")).toHaveAttribute("aria-sort", "ascending");
  await userEvent.click(within(screen.getByRole("columnheader")).getByRole("button"));
  expect(onSort).toHaveBeenCalledWith("-name");
});

test("rows are selected one by one and all together", async () => {
  const onChange = vi.fn();
  await table({}, { selection: { selected: new Set(["a"]), onChange } });
  await userEvent.click(screen.getByLabelText("Select b"));
  expect(onChange).toHaveBeenLastCalledWith(new Set(["a", "b"]));
  await userEvent.click(screen.getByLabelText("Select all that are loaded"));
  expect(onChange).toHaveBeenLastCalledWith(new Set(["a", "b"]));
});

function Selecting(props: { columns: Column<Row>[]; pages: Pages<Row> }) {
  const [selected, onChange] = useState<ReadonlySet<string>>(new Set());
  const link = (row: Row) => `/rows/${row.name}`;
  return <DataTable label="Rows" rowKey={(row) => row.name} rowLink={link} selection={{ selected, onChange }} {...props} />;
}

test("rows that stay are not drawn anew when another is selected, nor by scrolling", async () => {
  const cell = vi.fn((row: Row) => row.name);
  const columns: Column<Row>[] = [{ id: "name", header: "Name", cell }];
  const all = pages({ rows: Array.from({ length: 1_000 }, (_, i) => ({ name: `row-${i}` })) });
  await draw(<Selecting columns={columns} pages={all} />);
  const drawn = () => new Set(cell.mock.calls.map(([row]) => row.name));
  const before = drawn();
  cell.mockClear();
  await userEvent.click(screen.getByLabelText("Select row-1"));
  expect(screen.getByLabelText("Select row-1")).toBeChecked();
  expect(drawn()).toEqual(new Set(["row-1"]));
  cell.mockClear();
  fireEvent.scroll(screen.getByRole("region"), { target: { scrollTop: 200 } });
  expect(drawn().size).toBeGreaterThan(0);
  expect([...drawn()].filter((name) => before.has(name))).toEqual([]);
});

test("nothing, an error and no permission are told apart", async () => {
  await table({ rows: [] });
  expect(screen.getByText("Nothing here")).toBeInTheDocument();
  const again = vi.fn();
  await table({ rows: [], error: new TypeError("no"), again });
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(again).toHaveBeenCalled();
  await table({}, { permission: { allowed: false, disabledReason: "To read rows wants the role admin." } });
  expect(screen.getByText("To read rows wants the role admin.")).toBeInTheDocument();
});
