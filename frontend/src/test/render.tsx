import "@/auth/session";
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, Outlet, RouterProvider } from "@tanstack/react-router";
import { act, render } from "@testing-library/react";
import type { ReactNode } from "react";
import { ChangeProvider } from "@/change/ChangeProvider";
import { makeQueries } from "@/lib/queries";
import { theme } from "@/theme";

/** Draws something with all that stands around it in the panel, at `/` (with a search); any other path shows where one has got to. */
export async function draw(element: ReactNode, at = "/") {
  const root = createRootRoute({
    component: () => (
      <ChangeProvider>
        <Outlet />
      </ChangeProvider>
    ),
  });
  const index = createRoute({ getParentRoute: () => root, path: "/", component: () => <>{element}</> });
  const other = createRoute({ getParentRoute: () => root, path: "$", component: () => <p>elsewhere</p> });
  const router = createRouter({
    routeTree: root.addChildren([index, other]),
    history: createMemoryHistory({ initialEntries: [at] }),
  });
  const queries = makeQueries();
  queries.setDefaultOptions({ ...queries.getDefaultOptions(), queries: { retry: false } });
  await router.load();
  const view = render(
    <MantineProvider theme={theme} env="test">
      <QueryClientProvider client={queries}>
        {/* biome-ignore lint/suspicious/noExplicitAny: another router than the panel's, which the types know */}
        <RouterProvider router={router as any} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  // Rows are measured after they are first drawn.
  await act(async () => {});
  return { ...view, router, queries };
}
