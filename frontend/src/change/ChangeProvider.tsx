import type { ReactNode } from "react";
export function ChangeProvider({ children }: { children: ReactNode }) {
  return <>{children}</>;
}
