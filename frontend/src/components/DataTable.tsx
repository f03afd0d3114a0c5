import { Box, Checkbox, Skeleton, Table, Text, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { useCallbackRef } from "@mantine/hooks";
import { IconArrowDown, IconArrowsSort, IconArrowUp } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useEffect, useRef } from "react";
import type { Permission } from "@/auth/permissions";
import type { Pages } from "@/lib/use-pages";
import classes from "./DataTable.module.css";
import { EmptyState } from "./EmptyState";
import { ProblemAlert } from "./ProblemAlert";

export type Column<T> = {
  id: string;
  header: string;
  cell: (row: T) => ReactNode;
  /** The server's name to sort by, where it sorts by this. */
  sort?: string;
  width?: number | string;
  /** Left out on screens narrower than that. */
  hideBelow?: "xs" | "sm" | "md" | "lg";
  align?: "left" | "right";
};

export type Selection = { selected: ReadonlySet<string>; onChange: (selected: ReadonlySet<string>) => void };

type Props<T> = {
  /** What the rows are, for who does not see the page. */
  label: string;
  /** The same ones each time: with others all rows are drawn anew. */
  columns: Column<T>[];
  pages: Pages<T>;
  rowKey: (row: T) => string;
  /** Where a row leads: the first column is the link, the whole row can be clicked. */
  rowLink?: (row: T) => string;
  /** `name`, `-updated_at`. */
  sort?: string;
  onSort?: (sort: string) => void;
  selection?: Selection;
  empty?: ReactNode;
  /** To read them: without it nothing is asked for. */
  permission?: Permission;
};

const ROW_PX = 44;
/** So near to the end the next page is asked for. */
const NEAR = 15;

/** A list of the server's. Rows out of sight are not drawn, so ten thousand are as fluent as ten. */
export function DataTable<T>(props: Props<T>) {
  const { label, columns, pages, rowKey, rowLink, selection, permission, empty } = props;
  const box = useRef<HTMLDivElement>(null);
  const { rows, hasMore, loadingMore, more } = pages;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    getItemKey: (index) => {
      const row = rows[index];
      return row ? rowKey(row) : index;
    },
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !loadingMore && last >= rows.length - NEAR) more();
  }, [hasMore, loadingMore, last, rows.length, more]);
  const toggle = useCallbackRef((id: string) => {
    const next = new Set(selection?.selected);
    if (!next.delete(id)) next.add(id);
    selection?.onChange(next);
  });

  if (permission && !permission.allowed) return <EmptyState title="Not for you to see">{permission.disabledReason}</EmptyState>;
  if (pages.error && rows.length === 0) return <ProblemAlert error={pages.error} onRetry={pages.again} />;
  if (!pages.loading && rows.length === 0) return <>{empty ?? <EmptyState title="Nothing here" />}</>;

  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const wide = columns.length + (selection ? 1 : 0);
  return (
    <>
      {pages.error && <ProblemAlert error={pages.error} onRetry={pages.again} />}
      <Box ref={box} className={classes.box} tabIndex={0} role="region" aria-label={label} aria-busy={pages.loading || pages.stale}>
        <Table className={classes.table} stickyHeader highlightOnHover aria-label={label} aria-rowcount={(pages.total ?? rows.length) + 1}>
          <Head {...props} />
          <Table.Tbody data-stale={pages.stale || undefined}>
            {pages.loading && <Bones count={8} columns={wide} />}
            {before > 0 && <Gap height={before} columns={wide} />}
            {items.map(({ index }) => {
              const row = rows[index];
              if (row === undefined) return null;
              const id = rowKey(row);
              return (
                <Row
                  key={id}
                  id={id}
                  row={row}
                  index={index}
                  columns={columns}
                  link={rowLink?.(row)}
                  selected={selection?.selected.has(id)}
                  onToggle={toggle}
                  measure={virtual.measureElement}
                />
              );
            })}
            {after > 0 && <Gap height={after} columns={wide} />}
            {loadingMore && <Bones count={2} columns={wide} />}
          </Table.Tbody>
        </Table>
      </Box>
      <Text size="sm" c="dimmed" mt={4} role="status">
        {pages.loading ? "Loading" : counted(rows.length, pages.total)}
        {selection && selection.selected.size > 0 && `, ${selection.selected.size} selected`}
      </Text>
    </>
  );
}

