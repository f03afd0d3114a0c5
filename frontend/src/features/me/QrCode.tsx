import { useMemo } from "react";
import { qr } from "@/lib/qr";

/** Light around it, so that it can be read: four modules. */
const QUIET = 4;

/** Black on white also where the panel is dark: readers expect it so. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const rows = useMemo(() => qr(text), [text]);
  const size = rows.length + 2 * QUIET;
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : ""))).join("");
  return (
    <svg viewBox={`0 0 ${size} ${size}`} width={220} height={220} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
