import { MultiSelect, type MultiSelectProps, Select, type SelectProps } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { choicesQuery } from "./queries";

type Of = { of: "policies" | "ip-lists" };

/** One of the server's objects, by name. It searches as one types. */
export function NamePicker({ of, ...rest }: Of & Omit<SelectProps, "data" | "searchable" | "searchValue">) {
  const { data, onSearch } = useChoices(of, rest.value ? [rest.value] : []);
  return <Select {...rest} data={data} searchable onSearchChange={onSearch} filter={({ options }) => options} nothingFoundMessage="None" />;
}

export function NamesPicker({ of, ...rest }: Of & Omit<MultiSelectProps, "data" | "searchable" | "searchValue">) {
  const { data, onSearch } = useChoices(of, rest.value ?? []);
  return (
    <MultiSelect
      {...rest}
      data={data}
      searchable
      hidePickedOptions
      onSearchChange={onSearch}
      filter={({ options }) => options}
      nothingFoundMessage="None"
    />
  );
}

function useChoices(of: Of["of"], chosen: readonly string[]) {
  const [search, setSearch] = useState("");
  const [q] = useDebouncedValue(search, 200);
  // What is chosen stands in the field: that is no search.
  const found = useQuery(choicesQuery(of, chosen.includes(q) ? "" : q)).data?.items ?? [];
  const names = new Map(found.map(({ name, title }) => [name, title && title !== name ? `${name} (${title})` : name]));
  const data = [...new Set([...chosen, ...names.keys()])].map((value) => ({
    value,
    label: chosen.includes(value) ? value : (names.get(value) ?? value),
  }));
  return { data, onSearch: setSearch };
}
