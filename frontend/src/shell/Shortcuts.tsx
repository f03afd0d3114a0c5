import { useDisclosure } from "@mantine/hooks";
import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef } from "react";
import { isTyping } from "@/lib/typing";
import { places } from "./places";

const ShortcutsHelp = lazy(() => import("./ShortcutsHelp"));

/** `g` and the next key belong together for so long. */
const TOGETHER_MS = 1_000;

export function Shortcuts() {
  const [opened, { open, close }] = useDisclosure(false);
  const navigate = useNavigate();
  const began = useRef(0);

  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
      const second = Date.now() - began.current < TOGETHER_MS;
      began.current = 0;
      const place = second ? places.find(({ key }) => key === event.key) : undefined;
      if (place) void navigate({ to: place.to });
      else if (event.key === "g") began.current = Date.now();
      else if (event.key === "?") open();
      else if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>("[data-search]");
        if (!search) return;
        search.focus();
        search.select();
      } else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [navigate, open]);

  return opened ? (
    <Suspense>
      <ShortcutsHelp close={close} />
    </Suspense>
  ) : null;
}
