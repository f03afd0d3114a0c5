import type { Action, Subject } from "@guard-proxy/client";
import { createContext } from "react";
import type { Permission } from "./permissions";

/** What stands against it on some pages where the role does not. */
export const Limits = createContext((may: Permission, _action: Action, _subject: Subject) => may);
