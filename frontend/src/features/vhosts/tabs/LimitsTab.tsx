import type { VhostRepresentation } from "@guard-proxy/client";
import { Stack } from "@mantine/core";
import { Facts } from "@/components/Facts";
import { Part } from "@/components/Part";
import { labelWords, ON_PARTIAL, ON_UNAVAILABLE, periodWords, sizeWords } from "../words";

export function LimitsTab({ vhost: { body, rate_limit, on_waf_unavailable } }: { vhost: VhostRepresentation }) {
  return (
    <Stack gap="lg">
      <Part title="Bodies">
        <Facts
          facts={[
            ["Largest", `${sizeWords(body.max_bytes)}; above it 413`],
            ["Too large to inspect whole", labelWords(body.on_partial, ON_PARTIAL)],
          ]}
        />
      </Part>
      <Part title="Rate limit" about="Of each client; of IPv6 each /64. More get 429.">
        <Facts facts={[["Requests", rate_limit ? `${rate_limit.requests} in ${periodWords(rate_limit.period)}` : "No limit"]]} />
      </Part>
      <Part title="When no agent can be asked">
        <Facts facts={[["Then", labelWords(on_waf_unavailable, ON_UNAVAILABLE)]]} />
      </Part>
    </Stack>
  );
}
