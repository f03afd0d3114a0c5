import { ActionIcon, Menu, Text, useMantineColorScheme } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconCheck, IconDeviceDesktop, IconLogout, IconMoon, IconSettings, IconSun, IconUser, IconUserCog } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { session } from "@/auth/session";
import { useMe } from "@/auth/use-me";
import { ConfirmModal } from "@/components/ConfirmModal";
import { asProblem } from "@/lib/api";
import { unsaved } from "@/lib/unsaved";

const SCHEMES = [
  { value: "light", label: "Light", icon: IconSun },
  { value: "dark", label: "Dark", icon: IconMoon },
  { value: "auto", label: "As the system", icon: IconDeviceDesktop },
] as const;

async function leave(everywhere: boolean) {
  const keep = unsaved.drop();
  try {
    await session.signOut(everywhere);
  } catch (error) {
    keep();
    notifications.show({ color: "red", title: "Not signed out", message: asProblem(error).message });
  }
}

/** The same button, with its menu open. */
export default function AccountMenu() {
  const { me } = useMe();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [asking, setAsking] = useState<{ everywhere: boolean }>();
  const close = () => setAsking(undefined);
  const signOut = (everywhere: boolean) => (unsaved.get() ? setAsking({ everywhere }) : void leave(everywhere));
  const menu = (
    // Drawn when the button was pressed: see `Account`.
    <Menu position="bottom-end" width={240} defaultOpened>
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label="Account and appearance">
          <IconUser size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" truncate>
            {me?.user?.email ?? me?.label}
          </Text>
        </Menu.Label>
        <Menu.Item component={Link} to="/me" leftSection={<IconUserCog size={16} aria-hidden />}>
          My account
        </Menu.Item>
        <Menu.Item component={Link} to="/settings" leftSection={<IconSettings size={16} aria-hidden />}>
          Settings
        </Menu.Item>
        <Menu.Divider />
        <Menu.Label>Appearance</Menu.Label>
        {SCHEMES.map(({ value, label, icon: Icon }) => (
          <Menu.Item
            key={value}
            role="menuitemradio"
            aria-checked={colorScheme === value}
            closeMenuOnClick={false}
            leftSection={<Icon size={16} aria-hidden />}
            rightSection={colorScheme === value ? <IconCheck size={16} aria-hidden /> : null}
            onClick={() => setColorScheme(value)}
          >
            {label}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => signOut(false)}>
          Sign out
        </Menu.Item>
        <Menu.Item onClick={() => signOut(true)}>Sign out everywhere</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
  return (
    <>
      {menu}
      <ConfirmModal
        opened={asking !== undefined}
        onClose={close}
        onConfirm={() => leave(asking?.everywhere === true).then(close)}
        title="Sign out without saving?"
        confirm="Sign out"
        dangerous
      >
        What you changed on this page is not saved.
      </ConfirmModal>
    </>
  );
}
