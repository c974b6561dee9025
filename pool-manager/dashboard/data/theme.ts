const THEME = "berth-theme";
const ORDER = ["auto", "light", "dark"] as const;
export type Theme = (typeof ORDER)[number];

export function theme(): Theme {
  const kept = localStorage.getItem(THEME);
  return ORDER.find((one) => one === kept) ?? "auto";
}

/** `auto`: as the system has it. */
export function applyTheme(): void {
  const chosen = theme();
  document.documentElement.dataset.theme = chosen === "auto" ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") : chosen;
  dispatchEvent(new Event("berth-theme"));
}

export function nextTheme(): Theme {
  const next = ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length] as Theme;
  localStorage.setItem(THEME, next);
  applyTheme();
  return next;
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyTheme);