function counted(loaded: number, total: number | undefined): string {
  if (total === undefined || total === loaded) return `${loaded}`;
  return `${loaded} of ${total}`;
}

function Head<T>({ columns, sort, onSort, selection, pages, rowKey }: Props<T>) {
  const all = pages.rows.length > 0 && pages.rows.every((row) => selection?.selected.has(rowKey(row)));
  return (
    <Table.Thead>
      <Table.Tr aria-rowindex={1}>
        {selection && (
          <Table.Th w={40}>
            <Checkbox
              aria-label="Select all that are loaded"
              checked={all}
              indeterminate={!all && selection.selected.size > 0}
              onChange={() => selection.onChange(all ? new Set() : new Set(pages.rows.map(rowKey)))}
            />
          </Table.Th>
        )}
        {columns.map((column) => {
          const down = sort === `-${column.sort}`;
          const up = column.sort !== undefined && sort === column.sort;
          const Icon = up ? IconArrowUp : down ? IconArrowDown : IconArrowsSort;
          return (
            <Table.Th
              key={column.id}
              w={column.width}
              ta={column.align}
              visibleFrom={column.hideBelow}
              aria-sort={up ? "ascending" : down ? "descending" : column.sort ? "none" : undefined}
            >
              {column.sort && onSort ? (
                <UnstyledButton className={classes.sort} onClick={() => onSort(up ? `-${column.sort}` : `${column.sort}`)}>
                  {column.header} <Icon size={14} aria-hidden />
                </UnstyledButton>
              ) : (
                column.header || <VisuallyHidden>Actions</VisuallyHidden>
              )}
            </Table.Th>
          );
        })}
      </Table.Tr>
    </Table.Thead>
  );
}

type RowProps<T> = {
  id: string;
  row: T;
  index: number;
  columns: Column<T>[];
  link: string | undefined;
  /** Undefined: rows cannot be selected. */
  selected: boolean | undefined;
  onToggle: (id: string) => void;
  measure: (element: Element | null) => void;
};

/** Not drawn anew when the table is: that it is with each step of scrolling, and whenever a row is selected. */
const Row = memo(function Row<T>({ id, row, index, columns, link, selected, onToggle, measure }: RowProps<T>) {
  return (
    <Table.Tr ref={measure} data-index={index} aria-rowindex={index + 2} className={classes.row}>
      {selected !== undefined && (
        <Table.Td className={classes.above}>
          <Checkbox aria-label={`Select ${id}`} checked={selected} onChange={() => onToggle(id)} />
        </Table.Td>
      )}
      {columns.map((column, place) => (
        <Table.Td key={column.id} ta={column.align} visibleFrom={column.hideBelow}>
          {place === 0 && link ? (
            <Link to={link} className={classes.link}>
              {column.cell(row)}
            </Link>
          ) : (
            column.cell(row)
          )}
        </Table.Td>
      ))}
    </Table.Tr>
  );
}) as <T>(props: RowProps<T>) => ReactNode;

function Gap({ height, columns }: { height: number; columns: number }) {
  return (
    <tr aria-hidden>
      <td colSpan={columns} style={{ height, padding: 0, border: 0 }} />
    </tr>
  );
}

function Bones({ count, columns }: { count: number; columns: number }) {
  return Array.from({ length: count }, (_, row) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
    <Table.Tr key={row} aria-hidden>
      <Table.Td colSpan={columns}>
        <Skeleton height={16} my={4} />
      </Table.Td>
    </Table.Tr>
  ));
}
