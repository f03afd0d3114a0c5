import { AppShell, Box, Burger, Divider, Group, NavLink, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { session } from "@/auth/session";
import { ChangeProvider } from "@/change/ChangeProvider";
import { unsaved } from "@/lib/unsaved";
import { follow } from "@/live/live";
import { loadWorking, useWorking } from "@/working/working";
import { Account } from "./Account";
import { LiveState } from "./LiveState";
import { apiPlace, places } from "./places";
import { Shortcuts } from "./Shortcuts";
import { Warnings } from "./Warnings";

// What is not needed to draw the first page comes behind it.
const SessionOver = lazy(() => import("@/auth/SessionOver"));
const Working = lazy(loadWorking);

export function Shell() {
  const [opened, { toggle, close }] = useDisclosure(false);
  const queries = useQueryClient();
  const { pathname } = useLocation();
  const working = useWorking();
  const [over, setOver] = useState(false);
  const goOn = useCallback(() => setOver(false), []);
  useEffect(() => session.watch(() => setOver((before) => before || (session.get().status === "out" && unsaved.get()))), []);
  useEffect(() => (over ? undefined : follow(queries)), [queries, over]);

  return (
    <ChangeProvider>
      <a className="skip-link" href="#main">
        Skip to the page
      </a>
      <AppShell
        header={{ height: 56 }}
        navbar={{ width: 210, breakpoint: "sm", collapsed: { mobile: !opened } }}
        padding={{ base: "sm", sm: "lg" }}
      >
        <AppShell.Header>
          <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="xs">
            <Group wrap="nowrap" gap="xs">
              <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" aria-expanded={opened} />
              <Text fw={700} visibleFrom="xs" style={{ whiteSpace: "nowrap" }}>
                Guard Proxy
              </Text>
            </Group>
            <Group wrap="nowrap" gap="xs" style={{ minWidth: 0 }}>
              <LiveState />
              <Box w={34} h={34}>
                <Account />
              </Box>
            </Group>
          </Group>
        </AppShell.Header>
        <AppShell.Navbar p="xs" component="nav" aria-label="Main">
          {places.map(({ to, label, icon: Icon }) => (
            <NavLink
              key={to}
              component={Link}
              to={to}
              label={label}
              active={to === "/" ? pathname === "/" : pathname === to || pathname.startsWith(`${to}/`)}
              leftSection={<Icon size={18} aria-hidden />}
              onClick={close}
            />
          ))}
          <Divider my="xs" />
          <NavLink
            component={Link}
            to={apiPlace.to}
            label={apiPlace.label}
            active={pathname === apiPlace.to}
            leftSection={<apiPlace.icon size={18} aria-hidden />}
            onClick={close}
          />
        </AppShell.Navbar>
        <AppShell.Main id="main" tabIndex={-1}>
          <Box maw={1400} mx="auto">
            <Warnings />
            {/* Another change set, or none: forms begin anew with what is there. */}
            {working ? (
              <Suspense>
                <Working key={working} id={working}>
                  <Outlet />
                </Working>
              </Suspense>
            ) : (
              <Outlet />
            )}
          </Box>
        </AppShell.Main>
      </AppShell>
      <Shortcuts />
      {over && (
        <Suspense>
          <SessionOver close={goOn} />
        </Suspense>
      )}
    </ChangeProvider>
  );
}
