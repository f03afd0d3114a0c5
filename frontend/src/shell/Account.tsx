import { ActionIcon } from "@mantine/core";
import { IconUser } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";

const load = () => import("./AccountMenu");
const AccountMenu = lazy(load);

/** What is behind it is fetched when somebody is about to look. */
export function Account() {
  const [opened, setOpened] = useState(false);
  const button = (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label="Account and appearance"
      aria-haspopup="menu"
      onPointerEnter={() => void load()}
      onFocus={() => void load()}
      onClick={() => setOpened(true)}
    >
      <IconUser size={18} aria-hidden />
    </ActionIcon>
  );
  return opened ? (
    <Suspense fallback={button}>
      <AccountMenu />
    </Suspense>
  ) : (
    button
  );
}
