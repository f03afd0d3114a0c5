import type { OperationBody, VhostRepresentation } from "@guard-proxy/client";
import { Stack } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { isShown } from "@/change/model";
import { useSaving } from "@/change/use-saving";
import { ActionButton } from "@/components/ActionButton";
import { ConfirmModal } from "@/components/ConfirmModal";
import { LinkButton } from "@/components/LinkButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { useWorking } from "@/working/working";
import { vhostQuery } from "./queries";

/** What can be done with a vhost as a whole. */
export function VhostActions({ vhost }: { vhost: VhostRepresentation }) {
  const { name, enabled, hostnames, meta } = vhost;
  const { can } = useMe();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const working = useWorking();
  const [asks, setAsks] = useState(false);
  const saving = useSaving({ resource: "vhosts", root: `/vhosts/${name}` });
  const write = (operation: Pick<OperationBody, "method" | "value">, message: string) =>
    saving.save({ operations: [{ ...operation, path: `/vhosts/${name}`, if_match: meta.etag }], message });
  const remove = async () => {
    setAsks(false);
    const saved = await write({ method: "DELETE" }, `Vhost ${name} deleted`);
    if (!saved || !isShown(saved)) return;
    await navigate({ to: "/vhosts" });
    queries.removeQueries({ queryKey: vhostQuery(name).queryKey, exact: true });
  };
  const update = can("update", "vhost").disabledReason;
  return (
    <>
      <LinkButton to={`/vhosts/${name}/edit`} disabledReason={update}>
        Edit
      </LinkButton>
      <ActionButton
        variant="default"
        disabledReason={update}
        loading={saving.busy}
        onClick={() => void write({ method: "PATCH", value: { enabled: !enabled } }, `Vhost ${name} ${enabled ? "disabled" : "enabled"}`)}
      >
        {enabled ? "Disable" : "Enable"}
      </ActionButton>
      <LinkButton to="/vhosts/new" search={{ from: name }} variant="default" disabledReason={can("create", "vhost").disabledReason}>
        Copy
      </LinkButton>
      <ActionButton
        variant="default"
        disabledReason={can("delete", "vhost").disabledReason}
        loading={saving.busy}
        onClick={() => setAsks(true)}
      >
        Delete
      </ActionButton>
      {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
      <ConfirmModal
        opened={asks}
        onClose={() => setAsks(false)}
        onConfirm={() => void remove()}
        title={`Delete the vhost ${name}?`}
        confirm={working ? "Stage it" : "See what it does"}
        dangerous
      >
        <Stack gap="xs">
          <span>
            Requests to {hostnames.length === 1 ? hostnames[0] : `its ${hostnames.length} hostnames`} get 421, unless another vhost's
            wildcard covers them. {hostnames.length === 1 ? "The hostname is" : "The hostnames are"} free for others.
          </span>
          <span>Its policy and IP lists stay. A rollback of the revision brings it back. To keep the hostnames, disable it instead.</span>
        </Stack>
      </ConfirmModal>
    </>
  );
}
