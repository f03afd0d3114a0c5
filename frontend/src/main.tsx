import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./global.css";
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { setNonce } from "get-nonce";
import { lazy, StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { session } from "./auth/session";
import { makeQueries } from "./lib/queries";
import { unsaved } from "./lib/unsaved";
import { makeRouter } from "./router";
import { cssVariables, styleNonce, theme } from "./theme";

const Notifications = lazy(async () => ({ default: (await import("@mantine/notifications")).Notifications }));

// For the styles of what locks the scrolling behind a drawer: it asks nobody else.
const nonce = styleNonce();
if (nonce) setNonce(nonce);

const queries = makeQueries();
const router = makeRouter(queries);

// Signed out, here or in another tab: nothing of what was read stays, and the guard of the routes leads to the sign-in. A page with unsaved work
// stays: see `Shell`.
session.watch(() => {
  if (session.get().status === "out") {
    if (unsaved.get()) return;
    queries.clear();
  }
  void router.invalidate();
});

const root = document.getElementById("root");
if (!root) throw new Error("no place for the panel in the page");
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" cssVariablesResolver={cssVariables} getStyleNonce={() => nonce ?? ""}>
      <QueryClientProvider client={queries}>
        <Suspense>
          <Notifications position="bottom-right" />
        </Suspense>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
