import type { Status } from "@guard-proxy/client";
import { SimpleGrid, Stack } from "@mantine/core";
import { TrafficPart } from "@/features/traffic/TrafficPart";
import { Attention } from "./Attention";
import { Engines } from "./Engines";
import { Deployments, Newest } from "./Newest";

export default function Details({ status }: { status: Status }) {
  return (
    <Stack gap="xl">
      <Attention status={status} />
      <TrafficPart />
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="xl" verticalSpacing="xl">
        <Stack gap="xl" miw={0}>
          <Newest status={status} />
          <Deployments />
        </Stack>
        <Engines engines={status.engines} made={status.deployment?.made_with ?? {}} />
      </SimpleGrid>
    </Stack>
  );
}
