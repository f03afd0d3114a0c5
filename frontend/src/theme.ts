import { type CSSVariablesResolver, createTheme } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "blue",
  // AA on white and on dark: the default shades are not for all colours.
  primaryShade: { light: 8, dark: 8 },
  autoContrast: true,
  luminanceThreshold: 0.35,
  cursorType: "pointer",
  defaultRadius: "sm",
  respectReducedMotion: true,
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
});

/** The words of badges and alerts on their own pale ground. */
const ON_LIGHT = Object.fromEntries(
  Object.entries({ green: "#1d6b2f", yellow: "#7a4500", red: "#a51111", blue: "#14569a", gray: "#3b4148" }).map(([name, color]) => [
    `--mantine-color-${name}-light-color`,
    color,
  ]),
);

/** Mantine's dimmed text and placeholders are below AA. */
export const cssVariables: CSSVariablesResolver = (theme) => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": theme.colors.gray?.[7] ?? "#495057",
    "--mantine-color-placeholder": theme.colors.gray?.[7] ?? "#495057",
    "--mantine-color-error": theme.colors.red?.[9] ?? "#c92a2a",
    "--mantine-color-anchor": theme.colors.blue?.[8] ?? "#1971c2",
    ...ON_LIGHT,
  },
  dark: {
    "--mantine-color-dimmed": theme.colors.dark?.[1] ?? "#b8b8b8",
    "--mantine-color-placeholder": theme.colors.dark?.[1] ?? "#b8b8b8",
    "--mantine-color-error": theme.colors.red?.[4] ?? "#ff8787",
    "--mantine-color-anchor": theme.colors.blue?.[4] ?? "#4dabf7",
  },
});

/** The server writes it into the page; under vite there is none, and no policy either. */
export function styleNonce(): string | undefined {
  const nonce = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content;
  return nonce && !nonce.startsWith("%") ? nonce : undefined;
}
