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
  components: {
    Modal: { defaultProps: { closeButtonProps: { "aria-label": "Close the dialog" } } },
    Drawer: { defaultProps: { closeButtonProps: { "aria-label": "Close the dialog" } } },
    Notification: { defaultProps: { closeButtonProps: { "aria-label": "Close" } } },
  },
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
});

/** Mantine's dimmed text, placeholders, and the words of light badges and alerts are below AA. */
export const cssVariables: CSSVariablesResolver = (theme) => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": theme.colors.gray?.[7] ?? "#495057",
    "--mantine-color-placeholder": theme.colors.gray?.[7] ?? "#495057",
    "--mantine-color-error": theme.colors.red?.[9] ?? "#c92a2a",
    "--mantine-color-anchor": theme.colors.blue?.[8] ?? "#1971c2",
    "--mantine-color-blue-light-color": "#0b4a82",
    "--mantine-color-green-light-color": "#1b5e2a",
    "--mantine-color-yellow-light-color": "#6b3d00",
    "--mantine-color-red-light-color": "#a61e1e",
    "--mantine-color-gray-light-color": "#343a40",
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
